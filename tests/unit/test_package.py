"""What importing the package sets for the libraries that come after it."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("said", "kept"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "None")],
    ids=["nothing said", "a number said", "a way said"],
)
def test_threads_do_not_spin_long_unless_the_user_says_so(said: dict[str, str], kept: str) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name not in {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}
    }
    asked = "import os, sys, deid_audit; assert 'torch' not in sys.modules; print(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run(
        [sys.executable, "-c", asked], env=environment | said, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == kept
