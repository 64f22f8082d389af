"""The certificate's fixed words in one place: for another language, one more folder with these names.

Words with braces are filled by `str.format`. What is not here comes with the case and stands in the statement too:
titles of metrics, reasons, methods, what was not assessed. A board's questions stand in `certificate.questions`, what
is quoted for an answer in `certificate.quoting`.
"""

from deid_audit.certificate.strings.data_set import DATA_SET
from deid_audit.certificate.strings.pages import ANNEXES, FIVE_NUMBERS, TEXT
from deid_audit.certificate.strings.report import REPORT
from deid_audit.certificate.strings.tables import (
    ATTACKS,
    IDENTITY_COLUMNS,
    KEYPOINT_METHODS,
    KEYPOINT_PAIRS,
    KEYPOINT_ROWS,
    PART_COLUMNS,
    PARTS,
    TABLES,
)
from deid_audit.certificate.strings.words import (
    ANSWER_WORDS,
    BOUND_WORDS,
    KIND_WORDS,
    LIMIT_WORDS,
    OF_WORDS,
    OUTCOME_WORDS,
    REVIEW_KINDS,
    REVIEW_ROLES,
    TALLY_WORDS,
    VERDICT_WORDS,
    KindWords,
    VerdictWords,
)

__all__ = [
    "ANNEXES",
    "ANSWER_WORDS",
    "ATTACKS",
    "BOUND_WORDS",
    "DATA_SET",
    "FIVE_NUMBERS",
    "IDENTITY_COLUMNS",
    "KEYPOINT_METHODS",
    "KEYPOINT_PAIRS",
    "KEYPOINT_ROWS",
    "KIND_WORDS",
    "LIMIT_WORDS",
    "OF_WORDS",
    "OUTCOME_WORDS",
    "PARTS",
    "PART_COLUMNS",
    "REPORT",
    "REVIEW_KINDS",
    "REVIEW_ROLES",
    "TABLES",
    "TALLY_WORDS",
    "TEXT",
    "VERDICT_WORDS",
    "KindWords",
    "VerdictWords",
]
