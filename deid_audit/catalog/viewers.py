"""Metrics of recognition by people: viewers beside released clips and line-ups, in a test after the release."""

from deid_audit.catalog.rows import Rows

_TEST = "a motivated-intruder test (deid-audit viewer-test)"
_NOT_DONE = "no test was made of these files, or nobody of the group answered everything"


def add_rows(rows: Rows) -> None:
    """Adds these metrics to the catalogue."""
    for group, who in (("unfamiliar", "do not know"), ("familiar", "know")):
        rows.add(
            f"viewers.{group}_count", f"viewers who {who} the subject", "viewers", 0, None, True, _TEST,
            "no test was made", "a count, not a sample",
        )  # fmt: skip
        rows.add(
            f"viewers.{group}_rank1",
            f"share of line-ups with the subject in which viewers who {who} them rank them first",
            "", 0, 1, False, f"{_TEST}; by chance 1 in as many as there are pictures", _NOT_DONE,
        )  # fmt: skip
        rows.add(
            f"viewers.{group}_mean_rank",
            f"mean rank of the subject among the pictures, by viewers who {who} them",
            "", 1, None, True, f"{_TEST}; by chance the middle of the ranks", _NOT_DONE,
        )  # fmt: skip
    rows.add(
        "viewers.control_rank1",
        "control: share of viewers who find the person of a clip in which nothing is hidden",
        "", 0, 1, True, _TEST, "no test was made, or it had no control",
    )  # fmt: skip
