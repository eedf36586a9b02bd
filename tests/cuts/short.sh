#!/usr/bin/env bash
# The fixed sweep of serin-cut, as ctest runs it: more than 100,000 distinct points, 1,000 of them with real cryptography, in a build
# without sanitizers. It prints its numbers, and fails where they are smaller.
#
#   short.sh ROOT BUILD      ROOT: the checkout; BUILD: a folder of its own
set -euo pipefail

root=$(cd "$1" && pwd)
. "$root/tests/cuts/plain.sh"
plain_build "$root" "$2"
exec "$2/bin/serin-cut" --short
