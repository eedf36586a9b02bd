#!/usr/bin/env bash
# An image that works badly. Devices that confirmed 2.0.0 count errors in their beats while those that were not updated do not, and
# no device reports a failure: the rollout halts by the gate on errors, which names both groups. On a bad network day every
# application counts errors, updated or not, and 3.0.0 goes through.
. "$(dirname "$0")/lib.sh"
bench_begin gates-errors
pki 24
AGENT_BEAT=1s
export APP_STORM=$BENCH/storm
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
bundle 2.0.0 "$SERIN_BIN/apps/app_v7"
padded app_v2 3.0.0 1000
broker_start
serind_start
for i in $(seq -w 1 24); do
    provision "sensor-$i" 1.0.0
    agent_start "sensor-$i"
done
wait_for 60 "24 devices are known" known_devices 24
# Silence is not asked: on a busy machine a beat of each second may be late.
stages="stages: [{percent: 50, soak: 4s}, {percent: 100, soak: 1s}]"
judge="gates: {errors: {max_percent: 10, minimum: 10}, silence: {max_percent: off}}"
holds() { rollout_json "$1" | jq -e "$2" >/dev/null || fail "$(rollout_json "$1" | jq -c '[.state, .why, .stage, .tally, .comparison]')"; }

title "2.0.0 counts errors: halted, though every device confirmed it"
publish 2.0.0
policy 2.0.0 "$stages" "$judge" "control_minimum: 10"
sleep 5 # a device has a past after some beats
id=$(rollout 2.0.0)
wait_for 90 "rollout $id is halted" rollout_is "$id" halted
note "$(rollout_json "$id" | jq -r .why)"
holds "$id" '(.why | test("^halted: 1[0-2] of 1[0-2] updated count more errors, 0.00 % expected \\(0 of 1[0-2] others\\)")) and
    .stage == 1 and .tally.confirmed == 12 and .tally.failed == 0 and .comparison.updated_unwell >= 10 and .comparison.control_unwell == 0'
"$SERIN" rollout show "$id" | grep -q 'beats .*1[0-2] with more errors; control: 0 of 1[0-2] silent, 0 with more errors' ||
    fail "$("$SERIN" rollout show "$id")"

title "A bad network day: the applications of all devices count errors, and 3.0.0 goes on"
publish 3.0.0
policy 3.0.0 "${stages/4s/6s}" "$judge" "control_minimum: 10"
id=$(rollout 3.0.0)
touch "$APP_STORM"
opens() { rollout_json "$id" | jq -e '.stage == 2'; }
wait_for 90 "the second stage opens" opens
note "$(rollout_json "$id" | jq -c .comparison)"
holds "$id" '.comparison | .updated_unwell >= 10 and .control_unwell >= 10'
wait_for 90 "3.0.0 is stable" rollout_is "$id" completed
holds "$id" '.tally.confirmed == 24 and .tally.failed == 0'
note "done"
