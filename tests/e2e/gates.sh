#!/usr/bin/env bash
# What no report says. Devices that confirmed 2.0.0 fall silent while those that were not updated are well: the rollout halts on
# beats alone, and names both groups. On a bad network day, with as many of either group gone, 3.0.0 goes through.
. "$(dirname "$0")/lib.sh"
bench_begin gates
pki 24
AGENT_BEAT=1s
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
bundle 2.0.0 "$SERIN_BIN/apps/app_v2"
padded app_v2 3.0.0 1000
broker_start
serind_start
for i in $(seq -w 1 24); do
    provision "sensor-$i" 1.0.0
    agent_start "sensor-$i"
done
wait_for 60 "24 devices are known" known_devices 24
# The soak is long enough for three beats to be missed, and some to be heard.
stages="stages: [{percent: 50, soak: 8s}, {percent: 100, soak: 1s}]"
judge="gates: {silence: {max_percent: 5, minimum: 10}}"
on() { "$SERIN" device list --json | jq -r --arg v "$1" '.devices[] | select(.version == $v) | .id'; }
freeze() { for i in "$@"; do kill -STOP "${PID[$i]}" || fail "$i is not there"; done; }

title "2.0.0 makes devices deaf: halted, though no device reports anything"
publish 2.0.0
policy 2.0.0 "$stages" "$judge" "control_minimum: 10"
sleep 5 # a device has a past after some beats
id=$(rollout 2.0.0)
wait_for 60 "the first stage soaks" rollout_is "$id" soaking
mapfile -t updated < <(on 2.0.0)
[ ${#updated[@]} -eq 12 ] || fail "2.0.0 runs on ${updated[*]}"
freeze "${updated[@]}"
wait_for 30 "rollout $id is halted" rollout_is "$id" halted
note "$(rollout_json "$id" | jq -r .why)"
rollout_json "$id" | jq -e '(.why | test("silent")) and .tally.failed == 0 and .stage == 1 and
    .comparison.updated_silent >= 10 and .comparison.control_silent <= 2 and .comparison.control >= 10' >/dev/null ||
    fail "$(rollout_json "$id" | jq -c '[.why, .tally, .comparison]')"
"$SERIN" rollout show "$id" | grep -q 'beats  updated: 1[0-2] of 1[0-2] silent' || fail "$("$SERIN" rollout show "$id")"
for i in "${updated[@]}"; do
    kill_hard "$i"
    agent_start "$i"
done

title "A bad network day: six of the updated and six of the others are gone, and 3.0.0 goes on"
publish 3.0.0
policy 3.0.0 "$stages" "$judge" "control_minimum: 10" "patience: 8s"
sleep 6
id=$(rollout 3.0.0)
wait_for 60 "the first stage soaks" rollout_is "$id" soaking
mapfile -t updated < <(on 3.0.0)
[ ${#updated[@]} -eq 12 ] || fail "3.0.0 runs on ${updated[*]}"
mapfile -t others < <("$SERIN" device list --json | jq -r '.devices[] | select(.version != "3.0.0") | .id')
gone=("${updated[@]:0:6}" "${others[@]:0:6}")
freeze "${gone[@]}"
goes_on() { rollout_json "$id" | jq -e '.stage == 2'; }
wait_for 30 "the second stage opens" goes_on
rollout_json "$id" | jq -e '.comparison | .updated_silent >= 4 and .control_silent >= 4' >/dev/null ||
    fail "$(rollout_json "$id" | jq -c '[.tally, .comparison]')"
note "$(rollout_json "$id" | jq -c .comparison)"
wait_for 60 "3.0.0 is stable" rollout_is "$id" completed
rollout_json "$id" | jq -e '.tally.confirmed == 18 and .tally.unreached == 6' >/dev/null || fail "$(rollout_json "$id" | jq -c .tally)"
for i in "${gone[@]}"; do kill_hard "$i"; done
note "done"
