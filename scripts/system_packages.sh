#!/bin/sh
# Libraries that wheels cannot bring: pango for the certificate, libGL and glib for OpenCV, Python's venv.
# As root on Debian or Ubuntu it installs what is missing; otherwise it prints the exact command and stops.
# With "tests" also the programs that some tests run; without them those tests skip and say so.
set -eu
PATH=$PATH:/usr/sbin:/sbin
known=$(ldconfig -p 2>/dev/null || true)

has() { case $known in *"$1"*) return 0 ;; esac; return 1; }

required=""
has libpango-1.0.so.0 || required="$required libpango-1.0-0"
has libpangoft2-1.0.so.0 || required="$required libpangoft2-1.0-0"
has libGL.so.1 || required="$required libgl1"
if ! has libgthread-2.0.so.0; then
    # Ubuntu 24.04 renamed the package; where only the old name is known, the old name is right.
    if apt-cache show libglib2.0-0t64 >/dev/null 2>&1; then
        required="$required libglib2.0-0t64"
    else
        required="$required libglib2.0-0"
    fi
fi
"$(dirname "$0")/find_python.sh" >/dev/null 2>&1 || required="$required python3 python3-venv"

# WeasyPrint works without this one, with a slower way to embed fonts: wanted, but no reason to stop.
wanted=""
has libharfbuzz-subset.so.0 || wanted="libharfbuzz-subset0"

if [ "${1:-}" = tests ]; then
    command -v jq >/dev/null 2>&1 || wanted="$wanted jq"
    command -v softhsm2-util >/dev/null 2>&1 || wanted="$wanted softhsm2"
    command -v chromium >/dev/null 2>&1 || wanted="$wanted chromium"
fi

[ -n "$required$wanted" ] || exit 0
command="apt-get install -y --no-install-recommends$required${wanted:+ $wanted}"

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing system packages:$required${wanted:+ $wanted}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2 || true
    # shellcheck disable=SC2086  (a list of names on purpose)
    if apt-get install -y -qq --no-install-recommends $required $wanted >&2 </dev/null; then
        exit 0
    fi
    if [ -n "$required" ]; then
        # shellcheck disable=SC2086
        apt-get install -y -qq --no-install-recommends $required >&2 </dev/null && exit 0
    fi
fi
if [ -z "$required" ]; then
    echo "note: not installed, and done without: $wanted" >&2
    exit 0
fi
echo "deid-audit needs system libraries that are not installed. As root, run:" >&2
echo "    apt-get update && $command" >&2
echo "(other systems: pango, libGL and glib 2 under their own names), then run make again." >&2
exit 1
