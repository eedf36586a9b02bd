#!/usr/bin/env bash
# lint.mcu: core, device and the boards' MQTT client compile for a Cortex-M3 with preset `mcu`, without warnings, and need nothing of a
# board beside its ports but the functions of tests/lint/mcu/include/string.h and the compiler's own helpers. Prints how large they are.
#
#   mcu.sh SOURCE_ROOT BUILD_FOLDER [--planted]     with a call of malloc planted, which must be named
set -euo pipefail
root=$(cd "$1" && pwd) build=$2 planted=${3:-}
flags= targets='serin_core serin_device serin_mqtt_client serin_agent_link'
if [ -n "$planted" ]; then
    build=$build-planted targets=serin_core
    mkdir -p "$build"
    echo 'void *malloc(__SIZE_TYPE__ size); void *serin_planted(void); void *serin_planted(void) { return malloc(8); }' >"$build/planted.h"
    flags="-include $build/planted.h"
fi
cd "$root"
cmake --preset mcu -B "$build" --toolchain tests/lint/mcu/toolchain.cmake -DSERIN_BOARD= -DCMAKE_C_FLAGS_MINSIZEREL="-Os $flags" >/dev/null
cmake --build "$build" --target $targets >"$build.log" 2>&1 || { grep -E '(error|warning):' "$build.log"; exit 1; }
libraries=("$build"/lib/*.a)
nm --defined-only "${libraries[@]}" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u >"$build/defined"
nm --undefined-only "${libraries[@]}" 2>/dev/null | awk 'NF == 2 { print $2 }' | sort -u >"$build/undefined"
[ -s "$build/undefined" ] && [ -s "$build/defined" ] || { echo "mcu: nothing was compiled"; exit 1; }
allowed='^(memchr|memcmp|memcpy|memmove|memset|strcmp|strcspn|strlen|strncmp|__aeabi_[a-z0-9_]+)$'
foreign=$(comm -13 "$build/defined" "$build/undefined" | grep -Ev "$allowed" || true)
if [ -n "$planted" ]; then
    [ "$foreign" = malloc ] || { echo "mcu: the planted call was not named, but: $foreign"; exit 1; }
    exit 0
fi
[ -z "$foreign" ] || { echo "mcu: a board would have to bring: $foreign"; exit 1; }
for library in "${libraries[@]}"; do
    size -t "$library" | awk -v name="$(basename "$library")" 'END { printf "mcu: %s: code %d, data %d, bss %d bytes\n", name, $1, $2, $3 }'
done
