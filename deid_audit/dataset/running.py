"""`dataset run`: from the file to the set's package; may be stopped and started again at any moment.

The one place that shows the flow. OUT/steward has the journal, OUT/cases one folder a case, OUT/set what may leave.
"""

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deid_audit.dataset.case import DoCase, Order, do_case
from deid_audit.dataset.cluster import Needs, RayWorkers
from deid_audit.dataset.copying import package_place
from deid_audit.dataset.documents import CaseEnd, Ran
from deid_audit.dataset.driving import Workers, drive, left_to_do
from deid_audit.dataset.inputs import Digests
from deid_audit.dataset.local import LocalWorkers
from deid_audit.dataset.manifest import Manifest, read_manifest, settings_of, subject_words
from deid_audit.dataset.packaging import SIGNER
from deid_audit.dataset.showing import LineWatcher, Pace, TableWatcher
from deid_audit.dataset.state import CheckHeld, State, opened_state
from deid_audit.errors import DataSetError, SettingsError
from deid_audit.files import lies_in_output
from deid_audit.pipeline.staging import interruptible
from deid_audit.progress import Progress
from deid_audit.video.stores import url_of

if TYPE_CHECKING:
    from deid_audit.dataset.sighting import Look

CASES = "cases"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSettings:
    """What `dataset run` was asked for; `signer` is opened in every worker, so its secret must not be asked for."""

    manifest: Path
    out: Path
    workers: int = 1
    address: str | None = None
    needs: Needs = field(default_factory=Needs)
    signer: str | None = None
    passphrase_file: Path | None = None
    log: Path | None = None
    package_to: str | None = None


def workers_asked_for(do: DoCase, settings: SetSettings) -> Workers:
    """Ray's where an address was given, else processes of this machine."""
    if settings.address is None:
        return LocalWorkers(do, settings.workers)
    return RayWorkers(do, settings.address, settings.needs)


def run_set(
    settings: SetSettings,
    *,
    progress: Progress,
    do: DoCase = do_case,
    look: "Look | None" = None,
) -> Ran:
    """Every case that is not done yet, and what all of them came to.

    1. Read the file, digest every input.  2. Check the set, unless these very inputs were checked.  3. The cases.
    4. A look at what is released, across the set, and the set's package and statement, where anything changed.
    5. The package's copy, where a URL for it was given and no case is broken.

    Raises:
        DataSetError: the file cannot be taken, something has to be mended first, or another run is at work.
        Interrupted: by a signal; what was under way is destroyed, what was done stays, the same command goes on.
    """
    from deid_audit.certificate.signers import signer_unasked  # noqa: PLC0415  (heavy)

    manifest = read_manifest(settings.manifest)
    folder = settings.manifest.absolute().parent
    if url_of(settings.out) is not None:
        raise DataSetError(
            "--out of a data set cannot be at a URL: its journal is locked and added to line by line",
            next_step="give a folder of this machine; --package-to takes the URL that its folder `set` is copied to",
        )
    if lies_in_output(settings.manifest, settings.out):
        raise DataSetError("dataset.toml lies in --out", next_step="choose another --out")
    if settings.workers < 1:
        raise SettingsError("--workers must be 1 or more", next_step="leave it out for one")
    signer = signer_unasked(settings.signer, settings.passphrase_file)  # a key that cannot sign is found here
    with interruptible("cases that are done stay; the same command goes on"), opened_state(settings.out) as state:
        place = package_place(settings.package_to, state.begun.set_id) if settings.package_to is not None else None
        with progress.step("reading the inputs", len(manifest.subjects)) as step:
            orders = _orders(manifest, folder, settings, state, step.advance)
        inputs = Digests(state.key).of_set((one.inputs for one in orders), manifest.different_people)
        if state.checked != inputs:
            from deid_audit.dataset.checking import check  # noqa: PLC0415  (heavy; not for going on)

            found = check(settings.manifest, out=settings.out, progress=progress, look=look)
            if not found.ok:
                raise DataSetError(
                    f"{len(found.problems)} things have to be mended first: {found.problems[0]}",
                    next_step="deid-audit dataset check lists them all",
                )
            state.append(CheckHeld(inputs=inputs))
        left = left_to_do(orders, state)
        if left:
            with _watching(Pace(total=len(orders), before=len(orders) - len(left))) as watcher:
                drive(left, state, workers_asked_for(do, settings), watcher)
        from deid_audit.dataset.sealing import seal  # noqa: PLC0415  (heavy)

        package = seal(settings.out, manifest, orders, state, signer=signer, clock=_now, progress=progress, look=look)
        broken = sum(state.ended[one.case_id].outcome == "broken" for one in orders)
        copied_to = None if broken else settings.package_to
        if place is not None and broken:
            progress.say(f"{broken} cases are broken: the package is not copied")
        elif place is not None:
            progress.say(f"copying the package to {copied_to}")
            place.take(package)
        return _report(orders, state, settings.out, package, copied_to)


def _orders(
    manifest: Manifest, folder: Path, settings: SetSettings, state: State, advance: Callable[[], None]
) -> list[Order]:
    digests, orders = Digests(state.key), []
    for number, subject in enumerate(manifest.subjects, start=1):
        case_id = state.case_of(subject.name)
        case = settings_of(
            manifest,
            number,
            folder=folder,
            out=settings.out.absolute() / CASES / case_id,
            case_id=case_id,
            signer=settings.signer,
            passphrase_file=None if settings.passphrase_file is None else settings.passphrase_file.absolute(),
            log=None if settings.log is None else settings.log.absolute(),
        )
        label = subject_words(number)
        orders.append(Order(case_id=case_id, label=label, inputs=digests.of_case(case, label), settings=case))
        advance()
    return orders


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _watching(pace: Pace) -> LineWatcher | TableWatcher:
    return TableWatcher(pace) if sys.stderr.isatty() else LineWatcher(sys.stderr, pace)


def _report(orders: list[Order], state: State, out: Path, package: Path, copied_to: str | None) -> Ran:
    ends = []
    for number, order in enumerate(orders, start=1):
        ended = state.ended[order.case_id]
        ends.append(
            CaseEnd(
                subject=number,
                case_id=order.case_id,
                outcome=ended.outcome,
                verdict=ended.verdict or None,
                error=ended.error,
                message=ended.message,
                seconds=ended.seconds,
            )
        )
    check = f"deid-audit verify {shlex.quote(str(package))} --trust {shlex.quote(str(package / SIGNER))}"
    assert state.across is not None  # sealing looks across the set
    return Ran(
        set_id=state.begun.set_id,
        out=str(out),
        cases=tuple(ends),
        found=(state.across.identification.words, state.across.linkability.words),
        package=str(package),
        copied_to=copied_to,
        verify=check,
    )
