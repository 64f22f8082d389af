"""Where the files that travel with the package stand: `policies/` and `templates/`.

They stand at the top of the repository, where people look for them, and inside the package in a wheel (hatch's
force-include). An editable install has no force-include, so the repository's own folder is the second place.
"""

from pathlib import Path

from deid_audit.errors import SettingsError

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """The folder `policies` or `templates`: inside an installed package, else beside it in a checkout."""
    for candidate in (_PACKAGE / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise SettingsError(
        f"the installation is incomplete: no folder '{name}' beside the package",
        next_step="install deid-audit again",
    )
