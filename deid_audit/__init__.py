"""deid-audit: release exam videos of patients with a donor's face, and the signed evidence for it."""

import os

__version__ = "0.1.0"

# Threads that wait for each other spin. Where another program wants the same cores they spin through its turns: beside
# another training a step took 5 s instead of 0.2 (OpenMP), and posing a mean face seconds instead of 5 ms (OpenBLAS,
# which shares even a 2x2 system among all cores; no product here is large enough to gain by that). To be said before a
# library brings them; who has said something else keeps it. benchmarks/side_by_side.py measures both.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
