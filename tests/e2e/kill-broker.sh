#!/usr/bin/env bash
# kill -9 of the broker at named points of its plugin, one release a point: after a restart serind repairs what the broker
# forgot or resurrected, devices resend, and the rollout ends right.
. "$(dirname "$0")/lib.sh"
bench_begin kill-broker
pki 2
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
broker_start
serind_start
for i in 1 2; do
    provision "sensor-0$i" 1.0.0
    agent_start "sensor-0$i"
done
wait_for 30 "two devices are known" known_devices 2

release=0
kill_at() { # POINT
    release=$((release + 1))
    local version=2.0.$release id
    title "$version, broker killed at $1"
    padded app_v2 "$version" 60000
    publish "$version"
    policy "$version" "stages: [{percent: 50, soak: 1s}, {percent: 100, soak: 1s}]" "deadline: 60s"
    stop broker
    BROKER_FAULT=$1 broker_start
    "$SERIN" rollout create --policy "$BENCH/policy-$version.yaml" --json >"$BENCH/created" || fail "rollout create"
    id=$(jq .id "$BENCH/created")
    expect_killed broker 40
    broker_start
    wait_for 60 "the rollout completes" rollout_is "$id" completed
    for i in 1 2; do
        wait_for 10 "sensor-0$i is confirmed on the books" device_is "sensor-0$i" confirmed "$version"
        books_hold "sensor-0$i" "$version"
    done
}

for point in ${POINTS:-plugin.directive.before_persist:1 plugin.directive.persisted:1 plugin.get.granted:3 \
    plugin.block.sent:23 plugin.presence.before:2}; do
    kill_at "$point"
done

title "A halt survives a broker that comes back with its old database, while serind is down"
padded app_v2 3.0.0 60000
publish 3.0.0
policy 3.0.0 "stages: [{percent: 50, soak: 60s}, {percent: 100, soak: 1s}]"
stop broker
cp -a "$BENCH/broker" "$BENCH/broker-before"
broker_start
id=$(rollout 3.0.0)
moved() { rollout_json "$id" | jq -e '.tally.confirmed == 1'; }
wait_for 60 "the first device confirms" moved
"$SERIN" rollout halt "$id" --reason "test" >/dev/null || fail "halt"
sleep 1
kill_hard serind
kill_hard broker
rm -rf "$BENCH/broker" && mv "$BENCH/broker-before" "$BENCH/broker"
broker_start
sleep 5
confirmed=$(grep -l 'version=3.0.0' "$BENCH"/log/sensor-*.log | wc -l)
[ "$confirmed" -le 1 ] || fail "a second device started 3.0.0 after the halt"
serind_start
wait_for 20 "serind is connected again" serind_connected
rollout_is "$id" halted >/dev/null || fail "the halt was lost"
note "$release points, each fired, each rollout completed; the halt held"
