#!/usr/bin/env bash
# A site of six nodes behind one gateway, two devices beside it: 2.0.0 goes through both stages, nodes ask for blocks of 256 B
# to 64 KiB, and each object crosses the uplink once, to the byte; a node that wakes late costs nothing more.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_site.sh"
bench_begin site
pki_sites 9 gw-1
head -c 60000 /dev/urandom >"$BENCH/old.bin"
head -c 301234 /dev/urandom >"$BENCH/new.bin"
AGENT_EXEC=false AGENT_AUTO=true
bundle 1.0.0 "$BENCH/old.bin"
bundle 2.0.0 "$BENCH/new.bin"

title "A cloud, a site with six nodes, two direct devices, all on 1.0.0"
broker_start
serind_start
site_begin gw-1
site_start gw-1
blocks=(256 1KiB 4KiB 16KiB 64KiB 512)
for i in 1 2 3 4 5 6; do
    AGENT_BLOCK=${blocks[$((i - 1))]} node "sensor-0$i" gw-1
    provision "sensor-0$i" 1.0.0
done
for i in 7 8; do provision "sensor-0$i" 1.0.0; done
for i in 1 2 3 4 5 7 8; do agent_start "sensor-0$i"; done
wait_for 30 "seven devices are known" known_devices 7
via() { device_json "$1" | jq -e --arg g "$2" '(.gateway // "") == $g'; }
wait_for 10 "sensor-01 is known to stand behind gw-1" via sensor-01 gw-1
device_json sensor-07 | jq -e '.gateway == null' >/dev/null || fail "sensor-07 is direct: $(device_json sensor-07)"

title "2.0.0 in two stages"
publish 2.0.0
policy 2.0.0 "stages: [{percent: 50, soak: 1s}, {percent: 100, soak: 1s}]" "deadline: 60s"
id=$(rollout 2.0.0)
wait_for 60 "the rollout completes" rollout_is "$id" completed
for i in 1 2 3 4 5 7 8; do books_hold "sensor-0$i" 2.0.0; done
expected=$(objects_bytes 2.0.0)
[ "$(gw gw-1 .fetched_bytes)" -eq "$expected" ] ||
    fail "the gateway fetched $(gw gw-1 .fetched_bytes) bytes for $expected of objects"
for i in 1 2 3 4 5; do
    [ "$(device_json "sensor-0$i" | jq '.attempts[-1].pieces_refetched')" -eq 0 ] || fail "sensor-0$i refetched pieces"
done
note "$(gw gw-1 .fetched_bytes) bytes over the uplink for five nodes, $expected of objects; served $(gw gw-1 .served_bytes)"

title "A node wakes late"
agent_start sensor-06
wait_for 40 "sensor-06 confirms 2.0.0" device_is sensor-06 confirmed 2.0.0
[ "$(gw gw-1 .fetched_bytes)" -eq "$expected" ] || fail "the late node cost $(($(gw gw-1 .fetched_bytes) - expected)) bytes"

title "What the operator sees"
"$SERIN" gateway list
"$SERIN" gateway show gw-1
"$SERIN_BIN/serin-gateway" status --socket "$(site_dir gw-1)/control"
"$SERIN" gateway list --json | jq -e '.gateways | length == 1 and .[0].id == "gw-1"' >/dev/null || fail "serin gateway list"
quiet() { gw_is gw-1 '.queued == 0'; }
wait_for 10 "every report is acknowledged" quiet
wait_for 10 "its nodes are counted" gw_is gw-1 '.nodes == 6'
for i in 1 2 3 4 5 6 7 8; do stop "sensor-0$i"; done
stop gw-1
stop broker-gw-1
stop serind
stop broker
note "done"
