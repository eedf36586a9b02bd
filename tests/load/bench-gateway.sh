#!/usr/bin/env bash
# What a site costs its uplink. Every figure is measured in this run; nothing is assumed.
#
#   scripts/bench gateway            what a site costs its uplink, and how it carries 300 nodes (about 18 minutes)
#   scripts/bench gateway --short    the same code with few nodes and a small image (under a minute)
#       --json                       the figures as JSON on standard output
#       --no-build                   use SERIN_BIN and SERIN_PLUGIN as they are; otherwise preset release is built
#       --only NAME,NAME             some of the measurements: full-agents, full-nodes, cut-agents, cut-nodes, one, all
#   BENCH_KEEP=1                     keeps the folders with every log
#
# A site is a real one: Mosquitto with the plugin, serin-gateway, and real serin-agents or the nodes of serin-load, in a
# network namespace of its own; its uplink is a veth pair, shaped by tc tbf and cut by taking it down. That needs root.
# Without root only what needs no slow link is measured, and the exit status is 77.
#
# Exit status: 0 every figure is within its limit; 1 not every one; 2 usage; 77 some could not be measured.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() { sed -n '2,15s/^# \{0,1\}//p' "$0"; }
case "${1-}" in
-h | --help) usage && exit 0 ;;
esac
wrong() {
    printf 'bench gateway: %s (try --help)\n' "$*" >&2
    exit 2
}
short= json= build=yes only=
while [ $# -gt 0 ]; do
    case $1 in
    --short) short=yes ;;
    --json) json=yes ;;
    --no-build) build= ;;
    --only)
        [ $# -ge 2 ] || wrong "--only needs a value"
        only=$2
        shift
        ;;
    *) wrong "there is no option '$1'" ;;
    esac
    shift
done
for name in ${only//,/ }; do
    case $name in
    full-agents | full-nodes | cut-agents | cut-nodes | one | all) ;;
    *) wrong "there is no measurement '$name'" ;;
    esac
done
if [ -z "$only" ]; then
    only=full-agents,full-nodes,cut-agents,cut-nodes,one,all
    [ -z "$short" ] || only=full-agents,cut-nodes,one,all
fi

# ---- how large ----

# Bytes are judged with an image as large as firmware usually is, BYTES_KIB: what nodes say of an update does not grow with it.
# The times of one node and of many are compared with a smaller one, TIME_KIB: at 64 kbit/s 512 KiB take 65 s.
AGENTS=30 NODES=300 RATE_KBIT=64 BYTES_KIB=2048 TIME_KIB=512 CUT_SHORT_S=10 CUT_LONG_S=50
if [ -n "$short" ]; then
    AGENTS=3 NODES=40 RATE_KBIT=512 BYTES_KIB=256 TIME_KIB=256 CUT_SHORT_S=2 CUT_LONG_S=2 BATCH_DELAY=200ms
fi
LIMIT_RATIO=1.05 LIMIT_TIME=1.15 LIMIT_KIB=32768 LIMIT_MESSAGES=5

if [ -n "$build" ]; then
    serin_build release serin serind serin-agent serin-gateway serin_plugin serin-load >&2
    export SERIN_BIN=$SERIN_ROOT/build/release/bin SERIN_PLUGIN=$SERIN_ROOT/build/release/lib/serin_plugin.so
fi
for tool in jq mosquitto; do
    command -v $tool >/dev/null || [ -x /usr/sbin/$tool ] || die "needs $tool (scripts/packages.txt)"
done
. "$SERIN_ROOT/tests/e2e/lib.sh"
. "$SERIN_ROOT/tests/load/site.sh"
ulimit -n 20000 2>/dev/null || ulimit -n "$(ulimit -Hn)"

why_no_cable=
[ "$(id -u)" -eq 0 ] || why_no_cable="needs root for a network namespace"
for tool in ip tc; do command -v $tool >/dev/null || why_no_cable="needs $tool (package iproute2)"; done
[ -n "$why_no_cable" ] || unshare -n true 2>/dev/null || why_no_cable="may not make a network namespace here"

FIGURES=$(mktemp -d "${TMPDIR:-/tmp}/serin-figures.XXXXXX")
site= # the process of the measurement that runs
finish() {
    if [ -n "$site" ]; then
        kill -TERM "$site" 2>/dev/null || true
        wait "$site" 2>/dev/null || true
    fi
    cable_down
    rm -rf "$FIGURES"
}
trap finish EXIT
trap 'exit 130' INT TERM
tell() { printf '%s\n' "$*" >&2; }

# ---- one measurement ----

ids() { seq -f 'node-%02g' -s, "$1"; }

agents_start() {
    local i id
    for i in $(seq -f '%02g' "$1"); do
        id=node-$i
        AGENT_BROKER_PORT=$SITE_PORT AGENT_EXEC=false AGENT_AUTO=true AGENT_FLASH=$(($2 * 5 / 2 + 1024))KiB agent_config "$id"
        # As devices are delivered, not as impatient as the tests.
        sed -i -e 's/^beat: .*/beat: 1m/' -e 's/retry_min: .*/retry_min: 5s/' -e 's/retry_max: .*/retry_max: 1h/' \
            -e 's/timeout: .*/timeout: 5s/' "$BENCH/devices/$id/agent.yaml"
        provision "$id" 1.0.0
        spawn "$id" "${IN_SITE[@]}" "$SERIN_BIN/serin-agent" run --config "$BENCH/devices/$id/agent.yaml"
    done
}

load_start() {
    spawn load "${IN_SITE[@]}" "$SERIN_BIN/serin-load" --nodes "$1" --broker "127.0.0.1:$SITE_PORT" --ca "$BENCH/pki/ca.pem" \
        --certs "$BENCH/pki/devices" --product "$PRODUCT" --channel "$CHANNEL" --trust "$BENCH/pki/trust.bin" \
        --root-key "$BENCH/pki/keys/root.pub" --provision "$BENCH/bundles/1.0.0.serin" --until 2.0.0 \
        --flash $(($2 * 5 / 2 + 1024))KiB --timeout 15m --settle 2m --json
}

all_on() {
    "$SERIN" device list --json |
        jq -e --argjson n "$1" '[.devices[] | select(.version == "2.0.0" and .state == "confirmed")] | length == $n'
}

# The link goes when four fifths of the objects are here.
cut_when_due() {
    local bytes=$1 seconds=$2 end=$((SECONDS + 600))
    until gateway_is ".fetched_bytes * 5 >= $bytes * 4" >/dev/null; do
        [ $SECONDS -lt $end ] || fail "the gateway never came to 80 %"
        sleep 0.05
    done
    gateway_json | jq .fetched_bytes >"$BENCH/cut-at"
    cable_cut
    sleep "$seconds"
    cable_mend
}

# others_percent: how much of the processors is in use now, before and after a measurement by nobody of it. In a second.
others_percent() {
    local -a before after
    local i all=0
    read -r -a before </proc/stat
    sleep 1
    read -r -a after </proc/stat
    for i in 1 2 3 4 5 6 7 8; do all=$((all + after[i] - before[i])); done
    [ $all -gt 0 ] || all=1
    echo $((100 - 100 * (after[4] - before[4] + after[5] - before[5]) / all))
}

# measure NAME agents|nodes COUNT KIB RATE_KBIT CUT_S: one site from its first hour, and what it cost, into $FIGURES/NAME.json.
# RATE_KBIT 0: not shaped; CUT_S 0: not cut.
measure() {
    local name=$1 kind=$2 count=$3 kib=$4 rate=$5 cut=$6 objects result=null status=0 started busy after
    busy=$(others_percent)
    site_begin "bench-$name" "$(ids "$count")"
    head -c 20000 /dev/urandom >"$BENCH/image-1"
    head -c $((kib * 1024)) /dev/urandom >"$BENCH/image-2"
    bundle 1.0.0 "$BENCH/image-1"
    WINDOW=120s bundle 2.0.0 "$BENCH/image-2"
    objects=$(($(stat -c %s "$BENCH/bundles/2.0.0.serin") - 32)) # the bundle's own head stays at home
    if [ "$kind" = agents ]; then agents_start "$count" "$kib"; else load_start "$count" "$kib"; fi
    wait_for 120 "$count nodes are known to serind" known_devices "$count"
    wait_for 60 "nothing waits to go up" gateway_is '.queued == 0'
    [ "$rate" -eq 0 ] || cable_rate "${rate}kbit"
    publish 2.0.0
    # All at once: what is measured is the load of a whole site, not the care of a ramp.
    policy 2.0.0 'stages: [{percent: 100, soak: 1s}]' 'ramp: {first: 0}'
    site_mark
    started=$SECONDS
    rollout 2.0.0 >/dev/null
    [ "$cut" -eq 0 ] || cut_when_due "$objects" "$cut"
    if [ "$kind" = agents ]; then
        wait_for 900 "every agent confirmed 2.0.0" all_on "$count"
    else
        wait_gone "${PID[load]}" 9000 || fail "serin-load does not end"
        wait "${PID[load]}" || status=$?
        unset "PID[load]"
        result=$(grep '^{' "$BENCH/log/load.log" | tail -1)
        [ $status -eq 0 ] || fail "serin-load ended with status $status: $(jq -c 'del(.each)' <<<"$result")"
        result=$(jq 'del(.each)' <<<"$result")
    fi
    wait_for 300 "every report is acknowledged" gateway_is '.queued == 0'
    after=$(others_percent)
    [ "$after" -le "$busy" ] || busy=$after
    jq -n --arg name "$name" --arg kind "$kind" --argjson count "$count" --argjson kib "$kib" --argjson objects "$objects" \
        --argjson rate "$rate" --argjson cut "$cut" --argjson cut_at "$(cat "$BENCH/cut-at" 2>/dev/null || echo null)" \
        --argjson load "$result" --argjson seconds $((SECONDS - started)) --argjson figures "$(site_figures)" \
        --argjson busy "$busy" \
        '{name: $name, kind: $kind, nodes: $count, image_kib: $kib, object_bytes: $objects, rate_kbit: $rate, cut_s: $cut,
          cut_at_bytes: $cut_at, seconds: $seconds, busy_percent: $busy, load: $load} + $figures' >"$FIGURES/$name.json"
}

# run NAME …: as measure, in a site of its own. A failure is said and the others go on.
failures=0 skipped=0
run() {
    local name=$1 status=0
    [[ ,$only, == *,$name,* ]] || return 0
    if [ -n "$why_no_cable" ] && [ "$5" -ne 0 ]; then
        tell "$name: not measured: $why_no_cable"
        skipped=$((skipped + 1))
        return 0
    fi
    tell "$name: $3 ${2}, $4 KiB$([ "$5" -eq 0 ] || echo ", $5 kbit/s")$([ "$6" -eq 0 ] || echo ", cut at 80 % for $6 s") …"
    if [ -z "$why_no_cable" ]; then cable_up || die "the network namespace cannot be made"; fi
    # In the background, so that a signal is heard at once; and not in a condition, where errexit would be off inside.
    (
        trap - EXIT
        measure "$@"
    ) >&2 &
    site=$!
    wait $site || status=$?
    site=
    cable_down
    if [ $status -ne 0 ]; then
        tell "$name: FAILED"
        failures=$((failures + 1))
    fi
}

run full-agents agents $AGENTS $BYTES_KIB 0 0
run full-nodes nodes $NODES $BYTES_KIB 0 0
run cut-agents agents $AGENTS $BYTES_KIB $RATE_KBIT $CUT_SHORT_S
run cut-nodes nodes $NODES $BYTES_KIB $RATE_KBIT $CUT_LONG_S
run one nodes 1 $TIME_KIB $RATE_KBIT 0
run all nodes $NODES $TIME_KIB $RATE_KBIT 0

# ---- what came of it ----

sanitized=false
[ -z "$(sanitizer_library)" ] || sanitized=true
report=$(find "$FIGURES" -name '*.json' -exec cat {} + | jq -s --argjson ratio $LIMIT_RATIO --argjson time $LIMIT_TIME \
    --argjson kib $LIMIT_KIB --argjson messages $LIMIT_MESSAGES --argjson sanitized $sanitized \
    --argjson short "$([ -n "$short" ] && echo true || echo false)" \
    -f "$SERIN_ROOT/tests/load/bench-gateway.jq")
if [ -n "$json" ]; then jq . <<<"$report"; else jq -r .text <<<"$report"; fi
failures=$((failures + $(jq '[.rows[] | select(.ok == false)] | length' <<<"$report")))
[ $failures -eq 0 ] || exit 1
[ $skipped -eq 0 ] || exit 77
