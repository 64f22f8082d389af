"""The look across a set: who is held against whom, what is left out and said, and that nothing of a face stays."""

from pathlib import Path

import numpy as np
import pytest

from deid_audit.dataset.across import Subject, identification_of, linkability_of, look_across
from deid_audit.dataset.case import Order
from deid_audit.dataset.manifest import read_manifest, settings_of
from deid_audit.dataset.sighting import Sighted
from deid_audit.findings import CaseRecord
from deid_audit.frames import Float
from deid_audit.progress import SilentProgress
from deid_audit.records import VideoFacts
from tests.fakes import make_case, make_video_facts
from tests.unit.data_sets import write_set

NOBODY = np.zeros((0, 128), np.float32)


def face(person: int, seed: int = 0) -> Float:
    """A descriptor of a made-up person: people are at least 1.4 apart, their sightings within 0.2."""
    row = np.zeros(128, np.float32)
    row[person] = 1
    return np.asarray(row + np.random.default_rng(seed).normal(0, 0.008, 128), np.float32)


def shown(*people: int, each: int = 8, seed: int = 0) -> Float:
    return np.stack([face(person, seed + at) for person in people for at in range(each)])


DONOR = 100


def subject(number: int, *released: Float, donor: str = "d") -> Subject:
    return Subject(case_id=f"case-{number:02d}", original=shown(number), released=released, donor=(donor,))


def released(count: int, *, leaking: int | None = None) -> list[Subject]:
    """Each with one video of the donor; `leaking` still shows the subject."""
    return [subject(n, shown(n if n == leaking else DONOR, seed=50 + n)) for n in range(count)]


def test_nothing_is_found_where_only_the_donor_shows() -> None:
    found = identification_of(released(20))
    assert (found.looked_at, found.gallery, found.searched, found.subjects, found.faces) == (20, 20, 20, 20, 160)
    assert found.chance == 0.05 and found.rate is not None and found.low95 is not None and found.low95 <= 0.05
    assert (found.near_own.share, found.near_others.share, found.floor) == (0, 0, 0)
    assert (found.unprotected_first, found.unprotected) == (20, 20) and found.near_own.worst_case is None
    assert "guessing finds 5.0%" in found.words and "Unprotected, 20 of 20 subjects are found first." in found.words


def test_one_video_that_still_shows_its_subject_is_the_worst_and_is_named() -> None:
    found = identification_of(released(20, leaking=7))
    assert found.worst is not None and (found.worst.case_id, found.worst.rank) == ("case-07", 1)
    assert found.worst.to_own < 0.3 and found.worst.to_next > 1
    near = found.near_own
    assert near.share == pytest.approx(0.05) and (near.worst_case, near.worst_share) == ("case-07", 1.0)
    assert near.of_case == "case-07" and found.near_others.share == 0
    assert near.high95 == pytest.approx(0.2161, abs=1e-4)  # Clopper-Pearson, 1 of 20, one-sided 95 %
    assert "5.0% of 160 released faces come within 0.6" in found.words and "case-07, 100%" in found.words


def test_a_leak_in_every_video_is_a_rate_of_one() -> None:
    found = identification_of([subject(n, shown(n, seed=50)) for n in range(12)])
    assert (found.first, found.rate, found.high95) == (12, 1.0, 1.0) and found.low95 == pytest.approx(0.05 ** (1 / 12))


def test_a_second_video_that_leaks_is_found_beside_one_that_does_not() -> None:
    people = [subject(n, shown(DONOR, seed=50), shown(3 if n == 3 else DONOR, seed=70)) for n in range(4)]
    found = identification_of(people)
    assert found.worst is not None and (found.worst.case_id, found.worst.video) == ("case-03", 2)
    assert found.near_own.worst_share == 1.0 and found.near_own.share == pytest.approx(1 / 8)


def test_a_donor_who_resembles_another_subject_is_told() -> None:
    people = released(6)
    people[2] = subject(2, shown(5, seed=50))
    found = identification_of(people)
    assert found.near_own.share == 0 and found.near_others.share == pytest.approx(1 / 6)
    assert (found.near_others.worst_case, found.near_others.of_case) == ("case-02", "case-05")
    assert "of another subject (worst case-02, 100%), like case-05" in found.words


def test_few_subjects_have_counts_and_no_rate() -> None:
    found = identification_of(released(3, leaking=0))
    assert (found.rate, found.low95, found.near_own.low95) == (None, None, None) and found.first >= 1
    assert "n too small for a rate: 3 subjects" in found.words
    alone = identification_of(released(1, leaking=0))
    assert (alone.chance, alone.worst, alone.floor, alone.near_others.share) == (None, None, None, None)
    assert alone.near_own.share == 1.0 and "no rank is given" in alone.words


def test_who_has_no_face_or_was_not_told_is_counted_and_said() -> None:
    people = [*released(4), subject(4, NOBODY)]
    people.append(Subject(case_id="case-05", original=NOBODY, released=(shown(2, seed=50),), donor=("d",)))
    found = identification_of(people)
    assert (found.looked_at, found.without_face, found.not_told, found.gallery, found.searched) == (6, 1, 1, 5, 4)
    assert found.near_others.of_case == "case-02"  # they are held against the others all the same
    assert "1 of them show no face" in found.words and "Of 1 subjects the look could not tell" in found.words


def test_a_search_that_does_not_find_the_unprotected_is_called_no_test() -> None:
    people = [Subject(case_id=f"case-{n}", original=shown(1), released=(shown(DONOR),), donor=("d",)) for n in range(3)]
    assert "so it is no test" in identification_of(people).words
    assert identification_of([]).words.startswith("Identification across the set: 0 released videos")


def test_the_same_look_gives_the_same_numbers() -> None:
    assert identification_of(released(11)) == identification_of(released(11))
    people = [subject(n, shown(DONOR, seed=n), shown(DONOR, seed=n + 30)) for n in range(11)]
    assert linkability_of(people) == linkability_of(people)


def test_videos_of_one_subject_that_link_are_found_among_shared_donors() -> None:
    def twice(leaks: bool) -> list[Subject]:
        rest = [np.float32(0.2) * face(n) if leaks else np.zeros(128, np.float32) for n in range(12)]
        return [
            subject(n, shown(DONOR, seed=100 * n) + rest[n], shown(DONOR, seed=100 * n + 50) + rest[n])
            for n in range(12)
        ]

    quiet, found = linkability_of(twice(leaks=False)), linkability_of(twice(leaks=True))
    assert quiet.shared_donors is not None and quiet.shared_donors.low is not None and found.shared_donors is not None
    assert quiet.shared_donors.low < 0.5 < (quiet.shared_donors.high or 0)
    assert found.shared_donors.auc == 1.0 and found.shared_donors.low == 1.0
    assert (found.subjects, found.compared, found.shared_donors.same, found.shared_donors.different) == (
        12,
        12,
        12,
        264,
    )
    assert "fair control, a pair of one subject lies nearer with a chance of 1.00, 1.00 to 1.00" in found.words


def test_a_donor_for_each_is_said_to_link_by_design() -> None:
    people = [subject(n, shown(DONOR + n), shown(DONOR + n, seed=30), donor=f"d{n}") for n in range(3)]
    found = linkability_of(people)
    assert found.shared_donors is None and found.all_pairs is not None and found.all_pairs.auc == 1.0
    assert "linked by design" in found.words and "no interval: 3 subjects" in found.words


def test_without_a_second_video_there_is_nothing_to_link() -> None:
    found = linkability_of([subject(1, shown(DONOR), NOBODY), subject(2, shown(DONOR))])
    assert (found.subjects, found.all_pairs) == (0, None) and "no subject has two released videos" in found.words


# -- the look itself -------------------------------------------------------------------------------------------------


def test_the_look_takes_the_subject_alone_and_wipes_everything(tmp_path: Path) -> None:
    """Bob's video shows somebody else, too; Cid is not in. Whoever is beside a subject is in no gallery."""
    names = ["Ada", "Bob", "Cid"]
    path = write_set(tmp_path, names)
    by_place = {
        "Ada": shown(1), "Bob": np.concatenate([shown(2, each=12), shown(9, each=3)]),
        "case-1": shown(DONOR), "case-2": shown(9, DONOR, each=4),
    }  # fmt: skip
    held: list[Float] = []
    labels: list[str] = []

    def look(video: Path, label: str, facts: VideoFacts | None = None) -> Sighted:
        place = video.parent.name if video.parent.name in names else video.parents[2].name
        labels.append(label)
        held.append(by_place[place].copy())
        assert facts is not None and facts.frame_count == 200  # from the statement: no video is decoded to count
        return Sighted(facts=facts, descriptors=held[-1], frames=24, seconds_a_frame=0.1)

    manifest = read_manifest(path)
    orders, cases = [], dict[str, CaseRecord]()
    for number in (1, 2):
        settings = settings_of(
            manifest, number, folder=tmp_path, out=tmp_path / "out" / f"case-{number}", case_id=f"case-{number}"
        )
        orders.append(Order(case_id=f"case-{number}", label=f"subject {number}", inputs="1", settings=settings))
        cases[f"case-{number}"] = make_case(case_id=f"case-{number}", originals=(make_video_facts(),))
    found, links = look_across(orders, cases, look=look, progress=SilentProgress())
    assert (found.looked_at, found.gallery, found.unprotected) == (2, 2, 2) and links.subjects == 0
    assert (found.near_own.share, found.near_others.share) == (0, 0)  # of Bob's companion nothing was kept
    assert labels == [
        "subject 1, video 1", "case-1, released video 1", "subject 2, video 1", "case-2, released video 1"
    ]  # fmt: skip
    assert len(held) == 4 and not any(rows.any() for rows in held)


def test_whom_the_steward_points_out_by_tracks_is_not_guessed(tmp_path: Path) -> None:
    path = write_set(tmp_path, ["Ada"], of_subjects='tracks = ["1:2"]')
    settings = settings_of(read_manifest(path), 1, folder=tmp_path, out=tmp_path / "out", case_id="case-1")
    order = Order(case_id="case-1", label="subject 1", inputs="1", settings=settings)

    def look(video: Path, label: str, facts: VideoFacts | None = None) -> Sighted:
        return Sighted(facts=make_video_facts(), descriptors=shown(1), frames=24, seconds_a_frame=0.1)

    found, _ = look_across([order], {"case-1": make_case()}, look=look, progress=SilentProgress())
    assert (found.not_told, found.gallery, found.looked_at) == (1, 0, 1)
