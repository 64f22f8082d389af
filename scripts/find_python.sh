#!/bin/sh
# Prints a Python that can run deid-audit (3.11 or 3.12, with venv), or says what to do. $PYTHON goes first.
for candidate in ${PYTHON:-} python3.11 python3.12 python3 /usr/bin/python3; do
    if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
        command -v "$candidate"
        exit 0
    fi
done
cat >&2 <<'TEXT'
deid-audit needs Python 3.11 or 3.12 with its venv module, and none was found.
  Debian 12 and Ubuntu 24.04:  apt-get install python3 python3-venv
  elsewhere:                   install Python 3.12 and run  make PYTHON=/path/to/python3.12
(MediaPipe 0.10.21 and NumPy 1.26 have no packages for later versions.)
TEXT
exit 1
