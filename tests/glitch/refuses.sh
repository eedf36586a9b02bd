#!/usr/bin/env bash
# serin-glitch refuses what it cannot try: exit status 2; and a glitch that is played and does not fire is a failure: 1.
#
#   refuses.sh SERIN-GLITCH
set -euo pipefail

glitch=$1
failed=0
expect() {
    local wanted=$1 status=0
    shift
    "$glitch" "$@" >/dev/null 2>&1 || status=$?
    [ "$status" -eq "$wanted" ] && return
    printf 'serin-glitch %s: exit status %s, not %s\n' "$*" "$status" "$wanted"
    failed=1
}

expect 2 --only nonsense
expect 2 --brief 9
expect 2 --brief 0
expect 2 --brief 1x
expect 2 --hits 0
expect 2 --hits -1
expect 2 --zero 2
expect 2 --only
expect 2 --nonsense 1
expect 2 --play nonsense
expect 2 --play nonsense:skip:0:1
expect 1 --play image:skip:0:4000000000
exit "$failed"
