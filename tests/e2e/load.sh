#!/usr/bin/env bash
# The load tool against a real broker, plugin and serind: twenty nodes, with blocks of 256 B to 64 KiB, take v2, each byte
# once; and a fleet that cannot get there is said so, by name and by exit status.
. "$(dirname "$0")/lib.sh"
bench_begin load
pki 21
head -c 150000 /dev/urandom >"$BENCH/image-1"
head -c 200000 /dev/urandom >"$BENCH/image-2"
bundle 1.0.0 "$BENCH/image-1"
WINDOW=60s bundle 2.0.0 "$BENCH/image-2" # a busy machine must not roll anybody back
nodes=20

# load OPTIONS…: the fleet, in the background, its result in log/load.log.
load() {
    spawn load "$SERIN_BIN/serin-load" --id-prefix sensor- --broker "127.0.0.1:$BROKER_PORT" --ca "$BENCH/pki/ca.pem" \
        --certs "$BENCH/pki/devices" --product "$PRODUCT" --channel "$CHANNEL" --trust "$BENCH/pki/trust.bin" \
        --root-key "$BENCH/pki/keys/root.pub" --provision "$BENCH/bundles/1.0.0.serin" --flash 1MiB --json "$@"
}

# load_ends STATUS SECONDS: the tool ends with it; `result` is its JSON.
load_ends() {
    local status=0
    wait_gone "${PID[load]}" $(($2 * 10)) || fail "the load tool does not end"
    wait "${PID[load]}" || status=$?
    unset "PID[load]"
    result=$(grep -v '^serin-load:' "$BENCH/log/load.log" | tail -1)
    [ $status -eq "$1" ] || fail "the load tool ended with status $status: $(head -c 600 <<<"$result")"
    rm "$BENCH/log/load.log"
}

title "Twenty nodes on 1.0.0, blocks of every size"
broker_start
serind_start
load --nodes $nodes --block mixed --start-spread 2s --until 2.0.0 --timeout 60s
wait_for 30 "twenty devices are known" known_devices $nodes

title "2.0.0 to all of them"
publish 2.0.0
policy 2.0.0 'stages: [{percent: 100, soak: 1s}]'
id=$(rollout 2.0.0)
load_ends 0 70
jq -e --argjson n $nodes '.nodes == $n and .confirmed == $n and .acknowledged == $n and .failed == 0 and
    .pieces_refetched == 0 and .resets == $n and .reconnects == 0' <<<"$result" >/dev/null ||
    fail "the result: $(jq -c 'del(.each)' <<<"$result")"
# What a node fetches is manifest, piece table and image; each byte came once.
size=$(image_size 2.0.0)
whole=$((592 + 32 * ((size + 4095) / 4096) + size))
jq -e --argjson whole $whole '[.each[] | .bytes_fetched == $whole and .version == "2.0.0" and .state == "confirmed" and
    .accepted_ms <= .held_ms and .held_ms <= .confirmed_ms] | all' <<<"$result" >/dev/null ||
    fail "not $whole bytes each: $(jq -c '[.each[] | {id, block, bytes_fetched, state}]' <<<"$result")"
[ "$(jq '[.each[].block] | unique | length' <<<"$result")" -eq 6 ] || fail "the blocks are not of six sizes"
wait_for 20 "the rollout is complete" rollout_is "$id" completed
for i in 01 07 20; do books_hold "sensor-$i" 2.0.0; done
note "$(jq -r '"\(.confirmed) nodes, \(.bytes_fetched) bytes in \(.gets) requests, the last after \(.last_confirmed_ms) ms"' <<<"$result")"

title "A node that cannot get there"
load --first 21 --nodes 1 --until 9.9.9 --timeout 4s
load_ends 1 20
jq -e '.confirmed == 0 and .each[0].id == "sensor-21"' <<<"$result" >/dev/null || fail "the result: $result"
title "What is wrong is said"
load --first 22 --nodes 1 --until 9.9.9 --timeout 4s
status=0
wait "${PID[load]}" || status=$?
unset "PID[load]"
[ $status -eq 3 ] || fail "a certificate that is not there: status $status"
grep -q 'sensor-22.pem: No such file' "$BENCH/log/load.log" || fail "not said: $(cat "$BENCH/log/load.log")"
rm "$BENCH/log/load.log"
"$SERIN" pki init "$BENCH/other" --product "$PRODUCT" --devices sensor-21 >>"$BENCH/log/pki.log"
load --first 21 --nodes 1 --until 9.9.9 --timeout 4s --certs "$BENCH/other/devices" # of a CA that the broker does not know
load_ends 1 20
jq -e '.link_failures > 0 and (.last_failure | length) > 0' <<<"$result" >/dev/null || fail "the result: $result"
note "$(jq -r '"\(.link_failures) connections failed: \(.last_failure)"' <<<"$result")"
status=0
"$SERIN_BIN/serin-load" --nodes 5001 >"$BENCH/log/usage.log" 2>&1 || status=$?
[ $status -eq 2 ] || fail "5001 nodes: status $status"

stop serind
stop broker
note "done"
