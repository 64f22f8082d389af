"""A job with `--keep-references`: refused in time, sealed with what a recheck needs, and no file but at a good end."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from deid_audit import __version__
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError, Interrupted, SettingsError, StageError, VaultError
from deid_audit.findings import measured, not_measured
from deid_audit.ledger import LedgerFrame, State
from deid_audit.measure.gallery import GalleryCut
from deid_audit.measure.identity import MATCH_CUT
from deid_audit.pipeline import staging
from deid_audit.pipeline.job import Job
from deid_audit.pipeline.keeping import MODELS, Keeping, gallery_cut, keeping, ledgers_of, references_row
from deid_audit.pipeline.reckoning import Watched
from deid_audit.pipeline.staging import staged
from deid_audit.policy import load_policy
from deid_audit.settings import AuditSettings, RunSettings, make_audit_settings
from deid_audit.vault import references
from deid_audit.vault.references import read_references
from tests.fakes import make_erasure
from tests.unit.explaining_cases import ledger, seen
from tests.unit.vault_building import files_in

PASSPHRASE = b"five words nobody would guess"
DETAIL = {
    "cut": 0.55, "false_match_rate": 0.01, "true_match_rate": 0.99, "stranger_faces": 40.0, "own_originals": 30.0,
}  # fmt: skip
ROWS = [
    not_measured("residue.gallery_matches", "swapped", "video 1", "why not"),
    measured("residue.gallery_matches", "swapped", "video 2", 0, sample_size=9, detail=DETAIL),
]
DONOR = np.ones((7, 128), np.float32)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "_SCRYPT_LOG_N", 4)


def settings_of(folder: Path, **changes: Any) -> RunSettings:
    values = {
        "subjects": (folder / "s.mp4",), "donors": (folder / "d.mp4",), "policy": "release", "out": folder / "out",
        "case_id": "c1", "keep_references": folder / "refs",
    }  # fmt: skip
    return RunSettings(**cast(Any, values | changes))


def job_of(policy: str = "release") -> Job:
    return cast(Job, SimpleNamespace(policy=load_policy(policy), case_id="c1", thorough=True))


def watched() -> Watched:
    """A video whose bad stretch was undecided in the end, and one frame that got its region only then."""
    before = list(ledger())
    before[3] = replace(before[3], regions=())
    after = list(ledger(State.UNDECIDED))
    after[3] = replace(after[3], regions=(replace(after[3].regions[0], is_subject=False, state=State.UNDECIDED),))
    count = len(before)
    video = seen(turns=np.full(count, 90, np.int16)).watched
    original = np.random.default_rng(0).normal(size=(count, 128)).astype(np.float32)
    descriptors = replace(video.observed.descriptors, original=original)
    observed = replace(video.observed, descriptors=descriptors, ledger=tuple(before))
    return replace(video, observed=observed, ledger=tuple(after))


def finish(kept: Keeping, folder: Path) -> None:
    kept.seal([watched()], DONOR, ROWS)
    (folder / "evidence.json").write_bytes(b"{}")
    kept.bind(folder / "evidence.json")


def test_without_the_option_nothing_is_kept_or_said(tmp_path: Path) -> None:
    with keeping(settings_of(tmp_path, keep_references=None), job_of("strict"), None) as kept:
        finish(kept, tmp_path)
        record = kept.recorded(make_erasure())
    assert record == make_erasure() and references_row(record).value == 0
    assert [path.name for path in files_in(tmp_path)] == ["evidence.json"]


def test_what_is_sealed_is_what_a_recheck_needs(tmp_path: Path) -> None:
    with keeping(settings_of(tmp_path), job_of(), PASSPHRASE) as kept:
        finish(kept, tmp_path)
        record = kept.recorded(make_erasure())
    assert record.references_kept and references_row(record).value == 1
    found = read_references(tmp_path / "refs", PASSPHRASE)
    assert found.statement_sha256 == sha256_bytes(b"{}")
    assert (found.head.case_id, found.head.tool_version, found.head.models) == ("c1", __version__, MODELS)
    assert found.head.thorough and found.head.thresholds["match cut"] == MATCH_CUT
    assert gallery_cut(found.head.thresholds) == GalleryCut(
        cut=0.55, false_match_rate=0.01, true_match_rate=0.99, strangers=40, own=30
    )
    np.testing.assert_array_equal(found.donor, DONOR)
    video, [one] = watched(), found.videos
    np.testing.assert_array_equal(one.original, video.observed.descriptors.original)
    assert (one.turns == 90).all()
    before, after = ledgers_of(one, video.released.times_s)

    def told(frame: LedgerFrame) -> list[tuple[bool, State, tuple[float, ...]]]:
        return [(region.is_subject, region.state, region.box_xyxy) for region in frame.regions]

    assert [told(frame) for frame in before] == [told(frame) for frame in video.observed.ledger]
    # the region that came later is of nobody's and undecided: it holds no face and shows none
    assert [told(frame) for frame in after if frame.index != 3] == [told(f) for f in video.ledger if f.index != 3]
    assert after[3].regions == ()


def test_where_no_cut_was_known_none_is_kept() -> None:
    cut = gallery_cut({"match cut": 0.6})
    assert cut.unusable and cut.nobody_else


def test_strict_refuses_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="allows no kept descriptors") as caught:
        keeping(settings_of(tmp_path), job_of("strict"), PASSPHRASE).__enter__()
    assert "--keep-references" in caught.value.next_step
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("passphrase", [None, b""])
def test_no_passphrase_is_refused_before_any_work(tmp_path: Path, passphrase: bytes | None) -> None:
    with pytest.raises(SettingsError, match="is empty"):
        keeping(settings_of(tmp_path), job_of(), passphrase).__enter__()


@pytest.mark.parametrize("end", [Interrupted("stopped"), VaultError("no"), ValueError("a defect")])
def test_any_other_end_leaves_no_file(tmp_path: Path, end: Exception) -> None:
    with pytest.raises(type(end)), keeping(settings_of(tmp_path), job_of(), PASSPHRASE) as kept:
        finish(kept, tmp_path)
        raise end
    assert [path.name for path in files_in(tmp_path)] == ["evidence.json"]


def test_where_they_cannot_stand_there_is_no_output_that_says_so(tmp_path: Path) -> None:
    """The statement says that references were kept: without them OUT may not appear."""
    with (
        pytest.raises(SettingsError, match="exists already"),
        keeping(settings_of(tmp_path), job_of(), PASSPHRASE) as kept,
        staged(tmp_path / "out", force=False) as partial,
    ):
        (tmp_path / "refs").write_bytes(b"somebody's")  # it came while the job ran
        finish(kept, partial)
    assert [path.name for path in files_in(tmp_path)] == ["refs"]
    assert (tmp_path / "refs").read_bytes() == b"somebody's" and not (tmp_path / "out").exists()


def test_an_output_that_fails_takes_them_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path) -> None:
        assert (tmp_path / "refs").exists()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(staging, "_sync_tree", full)
    with (
        pytest.raises(StageError, match="No space left"),
        keeping(settings_of(tmp_path), job_of(), PASSPHRASE) as kept,
        staged(tmp_path / "out", force=False) as partial,
    ):
        finish(kept, partial)
    assert files_in(tmp_path) == [] and not (tmp_path / "out").exists()


def test_a_signal_after_the_output_stands_leaves_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = staging.sync

    def interrupted(path: Path) -> None:
        real(path)
        if path == tmp_path:
            raise Interrupted("stopped")

    monkeypatch.setattr(staging, "sync", interrupted)
    with (
        pytest.raises(Interrupted),
        keeping(settings_of(tmp_path), job_of(), PASSPHRASE) as kept,
        staged(tmp_path / "out", force=False) as partial,
    ):
        finish(kept, partial)
    assert [path.name for path in files_in(tmp_path)] == ["evidence.json", "refs"]
    assert read_references(tmp_path / "refs", PASSPHRASE).statement_sha256 == sha256_bytes(b"{}")


def test_references_that_cannot_be_taken_away_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    with (
        pytest.raises(VaultError, match="could not be taken away: Operation not permitted") as caught,
        keeping(settings_of(tmp_path), job_of(), PASSPHRASE) as kept,
    ):
        finish(kept, tmp_path)
        monkeypatch.setattr(Path, "unlink", stuck)
        raise ValueError("a defect")
    assert "--keep-references" in caught.value.next_step


def test_a_passphrase_file_alone_is_a_mistake() -> None:
    values = {"originals": (Path("o"),), "released": (Path("r"),), "policy": "external", "out": Path("x")}
    values |= {"case_id": "c", "subject_tracks": (), "keypoints": ()}
    with pytest.raises(SettingsError, match="needs --keep-references"):
        make_audit_settings(**values, references_passphrase_file=Path("p"))
    assert isinstance(make_audit_settings(**values, keep_references=Path("k")), AuditSettings)


def test_a_state_that_is_none_is_no_ledger_of_ours() -> None:
    kept = references.VideoReferences(
        original=np.zeros((1, 128), np.float32), turns=np.zeros(1, np.int16), boxes=np.zeros((1, 4)),
        frame_of=np.zeros(1, np.int32), states=np.array([[1, 99, 0]], np.uint8),
    )  # fmt: skip
    with pytest.raises(EvidenceError, match="not known"):
        ledgers_of(kept, [0.0])
