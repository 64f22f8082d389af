"""The set's certificate: a signed statement over all cases, in one package with what may leave.

Made anew whenever a case changed; where nothing did, the one that stands is left. The statement is JSON, signed;
dataset.pdf and README.txt say for people what stands in it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from deid_audit import __version__
from deid_audit.attestation import attest, check_signature
from deid_audit.certificate.keys import Signer, ephemeral_signer
from deid_audit.dataset.across import look_across
from deid_audit.dataset.case import Order
from deid_audit.dataset.manifest import COLUMNS, Manifest
from deid_audit.dataset.packaging import (
    SET_ATTESTATION,
    SET_STATEMENT,
    SIGNER,
    bag_faults,
    close_bag,
    gather_case,
)
from deid_audit.dataset.pages import set_pages
from deid_audit.dataset.record import CaseEntry, DataSetRecord, build_set_statement, parse_set_statement
from deid_audit.dataset.sighting import Look
from deid_audit.dataset.state import Ended, LookedAcross, State
from deid_audit.dataset.summary import NOT_ASSESSED, rule_summaries, set_bound, subgroups
from deid_audit.digests import sha256_bytes, sha256_file
from deid_audit.errors import DeidAuditError, EvidenceError, NotEnoughFaces, VideoAccessError, VideoError
from deid_audit.evidence import CERTIFICATE, STATEMENT_FILE, canonical, compare_files, parse_statement
from deid_audit.findings import CaseRecord, Outcome
from deid_audit.pipeline.bag import PAYLOAD
from deid_audit.pipeline.staging import staged
from deid_audit.pipeline.standing import read_status, require_same, status_beside
from deid_audit.policy import OPERATOR_WORDS, load_policy
from deid_audit.progress import Progress

SET = "set"
_SAID = (NotEnoughFaces.__name__, VideoError.__name__, VideoAccessError.__name__)  # errors whose words hold no path


def seal(
    out: Path,
    manifest: Manifest,
    orders: Sequence[Order],
    state: State,
    *,
    signer: Signer | None,
    clock: Callable[[], datetime],
    progress: Progress,
    look: Look | None = None,
) -> Path:
    """OUT/set, as all cases now are; without a signer a key is made on the spot. `look` is as in `dataset check`.

    Raises:
        EvidenceError: a case's output is not what was written down about it, or a released file not as stated.
    """
    target, issued_at = out / SET, clock()
    key = signer or ephemeral_signer(issued_at)
    cases = {one.case_id: _case_of(one, state.ended[one.case_id]) for one in orders}
    made = [case for _, case in sorted(cases.items()) if case is not None]
    entries = {one.case_id: _entry(one, state.ended[one.case_id], cases[one.case_id]) for one in orders}
    released = {name: case for name, case in cases.items() if case and entries[name].outcome == "released"}
    across = _across(orders, released, state, look, progress)
    policy = load_policy(orders[0].settings.policy)
    record = DataSetRecord(
        set_id=state.begun.set_id,
        title=manifest.title,
        tool_version=__version__,
        issued_at=issued_at.isoformat(),
        signer=key.info,
        policy_id=policy.id,
        policy_version=policy.version,
        policy_sha256=policy.sha256,
        manifests=(),
        cases=tuple(one for _, one in sorted(entries.items())),
        rules=rule_summaries(made),
        subgroups=subgroups(made, _groups_of(manifest, orders)),
        bound=set_bound(made, not_made=len(orders) - len(made)),
        identification=across.identification,
        linkability=across.linkability,
        not_assessed=NOT_ASSESSED,
    )
    if _stands(target, record, own_key=signer is None):
        return target
    with staged(target, force=True) as partial:
        (partial / PAYLOAD).mkdir()
        for order in orders:
            case = cases[order.case_id]
            if case is not None:
                leaves = order.case_id in released
                if leaves:
                    _expect_whole(order, case)
                gather_case(order.settings.out, case, partial / PAYLOAD / order.case_id, released=leaves)
        manifests = close_bag(
            partial,
            set_id=record.set_id,
            readme=readme_of(record),
            pages=set_pages(record, key, issued_at=issued_at),
            issued_at=record.issued_at,
        )
        statement = build_set_statement(record.model_copy(update={"manifests": manifests}))
        (partial / SET_STATEMENT).write_bytes(statement)
        (partial / SET_ATTESTATION).write_bytes(attest(statement, [key]))
        (partial / SIGNER).write_bytes(key.certificate_pem)
    return target


def readme_of(record: DataSetRecord) -> str:
    """The package in words, for people: what is in it, what is not, worst beside mean, and how to check it."""
    counts = record.counts
    lines = [
        f"deid-audit data set {record.set_id}",
        "",
        f"{counts['released']} cases are released, {counts['withheld']} withheld, {counts['not made']} not made "
        f"(policy {record.policy_id} {record.policy_version}).",
        record.bound.words,
        "",
        "Released cases stand in data/, each with its own certificate. Of a withheld case there are its numbers alone.",
        "This reduces the risk that subjects are recognised. It does not make the videos anonymous.",
        "",
        "Each rule, over all cases with a certificate: mean, worst subject, limit",
    ]
    for rule in record.rules:
        mean, worst = ("-" if one is None else f"{one:.4g}" for one in (rule.mean, rule.worst))
        lines.append(
            f"  {rule.metric} of {rule.of}: {mean}, {worst} ({rule.worst_case or '-'}), {OPERATOR_WORDS[rule.op]} "
            f"{rule.limit:g}; {rule.subjects} subjects, {rule.not_measured} without a value"
        )
    for table in record.subgroups:
        lines += ["", f"Groups by {table.column}: worst {table.worst or 'not told (n too small)'}"]
        lines += [f"  {one.group}: {one.passed} of {one.subjects} passed" for one in table.groups]
        lines.append(f"  {table.too_small} groups have fewer than 10 subjects: n too small; {table.unknown} unknown")
    lines += ["", "Not released:"]
    lines += [f"  {one.case_id} {one.outcome}: {'; '.join(one.why)}" for one in record.cases if one.why]
    lines += [
        "",
        record.identification.words,
        "",
        record.linkability.words,
        "",
        "Not assessed:",
        *(f"  {one}" for one in record.not_assessed),
    ]
    lines += ["", "Check all of it: deid-audit verify FOLDER --trust signer.crt", ""]
    return "\n".join(lines)


def _across(
    orders: Sequence[Order], released: Mapping[str, CaseRecord], state: State, look: Look | None, progress: Progress
) -> LookedAcross:
    """What a look at all released cases came to; once for the same cases, whose files are read before.

    Raises:
        DeidAuditError: a released file is not as stated, or an original cannot be read any more.
    """
    mine = [order for order in orders if order.case_id in released]
    told = [[one.case_id, one.inputs, state.ended[one.case_id].statement_sha256] for one in mine]
    digest = sha256_bytes(canonical({"tool": __version__, "cases": told}))
    if state.across is None or state.across.released != digest:
        for order in mine:
            _expect_whole(order, released[order.case_id])
        identification, linkability = look_across(mine, released, look=look, progress=progress)
        state.append(LookedAcross(released=digest, identification=identification, linkability=linkability))
    assert state.across is not None
    return state.across


def _case_of(order: Order, ended: Ended) -> CaseRecord | None:
    if ended.outcome != "done":
        return None
    data = (order.settings.out / STATEMENT_FILE).read_bytes()
    if sha256_bytes(data) != ended.statement_sha256:
        raise EvidenceError(f"{order.case_id}: its statement was changed since", next_step="run the set again")
    return parse_statement(data)


def _expect_whole(order: Order, case: CaseRecord) -> None:
    """EvidenceError where a released file is not as the case's statement says: nothing is signed that was not read."""
    for problem in compare_files(case, order.settings.out / case.outputs_folder):
        raise EvidenceError(
            f"{order.case_id}: {case.outputs_folder}/{problem.name} is not as its statement says: {problem.detail}",
            next_step="run the set again",
        )


def _fallen(order: Order, case: CaseRecord, statement_sha256: str) -> str:
    """Why a case that passed does not leave: what its status file says; empty where it has none.

    One that cannot be taken holds the case back all the same. Who may withdraw is not asked: holding back harms nobody.
    """
    path = status_beside(order.settings.out / CERTIFICATE)
    if path is None:
        return ""
    try:
        status = read_status(path)
        require_same(status, case_id=case.case_id, statement_sha256=statement_sha256)
        if not check_signature(status.envelope, status.withdrawal.certificate):
            raise EvidenceError("its signature does not fit")
    except DeidAuditError as error:
        return f"a status file that cannot be taken stands beside its certificate: {error}"
    return f"withdrawn, as the status file beside its certificate says: {status.withdrawal.reason}"


def _entry(order: Order, ended: Ended, case: CaseRecord | None) -> CaseEntry:
    if case is None:
        why = f"{ended.error}: {ended.message}" if ended.error in _SAID else ended.error
        return CaseEntry(
            case_id=order.case_id, outcome="not made", verdict=None, statement_sha256=None, certificate_sha256=None,
            signer_sha256=None, videos=0, withdrawn=False, why=(why,),
        )  # fmt: skip
    passed = case.verdict.outcome is Outcome.PASSED
    missed = (Outcome.FAILED, Outcome.INDETERMINATE)
    unmet = [one.reason for one in case.verdict.findings if one.outcome in missed]
    unmet += [one.reason for one in case.verdict.answers if one.outcome in missed]
    fallen = _fallen(order, case, ended.statement_sha256)
    if fallen:
        unmet.append(fallen)
    return CaseEntry(
        case_id=order.case_id,
        outcome="released" if passed and not fallen else "withheld",
        verdict=case.verdict.outcome,
        statement_sha256=ended.statement_sha256,
        certificate_sha256=sha256_file(order.settings.out / CERTIFICATE),  # as it is now: a chair may have decided
        signer_sha256=case.signer.fingerprint_sha256,
        videos=len(case.rendered),
        withdrawn=bool(fallen),
        why=() if passed and not fallen else tuple(unmet) or ("no rule was measured",),
    )


def _groups_of(manifest: Manifest, orders: Sequence[Order]) -> dict[str, dict[str, str]]:
    said = {}
    for subject, order in zip(manifest.subjects, orders, strict=True):
        row = {column: getattr(subject, column) for column in COLUMNS}
        said[order.case_id] = {column: text for column, text in row.items() if text is not None}
    return said


def _stands(target: Path, record: DataSetRecord, *, own_key: bool) -> bool:
    """Whether the package there says the same but for its time, and the key where that is made on the spot."""
    try:
        before = parse_set_statement((target / SET_STATEMENT).read_bytes())
    except (OSError, DeidAuditError):
        return False
    same = {"issued_at": record.issued_at, "manifests": ()} | ({"signer": record.signer} if own_key else {})
    return before.model_copy(update=same) == record and not bag_faults(target, before.manifests)
