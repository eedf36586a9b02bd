#!/usr/bin/env bash
# lint.house: house.py on the tree, its link graph and the symbols of its pure libraries. Both come from a plain build on the
# side: the file API answers only where its query stood before configuring, and sanitizers bring symbols of their own.
set -euo pipefail
root=$1 side=$2/lint-house
mkdir -p "$side/.cmake/api/v1/query"
touch "$side/.cmake/api/v1/query/codemodel-v2"
cmake -S "$root" -B "$side" -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$side" --target serin_core serin_device serin_gateway_core serin_orchestrator_core serin_plugin_core >/dev/null
exec python3 "$(dirname "$0")/house.py" --root "$root" --build "$side" --symbols "$side"
