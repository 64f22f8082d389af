"""Leaks planted in a written file whose ledger knows nothing of them: the audit alone must find each.

The file is made of portraits: where the subject stood stands another person (a swap that nobody could better), and the
ledger says `swapped` for every frame, also where that is not so.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from deid_audit.findings import Outcome, Policy
from deid_audit.frames import Float, Frame, Image
from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.measure.coverage import measure_coverage
from deid_audit.measure.identity import VideoDescriptors, distances_to_original
from deid_audit.measure.residue import measure_residue
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.finishing import finished_ledger
from deid_audit.pipeline.rendering import RenderedPass
from deid_audit.pipeline.searching import Descriptions, ReleasedSearch
from deid_audit.policy import judge, load_policy
from tests.conftest import NoCanaries, Portrait, Portraits
from tests.unit.explaining_cases import seen as a_case

WIDTH, HEIGHT, COUNT = 480, 270, 10
LEFT, FACE_PX = 90, 90


def put(image: Image, person: Portrait, left: int, face_px: int = FACE_PX) -> Float:
    """Pastes a head at this place, cut where the frame ends; gives the face's box (4,)."""
    small = person.resized(face_px / float(np.ptp(person.box_xyxy[[1, 3]])))
    x0, y0, x1, y1 = (int(edge) for edge in small.box_xyxy)
    margin = face_px // 2
    top, start = max(0, y0 - margin), max(0, x0 - margin)
    head = small.image_rgb[top : y1 + margin, start : x1 + margin]
    skipped = max(0, -left)
    part = head[:HEIGHT, skipped : skipped + max(0, WIDTH - max(0, left))]
    image[40 : 40 + part.shape[0], max(0, left) : max(0, left) + part.shape[1]] = part
    return small.box_xyxy + np.float32([left - start, 40 - top] * 2)


def frames_of(person: Portrait) -> tuple[list[Image], Float]:
    """A person who moves a little in front of grey, and the face's box in every frame (n, 4)."""
    images, boxes = [], []
    for index in range(COUNT):
        image = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
        boxes.append(put(image, person, LEFT + index))
        images.append(image)
    return images, np.stack(boxes)


def outcomes(original: Sequence[Image], written: Sequence[Image], boxes: Float, engines: Engines) -> dict[str, Outcome]:
    """The policy's residue and coverage rules after the real search, with a ledger that says `swapped` throughout."""
    done = RenderedPass()
    before, after = Descriptions(engines.recognizer), Descriptions(engines.recognizer)
    for index, box in enumerate(boxes):
        place = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        region = Region(
            track_id=0, is_subject=True, state=State.SWAPPED, reason="it says so", decided_by="tests", box_xyxy=place
        )
        done.ledger.append(LedgerFrame(index=index, time_s=index / 25, regions=(region,)))
        before.add(engines.recognizer.chip(original[index], box, None))
        after.add(engines.recognizer.chip(written[index], box, None))
    search = ReleasedSearch(engines, NoCanaries(faces=[], seed=0), done)
    for index in range(COUNT):
        search.see(*(Frame(index=index, pts=index, image_rgb=images[index]) for images in (original, written)))
    search.close()
    swapped = np.ones(COUNT, np.bool_)
    descriptors = VideoDescriptors(
        swapped=after.rows(), original=before.rows(), subject_swapped=swapped, times_s=np.arange(COUNT) / 25
    )
    detections = [sighted.boxes_xyxy for sighted in search.sighted]
    observed = replace(
        a_case().watched.observed,
        descriptors=descriptors,
        detections=detections,
        second_look=search.second_look,
        regions=search.regions,
    )
    ledger = finished_ledger(done.ledger, observed)
    rows = measure_coverage([ledger])
    rows += measure_residue(
        scope="video 1",
        detections=detections,
        seen_by=[sighted.seen_by for sighted in search.sighted],
        searched_with=engines.audit.words,
        frames=ledger,
        distances_to_original=distances_to_original(descriptors),
        leftover_streams=0,
        leftover_keys=(),
    )
    asked = {"coverage.undecided", "residue.subject_faces", "residue.unaccounted_faces"}
    policy: Policy = load_policy("release")
    rules = tuple(rule for rule in policy.rules if rule.metric in asked)
    assert len(rules) == len(asked)
    verdict = judge(rows, policy.model_copy(update={"rules": rules}))
    return {finding.rule.metric: finding.outcome for finding in verdict.findings}


def _nothing(written: list[Image], original: Sequence[Image], people: Portraits) -> None:
    pass


def _an_unswapped_frame(written: list[Image], original: Sequence[Image], people: Portraits) -> None:
    written[4] = original[4]


def _a_late_entrant(written: list[Image], original: Sequence[Image], people: Portraits) -> None:
    for index in (6, 7, 8):
        put(written[index], people.hopper, 300, 60)


def _a_face_cut_by_the_border(written: list[Image], original: Sequence[Image], people: Portraits) -> None:
    for index in range(3):
        box = put(written[index], people.hopper, -85, 100)
        assert -0.5 < box[0] / (box[2] - box[0]) < -0.2  # between a fifth and a half of the face is outside


@pytest.mark.parametrize(
    ("plant", "caught"),
    [
        (_nothing, set()),
        (_an_unswapped_frame, {"coverage.undecided", "residue.subject_faces", "residue.unaccounted_faces"}),
        (_a_late_entrant, {"residue.unaccounted_faces"}),
        (_a_face_cut_by_the_border, {"residue.unaccounted_faces"}),
    ],
)
def test_the_audit_alone_finds_what_was_planted_and_nothing_where_nothing_was(
    plant: Callable[[list[Image], Sequence[Image], Portraits], None],
    caught: set[str],
    portraits: Portraits,
    engines: Engines,
) -> None:
    original, boxes = frames_of(portraits.hopper)
    written, _ = frames_of(portraits.astronaut)
    plant(written, original, portraits)
    found = outcomes(original, written, boxes, engines)
    assert {metric for metric, outcome in found.items() if outcome is Outcome.FAILED} == caught
    assert all(outcome is Outcome.PASSED for metric, outcome in found.items() if metric not in caught)
