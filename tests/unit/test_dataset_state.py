"""The journal outlives a kill at any byte, damage is refused, and what is done is known by content."""

from pathlib import Path

import pytest

from deid_audit.dataset.inputs import Digests
from deid_audit.dataset.manifest import read_manifest, settings_of
from deid_audit.dataset.state import JOURNAL, STEWARD, CheckHeld, Ended, Started, State, opened_state
from deid_audit.errors import DataSetError
from tests.unit.data_sets import write_set


def filled(out: Path) -> bytes:
    """A journal of two subjects, one of them done; its bytes."""
    with opened_state(out) as state:
        state.append(CheckHeld(inputs="aa"))
        one, two = state.case_of("Ada"), state.case_of("Bob")
        state.append(Started(case_id=one, inputs="11"))
        state.append(Ended(case_id=one, inputs="11", outcome="done", verdict="PASSED", statement_sha256="ab"))
        state.append(Started(case_id=two, inputs="22"))
    return (out / STEWARD / JOURNAL).read_bytes()


def said(state: State) -> tuple[object, ...]:
    return state.cases, state.started, state.ended, state.checked


def test_a_journal_cut_at_any_byte_is_read_up_to_its_last_whole_line_and_goes_on(tmp_path: Path) -> None:
    data = filled(tmp_path / "whole")
    path = tmp_path / "cut" / STEWARD / JOURNAL
    path.parent.mkdir(parents=True)
    seen = set()
    for end in range(len(data) + 1):
        path.write_bytes(data[:end])
        with opened_state(tmp_path / "cut") as state:
            lines = data[:end].count(b"\n")
            if lines:
                assert path.read_bytes() == data[: data[:end].rfind(b"\n") + 1]
                assert len(state.cases) == max(0, min(2, lines - 2)) and len(state.ended) == (lines >= 6)
            seen.add(lines)
            if end % 7:  # each append is forced to disk, which takes its time
                continue
            known = said(state)
            state.append(Ended(case_id="case-000000000000", inputs="33", outcome="broken", error="lost"))
        with opened_state(tmp_path / "cut") as again:
            assert again.ended.pop("case-000000000000").error == "lost"
            assert said(again) == (known[0], known[1], {k: v for k, v in known[2].items() if "0000" not in k}, known[3])
    assert seen == set(range(8))


def test_damage_before_the_last_line_is_refused(tmp_path: Path) -> None:
    data = filled(tmp_path)
    path = tmp_path / STEWARD / JOURNAL
    lines = data.splitlines(keepends=True)
    for number, bad in ((2, b'{"event": "check held"}\n'), (3, b"\x00\x01\n"), (1, lines[1])):
        path.write_bytes(b"".join([*lines[: number - 1], bad, *lines[number:]]))
        with pytest.raises(DataSetError, match=f"line {number}|lacks its beginning"), opened_state(tmp_path):
            pass


def test_a_case_id_says_nothing_of_the_name_and_stays(tmp_path: Path) -> None:
    ids = set()
    for out in ("a", "b"):
        for _ in range(2):
            with opened_state(tmp_path / out) as state:
                ids.add(state.case_of("Ada"))
    assert len(ids) == 2
    assert (tmp_path / "a" / STEWARD).stat().st_mode & 0o077 == 0


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    with opened_state(tmp_path), pytest.raises(DataSetError, match="another run"), opened_state(tmp_path):
        pass


def test_inputs_are_known_by_content_settings_and_policy_and_not_by_name(tmp_path: Path) -> None:
    def digest(key: bytes = b"k", more: str = "", policy: str = "release-face") -> str:
        path = write_set(tmp_path, ["Ada"], more=more, policy=policy)
        manifest = read_manifest(path)
        settings = settings_of(manifest, 1, folder=tmp_path, out=tmp_path / "out", case_id="case-1")
        return Digests(key).of_case(settings, "subject 1")

    first = digest()
    assert digest() == first
    assert len({first, digest(b"other"), digest(more="seed = 3"), digest(policy="release")}) == 4
    path = write_set(tmp_path, ["Ada"])
    (tmp_path / "Ada/a.mp4").rename(tmp_path / "Ada/b.mp4")
    (tmp_path / "donors/one.mp4").rename(tmp_path / "donors/two.mp4")
    path.write_text(path.read_text().replace("a.mp4", "b.mp4").replace("one.mp4", "two.mp4"))
    settings = settings_of(read_manifest(path), 1, folder=tmp_path, out=tmp_path / "elsewhere", case_id="case-2")
    assert Digests(b"k").of_case(settings, "subject 1") == first
    for changed in ("Ada/b.mp4", "donors/two.mp4"):
        before = (tmp_path / changed).read_bytes()
        (tmp_path / changed).write_bytes(before + b".")
        assert Digests(b"k").of_case(settings, "subject 1") != first
        (tmp_path / changed).write_bytes(before)
    (tmp_path / "Ada/b.mp4").unlink()
    with pytest.raises(DataSetError, match="subject 1: a file cannot be read"):
        Digests(b"k").of_case(settings, "subject 1")
