#!/usr/bin/env bash
# lint.house: house.py on the tree and its link graph. A sanitized build has symbols of its own, so the pure libraries
# are built plain, on the side, for the symbol check.
set -euo pipefail
root=$1 build=$2
here=$(dirname "$0")
symbols=$build
if [ "${3-}" != --symbols ]; then
    symbols=$build/lint-symbols
    cmake -S "$root" -B "$symbols" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        "-DSERIN_PARTS=core;proto;host;adapters;device;orchestrator;broker-plugin;gateway" >/dev/null
    for target in serin_core serin_device serin_orchestrator_core serin_plugin_core; do
        cmake --build "$symbols" --target "$target" >/dev/null
    done
fi
exec python3 "$here/house.py" --root "$root" --build "$build" --symbols "$symbols"
