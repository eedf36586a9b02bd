#!/usr/bin/env bash
# lint.cppcheck: warnings, performance and portability over everything but tests and generated code.
set -euo pipefail
root=$1 build=$2
cache=$build/cppcheck
mkdir -p "$cache"
# What is suppressed, and why: headers of libraries are not ours to judge, and unknown macros of theirs neither; the
# ops tables make functions look as if they could take const.
cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr --std=c11 -j 2 \
    --cppcheck-build-dir="$cache" --suppress=missingIncludeSystem --suppress=unknownMacro \
    --suppress="*:*.pb-c.*" --suppress="*:/usr/include/*" \
    -I "$root/core/include" -I "$root/device/include" -I "$root/orchestrator/include" -I "$root/host/include" -I "$root/gateway/include" -I "$root/sim/include" \
    "$root"/core "$root"/device "$root"/orchestrator "$root"/broker-plugin "$root"/host "$root"/adapters "$root"/gateway "$root"/sim "$root"/cli
echo "cppcheck: quiet"
