"""What C++ prints on file descriptor 2 stays off the terminal, Python's own messages do not; tried in a new process."""

import subprocess
import sys

SCRIPT = """
import os, sys
from deid_audit.vision.native_output import silence_native_stderr
os.write(2, b"native before\\n")
silence_native_stderr()
silence_native_stderr()
os.write(2, b"native after\\n")
print("python after", file=sys.stderr)
print("on stdout")
raise SystemExit("goodbye from python")
"""


def test_native_messages_are_silenced_and_pythons_are_not() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr.splitlines() == ["native before", "python after", "goodbye from python"]
    assert done.stdout == "on stdout\n"
    assert done.returncode == 1
