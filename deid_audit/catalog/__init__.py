"""Every metric by name: unit, range, direction, source, and when it cannot be computed.

One table that measuring, policy loading, the certificate and the docs all read. A name, once shipped, is stable.
"""

from deid_audit.catalog import exam, identity, picture, viewers, voice, whole
from deid_audit.catalog.rows import Metric, Rows

__all__ = ["METRICS", "Metric"]


def _build() -> dict[str, Metric]:
    rows = Rows()
    for family in (identity, picture, exam, whole, voice, viewers):
        family.add_rows(rows)
    return rows.by_name


METRICS: dict[str, Metric] = _build()
