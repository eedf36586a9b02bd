#!/usr/bin/env bash
# Unknown devices by policy: `approve` keeps them waiting, outside of every rollout, until an operator decides; a late one that
# is approved joins the running rollout; `refuse` answers and keeps nothing.
. "$(dirname "$0")/lib.sh"
bench_begin enrolment
pki 3
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
bundle 2.0.0 "$SERIN_BIN/apps/app_v2"
broker_start
ENROLMENT=approve serind_config
serind_start
enrolled_as() { device_json "$1" | jq -e --arg e "$2" '.enrolment == $e'; }
for i in 1 2 3; do
    provision "sensor-0$i" 1.0.0
    agent_start "sensor-0$i"
done

title "Waiting"
wait_for 30 "three devices are seen" known_devices 3
for i in 1 2 3; do enrolled_as "sensor-0$i" pending >/dev/null || fail "$(device_json "sensor-0$i")"; done
device_json sensor-01 | jq -e '.takes | IN("none", "small", "best", "both")' >/dev/null || fail "which patches it takes: $(device_json sensor-01)"
"$SERIN" device approve sensor-01 >/dev/null || fail "approve"
"$SERIN" device refuse sensor-03 >/dev/null || fail "refuse"
publish 2.0.0
policy 2.0.0 "stages: [{percent: 50, soak: 3s}, {percent: 100, soak: 3s}]"
id=$(rollout 2.0.0)
[ "$(rollout_json "$id" | jq .population)" -eq 1 ] || fail "the population is $(rollout_json "$id" | jq .population)"

title "A late approval joins the running rollout"
"$SERIN" device approve sensor-02 >/dev/null || fail "approve"
joined() { [ "$(rollout_json "$id" | jq .population)" -eq 2 ]; }
wait_for 10 "sensor-02 joins" joined
wait_for 60 "the rollout completes" rollout_is "$id" completed
for i in 1 2; do wait_for 30 "sensor-0$i confirms" device_is "sensor-0$i" confirmed 2.0.0; done
# The directive is for everyone now; the books of a refused device stay closed all the same.
enrolled_as sensor-03 refused >/dev/null || fail "$(device_json sensor-03)"
[ "$(device_json sensor-03 | jq '.attempts | length')" -eq 0 ] || fail "a refused device has attempts"
[ "$(rollout_json "$id" | jq -c '[.population, .tally.confirmed]')" = "[2,2]" ] || fail "$(rollout_json "$id" | jq -c .)"

title "Nobody new"
for i in 1 2 3; do stop "sensor-0$i"; done
stop serind
rm -rf "$BENCH/data" "$BENCH/serind.yaml"
ENROLMENT=refuse serind_config
serind_start
agent_start sensor-01
wait_for 20 "the refusal is audited" grep -q '"device":"sensor-01","text":"refused: enrolment is' "$BENCH/audit.log"
known_devices 0 || fail "something of it is kept"
note "done"
