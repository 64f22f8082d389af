"""A stand-in for a case, for tests of who hands cases out: it sleeps, and leaves the statement that it was told to.

What the subject's file says decides: `PASSED`, `FAILED`, `INDETERMINATE`, `NotEnoughFaces`, `StageError` or `die`, and
after it how long it takes. Every start leaves a mark in the folder `starts`. Imports nothing heavy: every worker loads
this file.
"""

import os
import signal
import time

from deid_audit.dataset.case import Order
from deid_audit.dataset.state import Ended
from deid_audit.digests import sha256_bytes
from deid_audit.evidence import build_statement
from deid_audit.findings import Outcome
from deid_audit.pipeline.staging import interruptible, staged
from deid_audit.policy import judge
from tests.fakes import make_case, make_measurements, make_policy

_VALUES: dict[str, float | None] = {"PASSED": 0.7, "FAILED": 0.5, "INDETERMINATE": None}


def do_standin(order: Order) -> Ended:
    """Does what the subject's video says, as `do_case` would end."""
    told, seconds = order.settings.subjects[0].read_text().split()
    starts = order.settings.out.parent.parent / "starts"
    starts.mkdir(exist_ok=True)
    (starts / f"{order.case_id}-{os.getpid()}").touch()
    if told == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if told not in _VALUES:
        time.sleep(float(seconds))
        outcome = "refused" if told == "NotEnoughFaces" else "broken"
        return order.ended(outcome, error=told, message="as it was told")
    with interruptible(), staged(order.settings.out, force=True) as partial:
        time.sleep(float(seconds))
        case = make_case()
        told_files = {one.name: one.name.encode() for one in case.outputs}
        outputs = tuple(
            one.model_copy(update={"sha256": sha256_bytes(data), "size_bytes": len(data)})
            for one, data in zip(case.outputs, told_files.values(), strict=True)
        )
        statement = statement_of(order.case_id, Outcome(told), outputs=outputs)
        for name, data in told_files.items():
            path = partial / ("release" if told == "PASSED" else "withheld") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (partial / "evidence.json").write_bytes(statement)
        (partial / "certificate.pdf").write_bytes(b"%PDF " + statement)
        for paper in ("attestation.dsse.json", "signer.crt"):
            (partial / paper).write_text("of a stand-in")
    return order.ended(
        "done",
        verdict=told,
        statement_sha256=sha256_bytes(statement),
        certificate_sha256=sha256_bytes(b"%PDF " + statement),
        seconds=float(seconds),
    )


def statement_of(case_id: str, outcome: Outcome, **changes: object) -> bytes:
    """A statement with this verdict."""
    policy = make_policy()
    rows = make_measurements(swapped={"identity.to_original.mean": _VALUES[outcome.value]})
    verdict = judge(rows, policy)
    assert verdict.outcome is outcome
    folder = "release" if outcome is Outcome.PASSED else "withheld"
    case = make_case(policy=policy, measurements=rows, verdict=verdict, outputs_folder=folder)
    return build_statement(case.model_copy(update={"case_id": case_id, **changes}))
