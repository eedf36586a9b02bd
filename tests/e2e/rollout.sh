#!/usr/bin/env bash
# v1 → v2 through 1-10-50-100 % of ten devices: exact cohorts (1, 1, 5, 10), each device confirms only after booting v2, one
# publish a stage, and an eleventh device that joins late gets v2 as the stable release.
. "$(dirname "$0")/lib.sh"
bench_begin rollout
pki 12
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
bundle 2.0.0 "$SERIN_BIN/apps/app_v2"

title "A fleet of ten on 1.0.0"
broker_start
serind_start
for i in $(seq -w 1 10); do
    provision "sensor-$i" 1.0.0
    agent_start "sensor-$i"
done
wait_for 30 "ten devices are known" known_devices 10
for i in $(seq -w 1 10); do wait_for 10 "sensor-$i runs 1.0.0" device_runs "sensor-$i" 1.0.0; done

title "2.0.0 through four stages"
publish 2.0.0
# serind's own counter leaves out repairs and renewals. What the fleet hears is counted on the wire, by a device that runs nothing.
heard=$BENCH/heard
directive=serin/1/directive/$PRODUCT/$CHANNEL
spawn listener stdbuf -oL mosquitto_sub -h 127.0.0.1 -p "$BROKER_PORT" --cafile "$BENCH/pki/ca.pem" \
    --cert "$BENCH/pki/devices/sensor-12.pem" --key "$BENCH/pki/devices/sensor-12.key" -i sensor-12 -q 1 -t "$directive" \
    -F 'directive %r %x' -d
wait_for 10 "the listener is subscribed" grep -q '^Subscribed (mid: .*): 1$' "$BENCH/log/listener.log"
SOAK=2s policy 2.0.0
id=$(rollout 2.0.0)

# The books of every stage are read while it soaks: nobody past the cohort may have been touched by then.
expected=(0 1 1 5 10)
watched=0
end=$((SECONDS + 90))
while ! rollout_is "$id" completed >/dev/null; do
    [ $SECONDS -lt $end ] || fail "the rollout did not complete: $(rollout_json "$id")"
    json=$(rollout_json "$id")
    state=$(jq -r .state <<<"$json") stage=$(jq -r .stage <<<"$json")
    accepted=$(jq -r .tally.accepted <<<"$json")
    [ "$state" != halted ] || fail "halted: $(jq -r .why <<<"$json")"
    if [ "$stage" -ge 1 ]; then
        [ "$accepted" -le "${expected[$stage]}" ] ||
            fail "stage $stage touched $accepted devices, ${expected[$stage]} at most"
    fi
    if [ "$state" = soaking ] && [ "$watched" -lt "$stage" ]; then
        [ "$(jq -r .tally.confirmed <<<"$json")" -eq "${expected[$stage]}" ] ||
            fail "stage $stage soaks with $(jq -c .tally <<<"$json"), expected ${expected[$stage]} confirmed"
        note "stage $stage: ${expected[$stage]} confirmed"
        watched=$stage
    fi
    sleep 0.2
done
[ "$watched" -eq 4 ] || fail "saw only $watched of four soaks"
json=$(rollout_json "$id")
# Stages 1 and 2 cover the same device of ten; each stage is one publish, and completion one more.
[ "$(jq -r .publishes <<<"$json")" -eq 5 ] ||
    fail "expected 4 stage publishes and the promotion, saw $(jq -r .publishes <<<"$json")"
sent_once() { # the same on the wire: live messages (retain 0), all different
    grep '^directive ' "$BENCH/log/listener.log" >"$heard" || true
    [ "$(grep -c '^directive 0 ' "$heard")" -eq 5 ] && [ "$(sort -u "$heard" | wc -l)" -eq 5 ] && [ "$(wc -l <"$heard")" -eq 5 ]
}
wait_for 10 "five directives went over the wire, each once" sent_once

for i in $(seq -w 1 10); do
    device_is "sensor-$i" confirmed 2.0.0 >/dev/null || fail "sensor-$i: $(device_json "sensor-$i")"
    grep -q 'app v2 started' "$BENCH/log/sensor-$i.log" || fail "sensor-$i never booted v2"
    device_json "sensor-$i" | jq -e '.attempts[-1].transitions | map(.state) ==
        ["pending","downloading","verifying","staged","trial","confirmed"]' >/dev/null ||
        fail "sensor-$i: transitions $(device_json "sensor-$i" | jq -c '.attempts[-1].transitions')"
done
note "ten devices confirmed 2.0.0, each after booting it"

title "An eleventh joins late, on 1.0.0"
provision sensor-11 1.0.0
agent_start sensor-11
wait_for 60 "sensor-11 confirms 2.0.0" device_is sensor-11 confirmed 2.0.0
sent_once || fail "on the wire: $(cut -c 1-80 "$heard")"
kill_hard listener
"$SERIN" audit --json >"$BENCH/log/audit.out" || fail "serin audit"
for i in $(seq -w 1 11); do stop "sensor-$i"; done
stop serind
stop broker
note "done"
