"""Same input, seed and steps, two runs on a CPU: the same statement but for what is listed here, and the same films.

The second run has another time zone, hash seed, language and screen. What the list names is random on purpose (keys,
and what they make), a time, or a measured duration; everything else, every measured number among it, must be equal.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deid_audit.vault.checks import Check
from deid_audit.vault.child import CHILD_GONE
from tests.e2e.short_clips import SENTINEL
from tests.e2e.typed import easily_released
from tests.reissuing import unsigned_again
from tests.schemas import document_in

pytestmark = pytest.mark.e2e
_ANOTHER = {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "LC_ALL": "C.UTF-8", "LANG": "tr_TR.UTF-8", "COLUMNS": "40"}
_TEXTS_WITH_A_TIME = r"\[(data/ro-crate-metadata\.json|bag-info\.txt|manifest-sha256\.txt|tagmanifest-sha256\.txt)\]"

# Random in every run: these must differ. Of a list of named things an entry is called by its name.
RANDOM = (
    r"predicate\.signer\.fingerprint_sha256",  # a key made on the spot
    r"predicate\.(originals|donors)\.\[[\w ]+\]\.keyed_digest",  # named by a key that stays with the steward
    r"predicate\.erasure\.key_id",
    r"predicate\.erasure\.artefacts\.\d+\.(ciphertext_sha256|header_hex)",
    r"predicate\.log_checkpoint",
)
# Times, the digests of texts that hold one, how much was searched, a process's number: these may differ.
TIMES = (
    r"predicate\.issued_at",
    r"predicate\.signer\.not_after",
    r"predicate\.erasure\.(created_at|destroyed_at)",
    r"predicate\.stages\.\[[\w' ]+\]\.seconds",
    r"predicate\.stages\.\[swap\]\.settings\.training_seconds",
    r"predicate\.profile\.\[[\w ]+\](\.parts\.\d+)?\.(part|seconds)",  # the longest part first
    r"predicate\.stages\.\[residue\]\.settings\.independent_search_s",
    r"predicate\.stages\.\[audit of the audit\]\.settings\.known_faces_s",
    rf"predicate\.outputs\.{_TEXTS_WITH_A_TIME}\.sha256",
    rf"predicate\.erasure\.checks\.\[{re.escape(Check.NO_KEY_COPY)}\]\.observed",  # how much memory was searched
    rf"predicate\.erasure\.checks\.\[{re.escape(CHILD_GONE)}\]\.observed",  # the number of the process
    rf"subject\.{_TEXTS_WITH_A_TIME}\.digest\.sha256",
)


def differences(first: Any, second: Any, path: str = "") -> Iterator[str]:
    """Paths of what is not equal, key by key; 1 and 1.0 are not equal, either."""
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for at, pair in enumerate(zip(first, second, strict=True)):
            yield from differences(*pair, f"{path}.{_named(pair[0], at)}")
    elif isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        for key in first:
            yield from differences(first[key], second[key], f"{path}.{key}")
    elif json.dumps(first) != json.dumps(second):
        yield path.removeprefix(".")


def _named(entry: Any, at: int) -> str:
    names = (
        [entry[key] for key in ("name", "label", "stage", "check") if key in entry] if isinstance(entry, dict) else []
    )
    return f"[{names[0]}]" if names else str(at)


def without_numbers(value: Any) -> str:
    return re.sub(r"\d+", "N", json.dumps(value))


def unexpected(first: Any, second: Any) -> list[str]:
    """What differs and is not on the list, or is random and does not differ."""
    found = list(differences(first, second))
    new = [path for path in found if not any(re.fullmatch(one, path) for one in (*RANDOM, *TIMES))]
    return new + [one for one in RANDOM if not any(re.fullmatch(one, path) for path in found)]


@pytest.fixture(scope="module")
def again(named_clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """OUT of the same run once more, in other surroundings."""
    folder = tmp_path_factory.mktemp("again")
    done = easily_released(named_clips, folder, **_ANOTHER)
    assert done.returncode == 0, done.stderr
    assert SENTINEL not in done.stdout + done.stderr
    return folder / "out", document_in(done.stdout)


def statement_of(out: Path) -> Any:
    return document_in((out / "evidence.json").read_text(encoding="utf-8"))


def test_the_statements_differ_in_what_is_listed_and_in_nothing_else(
    released: tuple[Path, dict[str, Any]], again: tuple[Path, dict[str, Any]]
) -> None:
    first, second = (statement_of(out) for out, _ in (released, again))
    assert unexpected(first, second) == []
    memory = (without_numbers(one["predicate"]["erasure"]["checks"]) for one in (first, second))
    assert next(memory) == next(memory)


def test_films_measurements_ledger_and_figures_are_the_same_bytes(
    released: tuple[Path, dict[str, Any]], again: tuple[Path, dict[str, Any]]
) -> None:
    first, second = (
        {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        for out in (released[0], again[0])
    )
    assert first.keys() == second.keys()
    same = {name for name in first if first[name] == second[name]}
    films = {name for name in first if name.endswith(".mp4")}
    figures = {name for name in first if name.startswith("audit/figures/")}
    assert films and figures and films | figures <= same
    assert {"audit/frames.csv", "audit/measurements.csv", "audit/training.csv"} <= same
    with_times_or_keys = {"evidence.json", "certificate.pdf", "attestation.dsse.json", "signer.crt", "audit/run.log"}
    with_times_or_keys |= {"audit/report.html"}
    with_times_or_keys |= {"audit/originals.key", "release/data/ro-crate-metadata.json", "release/bag-info.txt"}
    with_times_or_keys |= {"release/manifest-sha256.txt", "release/tagmanifest-sha256.txt"}
    assert first.keys() - same <= with_times_or_keys


def test_the_certificate_that_was_signed_can_be_made_again_from_statement_and_audit_folder(
    released: tuple[Path, dict[str, Any]],
) -> None:
    """A signature is added behind the bytes that were laid out; here another process lays them out."""
    assert (released[0] / "certificate.pdf").read_bytes().startswith(unsigned_again(released[0]))


@pytest.mark.parametrize("place", ["measurements", "outputs", "stages", "environment", "figures"])
def test_a_difference_that_is_not_listed_would_be_seen(released: tuple[Path, dict[str, Any]], place: str) -> None:
    first, second = statement_of(released[0]), statement_of(released[0])
    predicate = second["predicate"]
    if place == "measurements":
        row = next(one for one in predicate[place] if isinstance(one["value"], float))
        row["value"] += 1e-12
    elif place == "outputs":
        next(one for one in predicate[place] if one["role"] == "video")["sha256"] = "0" * 64
    elif place == "stages":
        predicate[place].pop()
    elif place == "environment":
        predicate[place]["threads"] = "99"
    else:
        predicate[place][0]["caption"] += "."
    assert [one for one in unexpected(first, second) if one not in RANDOM]
    assert set(RANDOM) <= set(unexpected(first, second)), "what is random must differ"
