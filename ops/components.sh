#!/bin/sh
# Install the real components that tests start, where they are missing and this is root on Debian. Best effort: what
# cannot be installed is told with the reason, and the tests that need it are skipped (in CI: fail).
set -u

missing=
need() { # need COMMAND PACKAGE...
    command -v "$1" >/dev/null 2>&1 || { shift; missing="$missing $*"; }
}

need setpriv util-linux
need chromium chromium fonts-dejavu-core
[ -x /usr/lib/postgresql/15/bin/postgres ] || missing="$missing postgresql-15"

[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Not installed:$missing (needs root on Debian). Tests that need them are skipped." >&2
    exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
echo "Installing for the tests:$missing …" >&2
apt-get update -q >"$log" 2>&1 || { echo "apt-get update failed:" >&2; tail -n 5 "$log" >&2; }
for package in $missing; do
    # Debian's PostgreSQL makes and starts a cluster on installation; tests make their own.
    apt-get install -q -y --no-install-recommends "$package" >"$log" 2>&1 || {
        echo "Could not install $package; tests that need it are skipped:" >&2
        tail -n 5 "$log" >&2
    }
done
exit 0
