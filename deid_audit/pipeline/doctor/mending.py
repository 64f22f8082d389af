"""The command that mends a library that is missing, of another version, or does not load."""

import os
import platform
import sys
from pathlib import Path

from deid_audit.certificate.document import APT_COMMAND

_TEXT = ("pango", "harfbuzz", "gobject", "fontconfig")
_SCREEN = ("libgl", "libgthread", "libglib")
_OLD_PROCESSOR = "use a newer processor (in a virtual machine: the host's own type)"


def pip(*requirements: str, anew: bool = False) -> str:
    """A pip command for the Python that runs this; `anew` replaces what is there and nothing else."""
    quoted = " ".join(f"'{one}'" if set("<>") & set(one) else one for one in requirements)
    return f"{_python()} -m pip install {'--force-reinstall --no-deps ' if anew else ''}{quoted}"


def mend_import(message: str, requirement: str) -> str:
    """What helps when a library does not load, by what the loader said."""
    said = message.lower()
    if "sigill" in said:
        return _OLD_PROCESSOR
    if any(word in said for word in _TEXT):
        return APT_COMMAND
    if any(word in said for word in _SCREEN):
        return f"apt-get install --no-install-recommends libgl1 {_glib_package()}"
    return pip(requirement, anew=True)


def _python() -> str:
    """This Python as one would type it here: relative where it stands below the working folder."""
    executable = Path(sys.executable)
    here = Path(os.path.abspath(os.curdir))  # noqa: PTH100  (a link in the path stays as typed)
    return str(executable.relative_to(here)) if executable.is_relative_to(here) else str(executable)


def _glib_package() -> str:
    """Debian 13 and Ubuntu 24.04 renamed the package."""
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        return "libglib2.0-0"
    renamed = {"debian": 13.0, "ubuntu": 24.04}.get(system.get("ID", ""))
    try:
        return "libglib2.0-0t64" if renamed and float(system.get("VERSION_ID", "0")) >= renamed else "libglib2.0-0"
    except ValueError:
        return "libglib2.0-0"
