#!/usr/bin/env bash
# Adoption, and who lies: nodes wait for approval, a gateway that speaks for devices of another is refused and named, a move by
# an operator is recorded, a refused gateway is not heard; and nodes that ask for what they must not have cost the uplink
# nothing.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_site.sh"
bench_begin site-hostile
pki_sites 4 gw-1 gw-2
head -c 50000 /dev/urandom >"$BENCH/old.bin"
head -c 150000 /dev/urandom >"$BENCH/new.bin"
AGENT_EXEC=false AGENT_AUTO=true
bundle 1.0.0 "$BENCH/old.bin"
bundle 2.0.0 "$BENCH/new.bin"
broker_start
ADOPTION=approve serind_start
for g in gw-1 gw-2; do site_begin $g && site_start $g; done

title "A node waits for an operator"
node sensor-01 gw-1
provision sensor-01 1.0.0
agent_start sensor-01
wait_for 20 "sensor-01 is known" known_devices 1
device_json sensor-01 | jq -e '.enrolment == "pending" and .gateway == "gw-1"' >/dev/null || fail "$(device_json sensor-01)"
"$SERIN" device approve sensor-01 >/dev/null || fail "approve"
enrolled() { device_json "$1" | jq -e '.enrolment == "enrolled"'; }
wait_for 10 "it is enrolled" enrolled sensor-01

title "The same node behind another gateway: a claim, refused and named"
stop sensor-01
cp -r "$BENCH/devices/sensor-01" "$BENCH/devices/kept"
sed -i "s|127.0.0.1:${SITE_PORT[gw-1]}|127.0.0.1:${SITE_PORT[gw-2]}|" "$BENCH/devices/sensor-01/agent.yaml"
agent_start sensor-01
claimed() { "$SERIN" status --json | jq -e '.alarms | map(test("gw-2")) | any'; }
wait_for 30 "an alarm names gw-2" claimed
device_json sensor-01 | jq -e '.gateway == "gw-1"' >/dev/null || fail "it was moved by a claim: $(device_json sensor-01)"
"$SERIN" gateway show gw-2 --json | jq -e '.claims.count >= 1' >/dev/null || fail "$("$SERIN" gateway show gw-2 --json)"

title "The operator moves it"
"$SERIN" device move sensor-01 --to gw-2 >/dev/null || fail "serin device move"
publish 2.0.0
policy 2.0.0 "stages: [{percent: 100, soak: 1s}]" "deadline: 60s"
id=$(rollout 2.0.0)
wait_for 40 "it confirms 2.0.0 through gw-2" device_is sensor-01 confirmed 2.0.0
wait_for 20 "the rollout completes" rollout_is "$id" completed
"$SERIN" audit | grep -q 'moved.*sensor-01\|sensor-01.*moved' || fail "the move is not in the audit log"
cleared() { ! claimed; }
wait_for 20 "the alarm is over" cleared

title "A refused gateway is not heard"
"$SERIN" gateway refuse gw-2 >/dev/null || fail "serin gateway refuse"
node sensor-02 gw-2
provision sensor-02 1.0.0
agent_start sensor-02
sleep 5
known_devices 1 >/dev/null || fail "a device came through a refused gateway"
"$SERIN" gateway allow gw-2 >/dev/null || fail "serin gateway allow"
wait_for 40 "it is heard again" known_devices 2
for i in 1 2; do stop "sensor-0$i"; done

title "Nodes that ask for what they must not have"
before=$(gw gw-2 .fetched_bytes)
"$SERIN_BIN/hostile_node" "${SITE_PORT[gw-2]}" "$BENCH/pki" sensor-03 \
    "$("$SERIN" inspect "$BENCH/bundles/2.0.0.serin" --json | jq -r .image_sha256)" >"$BENCH/log/hostile.log" 2>&1 ||
    fail "a hostile node got what it asked for"
[ "$(gw gw-2 .fetched_bytes)" -eq "$before" ] || fail "a hostile node cost the uplink $(($(gw gw-2 .fetched_bytes) - before)) bytes"
alive gw-2 && alive broker-gw-2 || fail "a hostile node ended a process"
note "$(tail -1 "$BENCH/log/hostile.log")"
node sensor-04 gw-2
provision sensor-04 1.0.0
agent_start sensor-04
wait_for 20 "sensor-04 is known" known_devices 3
"$SERIN" device approve sensor-04 >/dev/null || fail "approve"
wait_for 60 "an honest node is served meanwhile" device_is sensor-04 confirmed 2.0.0
