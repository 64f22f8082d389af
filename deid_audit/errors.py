"""The exception tree: what a user can cause, with the exit code and the next step.

    DeidAuditError (exit 1)
    +-- SettingsError (2)       an option, an output folder, donor equals subject
    +-- PolicyFileError (2)     a policy file that does not say what it must
    +-- ContextFileError (2)    a steward's answers that cannot be taken
    +-- ReviewFileError (2)     a review that cannot be taken, or is about something else
    +-- TableFileError (2)      a table of action units or ratings that cannot be taken
    +-- DataSetError (2)        a data set's file or folder that cannot be taken
    +-- VideoError (1)          a video that cannot be read or written
    |   +-- VideoAccessError    its file or store cannot be got at now
    +-- PackError (1)           a donor's pack that cannot be read, or does not hold
    +-- StageError (1)          a stage that could not do its work
    |   +-- NotEnoughFaces (3)  the videos do not carry what the stage needs
    |   +-- NotCovered (3)      a face was left over, so nothing is given out
    +-- VaultError (1)          encryption or destruction of artefacts
    +-- LogError (1)            a log that cannot be written, or does not hold
    +-- EvidenceError (1)       a statement that does not hold
    +-- SignatureError (1)      a key, certificate or signature that does not hold
    +-- Interrupted (130, 143)  Ctrl-C or SIGTERM

A message says what was wrong, what was found and what was expected; `next_step` says what to do. No message
holds an input path or a tag value, except in what the command line itself echoes (SettingsError).

Anything else is a defect, also in a process of ours (DefectElsewhere).
"""

import traceback
from pathlib import Path


class DeidAuditError(Exception):
    """Base of everything deid-audit raises on purpose.

    Attributes:
        next_step: One sentence that tells the user what to do now; may be empty.
        exit_code: The process's exit status when this error ends a command.
    """

    exit_code = 1

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


class SettingsError(DeidAuditError):
    """An option or a combination of inputs that cannot be used."""

    exit_code = 2


class PolicyFileError(DeidAuditError):
    """A policy file that is not a policy; names the file and the key."""

    exit_code = 2


class TableFileError(DeidAuditError):
    """A table of action units or of ratings that cannot be taken; names row and column, never a value."""

    exit_code = 2


class DataSetError(DeidAuditError):
    """A data set's file or folder that cannot be taken; names a subject by its number, never by its name."""

    exit_code = 2


class ContextFileError(DeidAuditError):
    """A file with a steward's answers that cannot be taken; names the answer, never repeats it."""

    exit_code = 2


class ReviewFileError(DeidAuditError):
    """A review that cannot be read or written, or that is about something else; never repeats a name or a note."""

    exit_code = 2


class VideoError(DeidAuditError):
    """A video that cannot be read, or that could not be written exactly."""


class VideoAccessError(VideoError):
    """A video's file that cannot be got at now: absent, closed, changing, a full disk, a store that gives no answer."""


class PackError(DeidAuditError):
    """A donor's pack that is damaged, of another version, or no pack at all."""


class StageError(DeidAuditError):
    """A stage that could not do its work."""


class NotEnoughFaces(StageError):
    """The videos do not carry enough of the subject's or the donor's face; nothing can be released."""

    exit_code = 3


class NotCovered(StageError):
    """A written video still shows a face; it is not given out."""

    exit_code = 3


class VaultError(DeidAuditError):
    """An artefact that could not be encrypted, read back or destroyed."""


class LogError(DeidAuditError):
    """A log, checkpoint or proof that cannot be read or written, or that does not hold."""


class EvidenceError(DeidAuditError):
    """A statement that is malformed or does not match the files beside it."""


class SignatureError(DeidAuditError):
    """A key file, certificate or signature that cannot be used or does not hold."""


class NotToBeApproved(SignatureError):
    """An authentic certificate whose release nobody can approve: its verdict, its stated validity, or a withdrawal."""

    exit_code = 3


class Interrupted(DeidAuditError):
    """The run was stopped by Ctrl-C (130) or SIGTERM (143)."""

    def __init__(self, message: str, *, exit_code: int = 130) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class DefectElsewhere(Exception):
    """A defect that showed in another process of ours: as text its traceback there.

    Attributes:
        words: What `describe_defect` said of it there.
    """

    def __init__(self, words: str, trace: str) -> None:
        super().__init__(trace)
        self.words = words


def describe_defect(defect: BaseException) -> str:
    """The kind of a defect and the line of this package it came from; not its text, which may name an input."""
    if isinstance(defect, DefectElsewhere):
        return defect.words
    package = Path(__file__).resolve().parent
    own = [frame for frame in traceback.extract_tb(defect.__traceback__) if package in Path(frame.filename).parents]
    where = ""
    if own:
        where = f" in {Path(own[-1].filename).relative_to(package.parent)}, line {own[-1].lineno}"
    system = f" ({defect.strerror})" if isinstance(defect, OSError) and defect.strerror else ""
    return f"{type(defect).__name__}{system}{where}"
