"""What importing the package sets for the libraries that come after it."""

import json
import os
import subprocess
import sys

import pytest

SPIN, BLAS, POLICY = "GOMP_SPINCOUNT", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({}, {SPIN: "1000", BLAS: "1"}),
        ({SPIN: "7", BLAS: "2"}, {SPIN: "7", BLAS: "2"}),
        ({POLICY: "PASSIVE"}, {POLICY: "PASSIVE", BLAS: "1"}),
    ],
    ids=["nothing said", "numbers said", "a way said"],
)
def test_threads_do_not_spin_long_unless_the_user_says_so(said: dict[str, str], kept: dict[str, str]) -> None:
    names = (SPIN, BLAS, POLICY)
    environment = {name: value for name, value in os.environ.items() if name not in names}
    asked = (
        "import json, os, sys, deid_audit; assert not {'numpy', 'torch'} & set(sys.modules); "
        f"print(json.dumps({{name: os.environ[name] for name in {names} if name in os.environ}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], env=environment | said, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == kept
