#!/usr/bin/env bash
# How many devices a bad release reaches, how often a good one stops, and what a simulated fleet costs. Every figure is measured
# in this run.
#
#   scripts/bench rollout            1,000 seeds a row, then one seed of each row through the full simulator (about an hour)
#   scripts/bench rollout --short    the same code with few seeds and small fleets (under a minute)
#       --seeds N, --first-seed S    other seeds
#       --row NAME,NAME              some of: always, 30, 2, 0.5, 0.5-regress, 0.1, bad-day, regress, deaf, errors, errors-both,
#                                    hang, hang-night, hang-nightly, hang-long, hang-deadline, hang-window, nightly, reconnect,
#                                    blinks, blinks-hang, clock-back, clock-back-hang, restarts, restarts-hourly, restarts-good,
#                                    last-day, slow, change, speed, good
#       --json                       the figures as JSON on standard output
#       --no-build                   use SERIN_BIN as it is; otherwise preset release is built
#
# The first table counts rollouts that are drawn: the real engine, and of each device only when and how it ends (tests/bench/drawn.h).
# The second runs flash, network, gateways and power as well: serin simulate.
#
# Exit status: 0 every figure is as it must be; 1 not every one; 2 usage.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() { sed -n '2,19s/^# \{0,1\}//p' "$0"; }
wrong() {
    printf 'bench rollout: %s (try --help)\n' "$*" >&2
    exit 2
}
seeds= first=1 names= short= json= build=yes
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --short) short=yes ;;
    --json) json=yes ;;
    --no-build) build= ;;
    --seeds | --first-seed | --row)
        [ $# -ge 2 ] || wrong "$1 needs a value"
        case $1 in
        --seeds) seeds=$2 ;;
        --first-seed) first=$2 ;;
        --row) names=$2 ;;
        esac
        shift
        ;;
    *) wrong "there is no option '$1'" ;;
    esac
    shift
done
[ -z "$seeds" ] || [[ $seeds =~ ^[1-9][0-9]{0,5}$ ]] || wrong "--seeds takes a whole number from 1 to 999999, not '$seeds'"
[[ $first =~ ^[0-9]{1,18}$ ]] || wrong "--first-seed takes a whole number below 10^18, not '$first'"
drawn_rows="always 30 2 0.5 0.5-regress 0.1 bad-day regress deaf errors errors-both hang hang-night hang-nightly hang-long hang-deadline hang-window nightly reconnect blinks blinks-hang clock-back clock-back-hang restarts restarts-hourly restarts-good last-day slow change speed"
simulated_rows="always:halted 30:halted 2:!completed 0.5:!halted 0.1:completed bad-day:completed good:completed"
for name in ${names//,/ }; do
    case " $drawn_rows good " in
    *" $name "*) ;;
    *) wrong "there is no row '$name'; there are: $drawn_rows good" ;;
    esac
done
[ -z "$names" ] || [ -n "${names//[, ]/}" ] || wrong "--row names none"
[ -n "$build" ] || [ -x "${SERIN_BIN-}/serin-bench-rollout" ] ||
    wrong "--no-build needs SERIN_BIN, a folder with serin and serin-bench-rollout"
command -v jq >/dev/null || die "needs jq (scripts/packages.txt)"

if [ -n "$build" ]; then
    serin_build release serin serin-bench-rollout >&2
    SERIN_BIN=$SERIN_ROOT/build/release/bin
fi
DEVICES=100000 GATEWAYS=1000 drawn_devices=100000
if [ -n "$short" ]; then
    # What a build with sanitizers can carry, and what holds of so few seeds.
    seeds=${seeds:-20} DEVICES=500 GATEWAYS=10 drawn_devices=20000
    names=${names:-always,30,0.1,good}
fi
figures=$(mktemp -d "${TMPDIR:-/tmp}/serin-rollout.XXXXXX")
trap 'rm -rf "$figures"' EXIT
trap 'exit 130' INT TERM
status=0
tell() { [ -n "$json" ] || printf '%s\n' "$*"; }
wanted() { [ -z "$names" ] || [[ ,$names, == *,$1,* ]]; }

# ---- drawn ----

rows=
for name in $drawn_rows; do
    ! wanted "$name" || rows=$rows,$name
done
drawn=("$SERIN_BIN/serin-bench-rollout" --seeds "${seeds:-1000}" --first-seed "$first" --devices "$drawn_devices" --row "${rows#,}")
echo '[]' >"$figures/drawn.json"
if [ -n "$rows" ] && [ -n "$json" ]; then
    "${drawn[@]}" --json >"$figures/drawn.json" || status=1
elif [ -n "$rows" ]; then
    "${drawn[@]}" || status=1
fi

# ---- simulated ----

# simulate NAME EXPECTED: one seed through the full simulator, on one core; its figures and what it cost into $figures.
# EXPECTED is a state, or !STATE: any other.
simulate() {
    local name=$1 expected=$2 begin end most=0 code=0 cost
    local -a command=("$SERIN_BIN/serin" simulate "$here/policy.yaml" --devices "$DEVICES" --gateways "$GATEWAYS" --seed "$first" --json)
    [ "$name" = good ] || command+=(--scenario "$here/scenarios/$name.yaml")
    ! command -v taskset >/dev/null || command=(taskset -c 0 "${command[@]}")
    begin=$(date +%s%N)
    "${command[@]}" >"$figures/$name.out" 2>"$figures/$name.err" &
    local pid=$!
    # The kernel keeps the most memory that a process ever had for as long as it lives.
    while cost=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null) && [ -n "$cost" ]; do
        most=$cost
        sleep 0.05
    done
    wait $pid || code=$?
    end=$(date +%s%N)
    if [ $code -ne 0 ]; then
        printf '%s: serin simulate ended with status %s: %s\n' "$name" "$code" "$(tail -3 "$figures/$name.err")" >&2
        [ -s "$figures/$name.out" ] || echo '{}' >"$figures/$name.out"
    fi
    jq --arg name "$name" --arg expected "$expected" --argjson code $code --argjson ms $(((end - begin) / 1000000)) \
        --argjson kib "$most" '{name: $name, expected: $expected, code: $code, wall_ms: $ms, memory_kib: $kib, state, stage, why,
          exposed, failed, rolled_back, confirmed, unreached, publishes, beats, ended_ms, halted_ms, first_fail_ms, broken, digest,
          ok: ($code == 0 and .broken == null and (if $expected | startswith("!") then .state != $expected[1:] else .state == $expected end))}' \
        "$figures/$name.out" >"$figures/$name.row"
}

# limit NAME FIGURE VALUE MOST: a figure of the simulated table that has a limit.
limit() {
    local verdict=ok
    awk -v v="$3" -v m="$4" 'BEGIN { exit !(v <= m) }' || { verdict=MISSED && status=1; }
    tell "$(printf '  %-46s %-28s %12s   at most %s  %s' "$1" "$2" "$3" "$4" "$verdict")"
}

tell ""
tell "full simulator, seed $first, $DEVICES devices behind $GATEWAYS gateways, hourly beats, one core"
for row in $simulated_rows; do
    name=${row%%:*} expected=${row#*:}
    wanted "$name" || continue
    simulate "$name" "$expected"
    tell "$(jq -r '"  \(.name): \(.state), stage \(.stage); exposed \(.exposed), failed \(.failed), confirmed \(.confirmed); " +
        "\(.publishes) publishes; \(.ended_ms / 3600000 | floor) h in \(.wall_ms / 1000) s, \(.memory_kib / 1024 | floor) MiB" +
        (if .why == null or .why == "" then "" else "; " + .why end) + (if .ok then "  ok" else "  MISSED" end)' "$figures/$name.row")"
    jq -e .ok "$figures/$name.row" >/dev/null || status=1
done
[ ! -s "$figures/always.row" ] || limit "image always fails" "exposed" "$(jq .exposed "$figures/always.row")" 8
[ ! -s "$figures/30.row" ] || limit "30 % fail" "exposed" "$(jq .exposed "$figures/30.row")" 60
if [ -s "$figures/good.row" ]; then
    limit "$DEVICES devices, four stages, 24 h soaks" "seconds on one core" "$(jq '.wall_ms / 1000' "$figures/good.row")" 60
    limit "" "MiB" "$(jq '.memory_kib / 1024 | floor' "$figures/good.row")" 2048
fi
if [ -n "$json" ]; then
    rows=()
    for file in "$figures"/*.row; do [ ! -s "$file" ] || rows+=("$file"); done
    jq -n --argjson ok "$([ $status -eq 0 ] && echo true || echo false)" --slurpfile drawn "$figures/drawn.json" \
        --slurpfile simulated <(cat "${rows[@]}") '{ok: $ok, drawn: $drawn[0], simulated: $simulated}'
fi
exit $status
