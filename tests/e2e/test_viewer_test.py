"""A test by people from its line-ups to a certificate: prepared, answered, scored, and audited with the very file."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pypdf
import pytest

from deid_audit.digests import sha256_file
from deid_audit.evidence import parse_statement
from deid_audit.viewers.plan import Plan
from deid_audit.viewers.sittings import Sittings
from deid_audit.viewers.storing import load, save
from tests.e2e.short_clips import pictures_of, write_pictures
from tests.e2e.warm import Done, WarmCommand
from tests.unit.viewer_cases import lay_out_release, sitting
from tests.unit.viewer_cases import write_pictures as portraits

pytestmark = pytest.mark.e2e
Command = Callable[..., Done]
FRAMES = 16
POLICY = """
id = "viewers"
version = "1"
title = "For tests: people may find the subject in so many line-ups"

[[rules]]
metric = "viewers.unfamiliar_rank1"
of = "swapped"
op = "at_most"
bound = "upper95"
limit = 0.7
why = "a test"
source = "a test"
"""


@pytest.fixture
def deid_audit(warm: WarmCommand) -> Command:
    return warm.run


def test_what_viewers_did_is_in_the_certificate_and_on_the_boards_page(
    deid_audit: Command, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    shown = pictures_of(clips[0])[:FRAMES]
    original = write_pictures(tmp_path / "original.mp4", shown)
    covered = [picture.copy() for picture in shown]
    for picture in covered:
        picture[60:330, 40:230] = 0
    film = write_pictures(tmp_path / "film.mp4", covered)
    out = lay_out_release(tmp_path / "OUT", [film.read_bytes()])
    foils, portrait = portraits(tmp_path / "foils", 11)[0].parent, tmp_path / "portrait.png"
    cv2.imwrite(str(portrait), cv2.cvtColor(shown[0], cv2.COLOR_RGB2BGR))
    test, answers, result = (tmp_path / f"{name}.json" for name in ("test", "answers", "result"))
    asked = ("--portrait", portrait, "--foils", foils, "--to", test, "--seed", 4)
    assert deid_audit("viewer-test", "prepare", out, *asked).status == 0
    plan, digest = load(test, Plan, "the test")
    strangers = [sitting(plan, f"V{at}", ranks=[1 if at % 4 == 0 else 3]) for at in range(12)]
    friends = [sitting(plan, f"F{at}", ranks=[2], group="familiar") for at in range(3)]
    save(answers, Sittings(plan_sha256=digest, sittings=(*strangers, *friends)), "the answers")
    assert deid_audit("viewer-test", "score", test, answers, "--to", result).status == 0

    (tmp_path / "policy.toml").write_text(POLICY)

    def audited(scored: Path, released: Path) -> Done:
        return deid_audit(
            "audit", "--original", original, "--released", released, "--viewer-test", scored,
            "--policy", tmp_path / "policy.toml", "--case-id", "v1", "--out", tmp_path / "out",
        )  # fmt: skip

    other = tmp_path / "other.mp4"
    other.write_bytes(film.read_bytes() + bytes(8))
    changed = tmp_path / "changed.json"
    said = json.loads(result.read_text())
    said["groups"][0]["found_first"]["value"] = 0.0
    changed.write_text(json.dumps(said))
    for refused, words in ((audited(result, other), "with other files"), (audited(changed, film), "not what its rows")):
        assert refused.status == 2 and words in " ".join(refused.stderr.split()) and not (tmp_path / "out").exists()

    done = audited(result, film)
    assert done.status == 0, done.stderr
    case = parse_statement((tmp_path / "out" / "evidence.json").read_bytes())
    [stage] = [one for one in case.stages if one.stage == "recognition by people"]
    assert stage.settings["result_sha256"] == sha256_file(result) and stage.settings["unfinished_viewers"] == 0
    rows = {one.metric: one for one in case.measurements if one.metric.startswith("viewers.")}
    assert (rows["viewers.unfamiliar_rank1"].value, rows["viewers.familiar_mean_rank"].value) == (0.25, 2.0)
    pages = " ".join(page.extract_text() for page in pypdf.PdfReader(tmp_path / "out" / "certificate.pdf").pages)
    words = " ".join(pages.split())
    told = "12 viewers who do not know the subject ranked them first in 0.250"
    assert told in words and "A test by people: the test had no control" in words
    assert "Recognition by people: the subject in line-ups" in words and "no interval: 3 viewers" in words
    assert "A test by people: not measured" not in words
    assert told in (tmp_path / "out" / "audit" / "report.html").read_text()
