"""A viewer test from the steward's pictures and a finished release, and what a page needs to show it.

No picture is copied: they are read from where the steward keeps them, and checked against the plan by their keyed
digests. Only released videos are shown, as the statement names them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from deid_audit.digests import sha256_bytes
from deid_audit.errors import SettingsError
from deid_audit.faces.photo import read_picture
from deid_audit.files import lies_in_output
from deid_audit.findings import CaseRecord
from deid_audit.pipeline.finished_out import open_out
from deid_audit.video.places import keyed_digest_of
from deid_audit.viewers.plan import Control, Plan, draw_line_ups
from deid_audit.viewers.sittings import Sittings, fault_of
from deid_audit.viewers.storing import load, save

_SIDE_PX = 400
_JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A finished release: its case, statement, released videos in order, and the key of its keyed digests."""

    case: CaseRecord
    statement_sha256: str
    videos: tuple[Path, ...]
    sha256: tuple[str, ...]
    digest_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """A test ready to be shown: `clips` by the number of the video, None for the control's; `pictures` are JPEGs."""

    plan: Plan
    clips: dict[int | None, Path]
    pictures: dict[str, bytes]
    sittings: Sittings
    answers_file: Path


def prepare(
    out: Path,
    *,
    portrait: Path,
    foils: Sequence[Path],
    control: tuple[Path, Path] | None,
    size: int,
    seed: int,
    to: Path,
) -> Plan:
    """Draws the line-ups and writes the plan; `control` is a clip in which nothing is hidden, and its person's picture.

    Raises:
        EvidenceError: OUT is no finished, unchanged output.
        SettingsError: nothing was released, too few or unreadable pictures, or no place for the plan.
    """
    refuse_inside(out, to, "the test")
    released = read_released(out)
    for number, path in enumerate((portrait, *foils, *(control[1:] if control else ())), start=1):
        read_picture(path, what=f"picture {number}")
    key = released.digest_key
    held = Control(clip=_digest(control[0], key), picture=_digest(control[1], key)) if control else None
    own = _digest(portrait, key)
    plan = Plan(
        case_id=released.case.case_id,
        statement_sha256=released.statement_sha256,
        released_sha256=released.sha256,
        portrait=own,
        control=held,
        size=size,
        seed=seed,
        line_ups=draw_line_ups(
            len(released.videos),
            portrait=own, foils=[_digest(path, key) for path in foils], control=held, size=size, seed=seed,
        ),
    )  # fmt: skip
    save(to, plan, "the test")
    return plan


def open_test(file: Path, out: Path, *, pictures: Sequence[Path], control_clip: Path | None, answers: Path) -> Showing:
    """The test with its clips, its pictures as they are shown, and the answers so far; nothing is written.

    Raises:
        EvidenceError: OUT is no finished, unchanged output.
        SettingsError: the test is of another release, or a picture or clip of it is missing.
    """
    refuse_inside(out, answers, "the answers")
    plan, plan_sha256 = load(file, Plan, "the test")
    released = read_released(out)
    if plan.statement_sha256 != released.statement_sha256:
        raise SettingsError("the test is about another release", next_step="give the OUT that it was prepared from")
    found = {_digest(path, released.digest_key): path for path in pictures}
    if missing := plan.pictures - found.keys():
        raise SettingsError(
            f"{len(missing)} of the test's {len(plan.pictures)} pictures were not given, or have changed",
            next_step="give every picture that was given to prepare, unchanged, with --picture",
        )
    clips: dict[int | None, Path] = dict(enumerate(released.videos, start=1))
    if plan.control is not None:
        if control_clip is None or _digest(control_clip, released.digest_key) != plan.control.clip:
            raise SettingsError(
                "the control's clip was not given, or has changed", next_step="give it with --control-clip"
            )
        clips[None] = control_clip
    sittings = Sittings(plan_sha256=plan_sha256)
    if answers.exists():
        sittings, _ = load(answers, Sittings, "the answers")
        if sittings.plan_sha256 != plan_sha256 or fault_of(sittings, plan):
            raise SettingsError("the answers are to another test", next_step="give another file with --answers")
    return Showing(
        plan=plan,
        clips=clips,
        pictures={digest: shown_picture(found[digest]) for digest in sorted(plan.pictures)},
        sittings=sittings,
        answers_file=answers,
    )


def read_released(out: Path) -> Released:
    """A finished OUT with released videos; what was withheld may show the subject and is shown to nobody.

    Raises:
        EvidenceError: OUT is not as its statement says, or its key of the keyed digests is missing.
        SettingsError: nothing was released.
    """
    finished = open_out(out)
    case = finished.case
    if case.outputs_folder != "release":
        raise SettingsError(
            "nothing was released: withheld videos may show the subject, and no viewer is shown them",
            next_step="give an OUT whose verdict is PASSED",
        )
    videos = [one for one in case.outputs if one.role == "video"]
    return Released(
        case=case,
        statement_sha256=sha256_bytes(finished.statement),
        videos=tuple(out / "release" / one.name for one in videos),
        sha256=tuple(one.sha256 for one in videos),
        digest_key=finished.digest_key(),
    )


def shown_picture(path: Path) -> bytes:
    """A picture as a viewer sees it: the middle square, 400 px, JPEG, without tags.

    So neither size nor shape nor format tells one file from the others. Raises SettingsError where it cannot be read.
    """
    image = read_picture(path, what="a picture")
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    shown = cv2.resize(square, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    encoded, data = cv2.imencode(
        ".jpg", cv2.cvtColor(shown, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    assert encoded  # an 8-bit picture of this size can always be
    return np.asarray(data).tobytes()


def pictures_in(places: Sequence[Path]) -> list[Path]:
    """The files given, and for each folder its files, in the order of their names; hidden ones are left out.

    Raises SettingsError where there is no such file or folder.
    """
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise SettingsError("there is no such file or folder of pictures", next_step="check the paths given")
        inside = sorted(place.iterdir()) if place.is_dir() else [place]
        found += [path for path in inside if path.is_file() and not path.name.startswith(".")]
    return found


def _digest(path: Path, key: bytes) -> str:
    """Not the file's name: it may be called after a person."""
    try:
        return keyed_digest_of(path, "a picture or clip", key)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SettingsError(f"a picture or clip cannot be read: {why}", next_step="check the paths given") from None


def refuse_inside(out: Path, place: Path, what: str) -> None:
    """SettingsError for a file that would lie in OUT: it holds the solution or answers, and OUT is handed on."""
    if lies_in_output(place, out):
        raise SettingsError(f"{what} may not lie in OUT, which is handed on", next_step="give a place beside OUT")
