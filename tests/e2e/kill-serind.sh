#!/usr/bin/env bash
# kill -9 of serind at named points of a rollout, one release a point: after a restart the rollout ends right, no device's
# state is lost, and nothing is published or counted twice.
. "$(dirname "$0")/lib.sh"
bench_begin kill-serind
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
    title "$version, killed at $1"
    padded app_v2 "$version" 60000
    stop serind
    # Uploads and the creation of the rollout may themselves meet the point: they are repeated until they hold.
    SERIND_FAULT=$1 serind_start
    policy "$version" "stages: [{percent: 50, soak: 1s}, {percent: 100, soak: 1s}]" "deadline: 60s"
    "$SERIN" publish "$BENCH/bundles/$version.serin" >>"$BENCH/log/publish.log" 2>&1 || true
    "$SERIN" rollout create --policy "$BENCH/policy-$version.yaml" --json >"$BENCH/created" 2>/dev/null || true
    expect_killed serind 40
    serind_start
    "$SERIN" publish "$BENCH/bundles/$version.serin" >>"$BENCH/log/publish.log" 2>&1 ||
        fail "publishing again after the restart"
    id=$("$SERIN" rollout list --json | jq -r --arg n "release-$version" '.rollouts[] | select(.name == $n) | .id' | head -1)
    [ -n "$id" ] || id=$(rollout "$version")
    wait_for 60 "the rollout completes" rollout_is "$id" completed
    for i in 1 2; do
        wait_for 10 "sensor-0$i is confirmed on the books" device_is "sensor-0$i" confirmed "$version"
        books_hold "sensor-0$i" "$version"
    done
    [ "$(rollout_json "$id" | jq '.tally.confirmed')" -eq 2 ] || fail "tally: $(rollout_json "$id" | jq -c .tally)"
    [ "$(rollout_json "$id" | jq '.publishes')" -eq 3 ] || fail "publishes: $(rollout_json "$id" | jq .publishes)"
}

for point in ${POINTS:-serind.bundle.stored:1 serind.publish.before:1 serind.publish.after_persist:1 \
    serind.report.before_commit:4 serind.report.after_commit:5 serind.stage.advanced:2 store.commit.before:6 serind.audit.written:4}; do
    kill_at "$point"
done
"$SERIN" audit verify --whole --live "$BENCH/audit.log" >"$BENCH/out" || fail "the audit log does not hold: $(cat "$BENCH/out")"
note "$release points, each fired, each rollout completed"
