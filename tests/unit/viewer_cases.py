"""Viewer tests for tests: a plan of made-up digests, viewers who answer as asked, and an OUT with real bytes."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from deid_audit.digests import sha256_bytes
from deid_audit.evidence import STATEMENT_FILE, build_statement
from deid_audit.findings import Outcome
from deid_audit.pipeline.packaging import write_release
from deid_audit.viewers.plan import Control, LineUp, Plan, draw_line_ups
from deid_audit.viewers.sittings import Answer, Group, Sitting, Sittings
from deid_audit.viewers.storing import encoded
from tests.unit.certificates import ISSUED, certified_case

PORTRAIT = sha256_bytes(b"the subject")
FOILS = [sha256_bytes(b"foil %d" % number) for number in range(20)]
CONTROL = Control(clip=sha256_bytes(b"a clip"), picture=sha256_bytes(b"who is in it"))
KEY = bytes(32)


def make_plan(*, videos: int = 1, size: int = 6, seed: int = 0, control: bool = False) -> Plan:
    held = CONTROL if control else None
    return Plan(
        case_id="case-0001",
        statement_sha256="ab" * 32,
        released_sha256=tuple(sha256_bytes(b"video %d" % number) for number in range(videos)),
        portrait=PORTRAIT,
        control=held,
        size=size,
        seed=seed,
        line_ups=draw_line_ups(videos, portrait=PORTRAIT, foils=FOILS, control=held, size=size, seed=seed),
    )


def answer(line_up: LineUp, *, rank: int, among: bool, size: int = 6) -> Answer:
    """Ranks the right picture `rank`-th, and the others in the order of their places."""
    others = [place for place in range(1, size + 1) if place != line_up.target]
    ranking = others if line_up.target is None else [*others[: rank - 1], line_up.target, *others[rank - 1 :]]
    return Answer(line_up=line_up.number, ranking=tuple(ranking), among_them=among, confidence=3, seconds=8.0)


def sitting(plan: Plan, viewer: str, *, ranks: Sequence[int], group: Group = "unfamiliar", control: int = 1) -> Sitting:
    """A viewer who ranks the subject as told, video by video, and says "among them" where it is the first."""
    line_ups = {one.number: one for one in plan.line_ups}
    answers = []
    for number in plan.order_for(viewer):
        one = line_ups[number]
        rank = control if one.video is None else ranks[one.video - 1]
        among = one.kind != "absent" and rank == 1
        answers.append(answer(one, rank=rank, among=among, size=plan.size))
    return Sitting(viewer=viewer, group=group, started_at="2027-01-02T10:00:00+00:00", answers=tuple(answers))


def sittings(plan: Plan, *several: Sitting) -> Sittings:
    return Sittings(plan_sha256=plan_sha256(plan), sittings=several)


def plan_sha256(plan: Plan) -> str:
    return sha256_bytes(encoded(plan))


def lay_out_release(folder: Path, films: Sequence[bytes], outcome: Outcome = Outcome.PASSED) -> Path:
    """An OUT as far as a viewer test looks at it: statement, released files, and the key of the keyed digests."""
    rendered = folder / "rendered"
    rendered.mkdir(parents=True)
    paths = [rendered / f"case-0001-{number:02d}.mp4" for number in range(1, len(films) + 1)]
    for path, film in zip(paths, films, strict=True):
        path.write_bytes(film)
    case = certified_case(outcome)
    outputs = write_release(
        folder / case.outputs_folder, paths, case_id="case-0001", kind="swap", issued_at=ISSUED.isoformat()
    )
    rendered.rmdir()
    case = case.model_copy(update={"outputs": outputs})
    (folder / STATEMENT_FILE).write_bytes(build_statement(case))
    (folder / "audit").mkdir()
    (folder / "audit" / "originals.key").write_text(KEY.hex() + "\n")
    return folder


def write_pictures(folder: Path, count: int) -> list[Path]:
    """Pictures of different shapes: a plain colour and a number, so that one can be told from another."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        image = np.full((300 + 10 * number, 360, 3), (40 + 10 * number, 120, 250 - 10 * number), np.uint8)
        cv2.putText(image, f"{number:02d}", (100, 190), cv2.FONT_HERSHEY_SIMPLEX, 3, (255, 255, 255), 6)
        path = folder / f"{number:02d}.{'png' if number % 2 else 'jpg'}"
        assert cv2.imwrite(str(path), image)
        paths.append(path)
    return paths
