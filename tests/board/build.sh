#!/usr/bin/env bash
# board.build: preset `mcu` into a folder of its own, for the tests beside this one.
#
#   build.sh SOURCE_ROOT BUILD_FOLDER
set -euo pipefail
cd "$1"
log=$2.log
mkdir -p "$2"
{ cmake --preset mcu -B "$2" && cmake --build "$2" -j2; } >"$log" 2>&1 || {
    grep -E '(error|warning):|FAILED|fetch-board-sources' "$log" || tail -n 20 "$log"
    exit 1
}
"${SIZE:-arm-none-eabi-size}" "$2"/bin/*.elf
