"""The words for outcomes, limits, verdicts, kinds of job and whose pictures were measured."""

from collections.abc import Mapping
from dataclasses import dataclass

from deid_audit.findings import Bound, JobKind, Of, Operator, Outcome

LIMIT_WORDS: Mapping[Operator, str] = {
    "above": "above",
    "below": "below",
    "at_least": "at least",
    "at_most": "at most",
}
BOUND_WORDS: Mapping[Bound, str] = {
    "value": "",
    "lower95": ", lower end of the interval",
    "upper95": ", upper end of the interval",
}
OF_WORDS: Mapping[Of, str] = {
    "swapped": "swapped",
    "masked": "masked",
    "blurred": "blurred",
    "pixelated": "pixelated",
    "reencoded": "null edit",
    "original": "original",
    "donor": "donor",
    "run": "this run",
}
REVIEW_ROLES = {"first": "First reading", "second": "Second reading", "resolution": "Resolution"}
REVIEW_KINDS = {
    "clear": "cleared",
    "conceal": "to be covered",
    "wrong_person": "another person's",
    "reswap": "to be swapped again",
}
TALLY_WORDS = {
    Outcome.PASSED: "Hold",
    Outcome.FAILED: "Do not hold",
    Outcome.INDETERMINATE: "Could not be judged",
    Outcome.NOT_APPLICABLE: "Do not apply",
}
OUTCOME_WORDS = {
    Outcome.PASSED: "holds",
    Outcome.FAILED: "does not hold",
    Outcome.INDETERMINATE: "not judged",
    Outcome.NOT_APPLICABLE: "does not apply",
}
ANSWER_WORDS = {
    Outcome.PASSED: "answered",
    Outcome.FAILED: "not accepted",
    Outcome.INDETERMINATE: "not answered",
}


@dataclass(frozen=True, slots=True)
class VerdictWords:
    """The verdict in large letters, and what it means for the files."""

    headline: str
    meaning: str
    files: str


VERDICT_WORDS = {
    Outcome.PASSED: VerdictWords(
        "PASSED",
        "Every rule of the policy that applies holds, and no answer it asks for is missing. Under this policy the "
        "files listed in this certificate may be released.",
        "Files that may be released",
    ),
    Outcome.FAILED: VerdictWords(
        "FAILED",
        "At least one rule of the policy does not hold, or an answer is not one it accepts. The videos are withheld: "
        "not released.",
        "Files withheld: not released",
    ),
    Outcome.INDETERMINATE: VerdictWords(
        "INDETERMINATE",
        "At least one rule of the policy could not be judged on these videos, or an answer it asks for is missing, and "
        "that is not a pass. The videos are withheld: not released.",
        "Files withheld: not released",
    ),
}


@dataclass(frozen=True, slots=True)
class KindWords:
    """What a certificate of a kind calls itself and its parts."""

    title: str
    destruction: str
    destruction_means: str
    method: str


KIND_WORDS: Mapping[JobKind, KindWords] = {
    "swap": KindWords(
        "Certificate of a face swap and of what it did to identity and movement",
        "Destruction of the model and of intermediate data",
        "Destroying the trained weights closes one route back to the original face, not all of them.",
        "How it was made",
    ),
    "conceal": KindWords(
        "Certificate of covered faces and of what that did to identity and movement",
        "Destruction of intermediate data",
        "No model was trained. A mask keeps nothing of the face; a blur or tiles this strong can be re-identified.",
        "How it was made",
    ),
    "audit": KindWords(
        "Certificate of an audit: what another tool did to identity and movement",
        "Destruction of what this audit itself kept",
        "This is about the audit's own data only. Another tool made the videos: whether it trained a model, and kept "
        "or destroyed it, is not known.",
        "How it was judged",
    ),
    "reviewed": KindWords(
        "Certificate of videos that people reviewed: what was done to identity and movement",
        "Destruction of what this audit itself kept",
        "This is about the audit's own data only. The videos are those of an earlier job: whether a model was trained, "
        "and that it was destroyed, stands in that job's certificate.",
        "How it was judged",
    ),
}
