"""deid-audit: release exam videos of patients with a donor's face, and the signed evidence for it."""

import os

__version__ = "0.1.0"

# OpenMP's threads wait for each other by spinning. Where another program wants the same cores they spin through its
# turns: a training beside another one made a step in 5 s instead of 0.2 (benchmarks/side_by_side.py). To be said
# before a library brings OpenMP; who has said something about it keeps it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
