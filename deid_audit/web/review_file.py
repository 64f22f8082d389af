"""A reading of a finished OUT, from its file to its file: who may read what, and how an interrupted one goes on."""

from collections.abc import Callable, Sequence
from pathlib import Path

from deid_audit.digests import sha256_bytes
from deid_audit.errors import ReviewFileError, SettingsError
from deid_audit.files import lies_in_output
from deid_audit.pipeline.finished_out import FinishedOut, open_out
from deid_audit.pipeline.review_material import pending_of
from deid_audit.pipeline.staging import interruptible
from deid_audit.progress import Progress
from deid_audit.review.records import Reading, ReviewFile, Role, load_review, save_review
from deid_audit.web.reviewing import review_on_a_page


def read_out(
    out: Path,
    originals: Sequence[Path],
    *,
    role: Role,
    file: Path,
    progress: Progress,
    announce: Callable[[str], None],
) -> ReviewFile:
    """Has OUT read on a page; every change of the reading stands in `file` at once. Gives the file's content.

    Raises:
        SettingsError: `file` lies in OUT, which is sealed, or the originals are not those of the case.
        ReviewFileError: `file` is of another case, or the reading does not follow on what stands there.
        Interrupted: Ctrl-C or SIGTERM; what was decided stands in the file.
    """
    if lies_in_output(file, out):
        raise SettingsError(
            "the review file cannot stand in OUT: its folder is sealed by the statement",
            next_step="give another place with --to",
        )
    finished = open_out(out)
    review = _file_of(finished, file)
    draft = _draft(review, role)
    earlier = tuple(one for one in review.readings if one is not draft)
    _expect_turn(role, earlier)
    with interruptible(f"what was decided so far stands in {file.name}"):
        shown = tuple(one for one in earlier if role == "resolution")
        pending = pending_of(finished, originals, role=role, readings=shown, progress=progress)

        def keep(reading: Reading) -> None:
            nonlocal review
            review = review.model_copy(update={"readings": (*earlier, reading)})
            save_review(file, review)

        names = frozenset(one.reviewer for one in earlier if one.role != role)
        review_on_a_page(pending, announce=announce, can_reswap=False, draft=draft, keep=keep, not_by=names)
    return review


def _file_of(finished: FinishedOut, file: Path) -> ReviewFile:
    """The review that stands in the file, or a new one; ReviewFileError for one of something else."""
    case, statement_sha256 = finished.case, sha256_bytes(finished.statement)
    if not file.exists():
        return ReviewFile(
            case_id=case.case_id, statement_sha256=statement_sha256, ledger_sha256=case.ledger.sha256, readings=()
        )
    review = load_review(file)
    if (review.case_id, review.statement_sha256, review.ledger_sha256) != (
        case.case_id,
        statement_sha256,
        case.ledger.sha256,
    ):
        raise ReviewFileError(
            "the review file is about another job than this OUT", next_step="give another place with --to"
        )
    return review


def _draft(review: ReviewFile, role: Role) -> Reading | None:
    """The reading in this role that was begun and not finished."""
    return next((one for one in review.readings if one.role == role and one.finished_at is None), None)


def _expect_turn(role: Role, earlier: Sequence[Reading]) -> None:
    """ReviewFileError unless it is this reading's turn: the first, then the second, then the resolution."""
    done = [one.role for one in earlier if one.finished_at is not None]
    if any(one.role == role for one in earlier):
        raise ReviewFileError(
            f"the {role} reading is already finished", next_step="give another --role, or another file with --to"
        )
    before: dict[Role, tuple[Role, ...]] = {"first": (), "second": ("first",), "resolution": ("first", "second")}
    if missing := [one for one in before[role] if one not in done]:
        raise ReviewFileError(
            f"the {missing[0]} reading is not finished, and a {role} one follows it",
            next_step=f"finish it: --role {missing[0]}, with the same file",
        )
