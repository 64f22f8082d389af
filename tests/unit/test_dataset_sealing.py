"""The set's package: what leaves and what does not, its numbers by hand, and each check of `verify SET` failing."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bagit
import pypdf
import pytest
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.attestation import STATUS, attest
from deid_audit.certificate.trust import trust_of
from deid_audit.dataset import sealing
from deid_audit.dataset.case import Order
from deid_audit.dataset.documents import SetVerified
from deid_audit.dataset.manifest import Manifest, read_manifest, settings_of
from deid_audit.dataset.packaging import gather_case
from deid_audit.dataset.record import CaseEntry, DataSetRecord, build_set_statement, parse_set_statement
from deid_audit.dataset.sealing import seal
from deid_audit.dataset.sighting import Sighted
from deid_audit.dataset.state import opened_state
from deid_audit.dataset.summary import rule_summaries, set_bound, subgroups
from deid_audit.dataset.verifying import verify_set
from deid_audit.digests import sha256_file
from deid_audit.errors import EvidenceError
from deid_audit.evidence import build_statement
from deid_audit.findings import CaseRecord, Outcome
from deid_audit.policy import judge
from deid_audit.progress import SilentProgress
from deid_audit.status import withdrawal
from tests.fakes import make_measurements
from tests.schemas import assert_fits
from tests.unit.certificates import ISSUED, attested, certified_case, chair, one_page, signer
from tests.unit.data_sets import made_record, write_set
from tests.unit.releases import write_bag
from tests.unit.set_driver import look

NAMES = ["Ada", "Bob", "Cid", "Dan"]
OUTCOMES = [Outcome.PASSED, Outcome.PASSED, Outcome.FAILED, None]


def write_case(out: Path, case_id: str, outcome: Outcome) -> CaseRecord:
    """An output as a job leaves it, its certificate of one page."""
    out.mkdir(parents=True)
    case = certified_case(outcome).model_copy(update={"case_id": case_id})
    if outcome is Outcome.PASSED:
        case = case.model_copy(update={"outputs": write_bag(out / "release", case_id=case_id)})
    else:
        (out / "withheld").mkdir()
        (out / "withheld" / "secret.mp4").write_bytes(b"withheld")
    (out / "audit").mkdir()
    (out / "audit" / "why.txt").write_text("for the steward")
    statement = build_statement(case)
    (out / "evidence.json").write_bytes(statement)
    (out / "certificate.pdf").write_bytes(one_page(statement))
    (out / "attestation.dsse.json").write_bytes(attested(statement))
    (out / "signer.crt").write_bytes(signer().certificate_pem)
    return case


@dataclass(frozen=True)
class Sealed:
    """A sealed set and what seals it again."""

    package: Path
    again: Callable[[], Path]
    cases: list[str]
    manifest: Manifest
    looked: list[str]  # at what, in order

    def verified(self, by: Any = None) -> SetVerified:
        return verify_set(self.package, trust=trust_of([(by or signer()).certificate_pem]), today=ISSUED.date)

    def case(self, at: int) -> Path:
        return self.package / "data" / self.cases[at]

    def entry(self, at: int) -> CaseEntry:
        record = parse_set_statement((self.package / "dataset.json").read_bytes())
        return next(one for one in record.cases if one.case_id == self.cases[at])

    def fails(self, check: str) -> str:
        """That check is the first that fails, and the set does not hold; what it says."""
        found = self.verified()
        first = next(one for one in found.checks if one.status != "ok")
        assert (first.id, first.status, found.exit_code, found.ok) == (check, "failed", 1, False), found
        return first.detail


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sealed:
    """Two released cases, one withheld, one not made."""
    monkeypatch.setattr(sealing, "load_policy", lambda _: certified_case(Outcome.PASSED).policy)
    path = write_set(tmp_path, NAMES, of_subjects='sex = "F"')
    manifest, out, orders = read_manifest(path), tmp_path / "out", []
    with opened_state(out) as state:
        for number, (name, outcome) in enumerate(zip(NAMES, OUTCOMES, strict=True), start=1):
            case_id = state.case_of(name)
            settings = settings_of(manifest, number, folder=tmp_path, out=out / "cases" / case_id, case_id=case_id)
            orders.append(Order(case_id=case_id, label=f"subject {number}", inputs="1", settings=settings))
            if outcome is None:
                state.append(orders[-1].ended("refused", error="NotEnoughFaces", message="subject: 3 faces"))
                continue
            case = write_case(settings.out, case_id, outcome)
            papers = {
                "statement_sha256": sha256_file(settings.out / "evidence.json"),
                "certificate_sha256": sha256_file(settings.out / "certificate.pdf"),
            }
            state.append(orders[-1].ended("done", verdict=case.verdict.outcome.value, **papers))

    def again() -> Path:
        with opened_state(out) as state:
            return seal(
                out, manifest, orders, state, signer=signer(), clock=lambda: ISSUED, progress=SilentProgress(), look=eye
            )

    looked: list[str] = []

    def eye(path: Path, label: str, facts: object = None) -> Sighted:
        looked.append(label)
        return look(path, label)

    return Sealed(package=again(), again=again, cases=[one.case_id for one in orders], manifest=manifest, looked=looked)


def test_what_may_leave_is_in_the_package_and_it_holds(sealed: Sealed) -> None:
    found = sealed.verified()
    assert found.ok and [one.status for one in found.checks] == ["ok"] * 7, found
    assert (found.released, found.withheld, found.not_made) == (2, 1, 1)
    bagit.Bag(str(sealed.package)).validate()
    files = {path.relative_to(sealed.package).as_posix() for path in sealed.package.rglob("*") if path.is_file()}
    of_withheld = {name.split("/", 2)[2] for name in files if name.startswith(f"data/{sealed.cases[2]}/")}
    assert of_withheld == {"evidence.json", "attestation.dsse.json", "signer.crt"}
    assert not any(part in name for name in files for part in ("audit", "secret", "withheld"))
    said = b"".join((sealed.package / name).read_bytes() for name in files)
    assert not any(name.encode() in said for name in ("Bob", "Cid", "Dan"))
    record = parse_set_statement((sealed.package / "dataset.json").read_bytes())
    whys = {one.case_id: one.why for one in record.cases}
    assert whys[sealed.cases[3]] == ("NotEnoughFaces: subject: 3 faces",) and "0.5999" in whys[sealed.cases[2]][0]
    assert record.subgroups[0].too_small == 1 and record.subgroups[0].groups == ()
    assert_fits(json.loads((sealed.package / "dataset.json").read_bytes()))


def test_sealing_again_changes_nothing_until_a_case_does(sealed: Sealed) -> None:
    before = sealed.package.stat().st_ino
    assert sealed.again().stat().st_ino == before
    case = sealed.package.parent / "cases" / sealed.cases[0]
    (case / "status.dsse.json").write_text("{}")
    assert sealed.again().stat().st_ino != before
    assert "status file that cannot be taken" in sealed.entry(0).why[0]  # one that is there is never passed over


def test_only_what_is_released_is_looked_at_and_once_for_the_same_cases(sealed: Sealed) -> None:
    def record() -> DataSetRecord:
        """Without the digests of what is signed: no signature is like another."""
        found = parse_set_statement((sealed.package / "dataset.json").read_bytes())
        return found.model_copy(update={"manifests": ()})

    before = record()
    labels = [f"{one}, released video 1" for one in sealed.cases[:2]]
    assert sealed.looked == ["subject 1, video 1", labels[0], "subject 2, video 1", labels[1]]
    found = before.identification
    assert (found.looked_at, found.gallery, found.rate, found.unprotected_first) == (2, 2, None, 2)
    assert found.words in (sealed.package / "README.txt").read_text() and before.linkability.subjects == 0
    shutil.rmtree(sealed.package)
    sealed.again()
    assert len(sealed.looked) == 4 and record() == before  # another start says the same, without a look
    (sealed.package.parent / "cases" / sealed.cases[0] / "status.dsse.json").write_text("{}")
    sealed.again()
    assert sealed.looked[4:] == ["subject 2, video 1", labels[1]]
    assert (record().identification.looked_at, record().identification.chance) == (1, None)


def test_a_withdrawn_case_is_withheld_with_the_reason(sealed: Sealed) -> None:
    case = sealed.package.parent / "cases" / sealed.cases[0]
    digest = sha256_file(case / "evidence.json")

    def withdrawn(statement: str, by: Any) -> CaseEntry:
        said = withdrawal(
            case_id=sealed.cases[0],
            statement_sha256=statement,
            reason="consent was taken back",
            at=ISSUED,
            certificate=signer().certificate,
        )
        (case / "status.dsse.json").write_bytes(attest(said.payload(), [by], kind=STATUS))
        sealed.again()
        return sealed.entry(0)

    entry = withdrawn(digest, signer())
    assert (entry.outcome, entry.verdict, entry.withdrawn) == ("withheld", Outcome.PASSED, True)
    assert entry.why == ("withdrawn, as the status file beside its certificate says: consent was taken back",)
    assert {one.name for one in sealed.case(0).iterdir()} == {"evidence.json", "attestation.dsse.json", "signer.crt"}
    assert "1 cases are released, 2 withheld" in (sealed.package / "README.txt").read_text()
    pages = pypdf.PdfReader(sealed.package / "dataset.pdf").pages
    assert "consent was taken back" in " ".join(" ".join(one.extract_text() for one in pages).split())
    found = sealed.verified()
    assert found.ok and (found.released, found.withheld) == (1, 2), found
    assert "another certificate's statement" in withdrawn("ab" * 32, signer()).why[0]
    assert "signature does not fit" in withdrawn(digest, chair()).why[0]


@pytest.mark.parametrize("spoil", ["missing", "changed", "added"])
def test_a_release_that_is_not_as_its_statement_says_is_not_sealed(sealed: Sealed, spoil: str) -> None:
    case = sealed.package.parent / "cases" / sealed.cases[0]
    shutil.rmtree(sealed.package)
    video = case / "release" / "data" / f"{sealed.cases[0]}-01.mp4"
    if spoil == "missing":
        shutil.rmtree(case / "release")
    else:
        (video if spoil == "changed" else video.with_name("stray.mp4")).write_bytes(b"no film")
    with pytest.raises(EvidenceError, match=r"release/.* is not as its statement says"):
        sealed.again()
    assert not sealed.package.exists()


def test_what_the_statement_does_not_name_is_not_gathered(tmp_path: Path) -> None:
    case = write_case(tmp_path / "case", "case-0001", Outcome.PASSED)
    (tmp_path / "case" / "release" / "stray.mp4").write_bytes(b"a stray film")
    gather_case(tmp_path / "case", case, tmp_path / "out", released=True)
    assert (tmp_path / "out" / "release" / "bagit.txt").exists()
    assert not (tmp_path / "out" / "release" / "stray.mp4").exists()


def test_nobody_who_is_not_trusted_is_believed(sealed: Sealed) -> None:
    found = sealed.verified(chair())
    assert found.exit_code == 1
    assert [one.id for one in found.checks if one.status == "failed"] == ["set.trusted", "set.released"]


@pytest.mark.parametrize(
    ("check", "file", "said"),
    [
        ("set.files", "data/{0}/release/data/{0}-01.mp4", "changed"),
        ("set.files", "data/{2}/evidence.json", "changed"),
        ("set.files", "README.txt", "changed"),
        ("set.files", "dataset.pdf", "changed"),
        ("set.files", "manifest-sha256.txt", "not the one that the statement names"),
        ("set.statement", "dataset.json", "not JSON"),
        ("set.signed", "dataset.dsse.json", "not JSON"),
    ],
)
def test_a_changed_file_is_found(sealed: Sealed, check: str, file: str, said: str) -> None:
    path = sealed.package / file.format(*sealed.cases)
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data + b".")
    assert said in sealed.fails(check)


def resigned(sealed: Sealed, change: Callable[[DataSetRecord], DataSetRecord]) -> None:
    """The statement changed, and signed again by the trusted signer."""
    record = change(parse_set_statement((sealed.package / "dataset.json").read_bytes()))
    statement = build_set_statement(record)
    (sealed.package / "dataset.json").write_bytes(statement)
    (sealed.package / "dataset.dsse.json").write_bytes(attest(statement, [signer()]))


def test_a_file_or_case_that_is_missing_or_added_is_found(sealed: Sealed) -> None:
    (sealed.package / "README.txt").rename(sealed.package / "READ.txt")
    assert sealed.fails("set.files") == "README.txt missing; READ.txt added"
    (sealed.package / "READ.txt").rename(sealed.package / "README.txt")
    shutil.copytree(sealed.case(0), sealed.package / "data" / "case-more")
    assert "data/case-more/evidence.json added" in sealed.fails("set.files")
    shutil.rmtree(sealed.package / "data" / "case-more")

    def without_one(record: DataSetRecord) -> DataSetRecord:
        return record.model_copy(update={"cases": tuple(one for one in record.cases if one.case_id != sealed.cases[2])})

    resigned(sealed, without_one)
    assert sealed.fails("set.files") == f"{sealed.cases[2]}: a case that the statement does not name"


def test_numbers_that_do_not_follow_and_digests_of_others_are_found(sealed: Sealed) -> None:
    whole = (sealed.package / "dataset.json").read_bytes()

    def better(record: DataSetRecord) -> DataSetRecord:
        rule = record.rules[0].model_copy(update={"worst": 0.9})
        return record.model_copy(update={"rules": (rule, *record.rules[1:])})

    resigned(sealed, better)
    assert "do not follow" in sealed.fails("set.summary")
    (sealed.package / "dataset.json").write_bytes(whole)

    def other(field: str, outcome: str) -> Callable[[DataSetRecord], DataSetRecord]:
        def change(record: DataSetRecord) -> DataSetRecord:
            cases = [
                one.model_copy(update={field: "cd" * 32}) if one.outcome == outcome else one for one in record.cases
            ]
            return record.model_copy(update={"cases": tuple(cases)})

        return change

    resigned(sealed, other("certificate_sha256", "released"))
    assert "another certificate" in sealed.fails("set.released")
    (sealed.package / "dataset.json").write_bytes(whole)
    resigned(sealed, other("statement_sha256", "withheld"))
    assert "another statement" in sealed.fails("set.withheld")
    (sealed.package / "dataset.json").write_bytes(whole)
    resigned(sealed, lambda record: record.model_copy(update={"policy_sha256": "cd" * 32}))
    assert "another policy" in sealed.fails("set.released")


def test_the_command_walks_a_set(sealed: Sealed) -> None:
    words = ["verify", str(sealed.package), "--trust", str(sealed.package / "signer.crt")]
    found = CliRunner().invoke(build_app(), words)
    assert found.exit_code == 0, found.output
    assert found.output.splitlines()[-1].startswith("Authentic, from an issuer you trust: 2 cases are released")
    by_pages = CliRunner().invoke(build_app(), ["verify", str(sealed.package / "dataset.pdf"), *words[2:]])
    assert (by_pages.exit_code, by_pages.output) == (0, found.output)
    document = json.loads(CliRunner().invoke(build_app(), [*words, "--json"]).output)
    assert_fits(document)
    refused = CliRunner().invoke(build_app(), [*words, "--release", "x"])
    assert refused.exit_code == 2 and "--release" in refused.output


def test_an_output_that_was_changed_since_is_not_sealed(sealed: Sealed) -> None:
    (sealed.package.parent / "cases" / sealed.cases[0] / "evidence.json").write_bytes(b"{}")
    with pytest.raises(EvidenceError, match="changed since"):
        sealed.again()


# -- numbers by hand -------------------------------------------------------------------------------------------------


def cases_with(*values: float) -> list[CaseRecord]:
    """One case a value of the first rule, above 0.6; named in order."""
    base = certified_case(Outcome.PASSED)
    made = []
    for at, value in enumerate(values):
        rows = make_measurements(swapped={"identity.to_original.mean": value})
        verdict = judge(rows, base.policy)
        made.append(base.model_copy(update={"case_id": f"case-{at:02d}", "measurements": rows, "verdict": verdict}))
    return made


def test_worst_and_mean_by_hand() -> None:
    rule, below, *_ = rule_summaries(cases_with(0.7, 0.5, 0.9))
    assert (rule.subjects, rule.not_measured, rule.worst, rule.worst_case) == (3, 0, 0.5, "case-01")
    assert rule.mean == pytest.approx(0.7)
    assert below.op == "below" and below.worst == below.mean  # all alike


def test_the_bound_by_hand() -> None:
    none_missed = set_bound(cases_with(*[0.7] * 59), not_made=0)
    assert none_missed.upper95 == pytest.approx(0.0495, abs=1e-4)  # the rule of three: 3 / 59 is 0.051
    one_missed = set_bound(cases_with(0.5, *[0.7] * 9), not_made=0)
    assert one_missed.upper95 == pytest.approx(0.3942, abs=1e-4)  # Clopper-Pearson, 1 of 10, one-sided
    assert set_bound(cases_with(0.7, 0.7, 0.7), not_made=0).upper95 == pytest.approx(1 - 0.05 ** (1 / 3))
    assert set_bound(cases_with(0.5, 0.7), not_made=0).upper95 is None and set_bound([], not_made=0).upper95 is None


def test_the_bound_says_whom_it_leaves_out(sealed: Sealed) -> None:
    words = parse_set_statement((sealed.package / "dataset.json").read_bytes()).bound.words
    assert "1 of 3 subjects" in words and "1 more subjects are left out" in words
    assert "like these whose cases are made" in set_bound(cases_with(*[0.7] * 10), not_made=4).words


def test_groups_by_hand_and_none_that_is_small() -> None:
    cases = cases_with(*[0.7] * 10, *[0.8] * 8, 0.5, 0.5, *[0.9] * 3)
    sexes = {case.case_id: {"sex": "F" if at < 10 else "M"} for at, case in enumerate(cases[:20])}
    sexes |= {cases[20].case_id: {"sex": "X"}, cases[21].case_id: {"sex": "X"}}
    [table] = subgroups(cases, sexes)
    assert [(one.group, one.subjects, one.passed) for one in table.groups] == [("F", 10, 10), ("M", 10, 8)]
    assert (table.too_small, table.unknown, table.worst) == (1, 1, "M")
    assert table.groups[0].low95 == pytest.approx(0.05 ** (1 / 10))
    first = table.worst_by_rule[0]
    assert (first.metric, first.group, first.mean) == ("identity.to_original.mean", "F", pytest.approx(0.7))
    assert "X" not in table.model_dump_json()
    assert subgroups(cases, {}) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"verdict": Outcome.FAILED}, "released that did not pass"),
        ({"certificate_sha256": None}, "lacks a digest"),
        ({"case_id": "case-99"}, "out of order"),
        ({"outcome": "withheld"}, "lacks a reason"),
        ({"withdrawn": True}, "released that was withdrawn"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(changes: dict[str, Any], said: str) -> None:
    record = made_record()
    first, second = record.cases
    with pytest.raises(EvidenceError, match=said):
        build_set_statement(record.model_copy(update={"cases": (first.model_copy(update=changes), second)}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"looked_at": 1}, "not every released video"),
        ({"worst": made_record().identification.worst.model_copy(update={"case_id": "case-02"})}, "not released"),  # type: ignore[union-attr]
        ({"rate": 1.0}, "of too few subjects"),
    ],
)
def test_a_look_across_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    record = made_record()
    found = record.identification.model_copy(update=changes)
    with pytest.raises(EvidenceError, match=said):
        build_set_statement(record.model_copy(update={"identification": found}))


def test_a_group_that_is_too_small_is_refused() -> None:
    record = made_record()
    small = record.subgroups[0].groups[0].model_copy(update={"subjects": 9})
    table = record.subgroups[0].model_copy(update={"groups": (small,)})
    with pytest.raises(EvidenceError, match="smaller than it may be"):
        build_set_statement(record.model_copy(update={"subgroups": (table,)}))
