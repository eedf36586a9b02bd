#!/usr/bin/env bash
# kill -9 of a device at named points of a rollout, one release a point: after a restart the rollout ends right, each state is
# on the books once, and no verified piece is fetched again.
. "$(dirname "$0")/lib.sh"
bench_begin kill-agent
pki 1
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
broker_start
serind_start
# The device's link goes through a relay that counts, so that what is fetched is known whatever the device remembers.
AGENT_BROKER_PORT=$(free_port)
spawn relay "$SERIN_BIN/linkcut" "$AGENT_BROKER_PORT" "$BROKER_PORT" 0 0
wait_for 5 "the relay listens" port_open "$AGENT_BROKER_PORT"
provision sensor-01 1.0.0
agent_start sensor-01
wait_for 30 "the device is known" known_devices 1

release=0
kill_at() { # POINT
    release=$((release + 1))
    local version=2.0.$release id before bytes size
    title "$version, killed at $1"
    padded app_v2 "$version" 120000
    publish "$version"
    policy "$version" "stages: [{percent: 100, soak: 1s}]" "deadline: 60s"
    stop sensor-01
    before=$(relayed)
    AGENT_FAULT=$1 agent_start sensor-01
    id=$(rollout "$version")
    expect_killed sensor-01 40
    agent_start sensor-01
    wait_for 60 "the rollout completes" rollout_is "$id" completed
    books_hold sensor-01 "$version"
    stop sensor-01
    # Once the image with its tables and framing, at most one window of 4 blocks and a piece again, and the handshakes.
    size=$(image_size "$version")
    bytes=$(($(relayed) - before))
    note "$bytes bytes came for an image of $size"
    [ "$bytes" -ge "$size" ] && [ "$bytes" -le $((size + size / 25 + 5 * 4096 + 24000)) ] ||
        fail "verified pieces were fetched again"
    agent_start sensor-01
}

for point in ${POINTS:-agent.directive.stored:1 agent.slot.invalidated:1 agent.piece.written:9 agent.piece.journaled:17 \
    agent.verified:1 agent.staged:1 launcher.boot.selected:2 agent.trial.started:1 agent.confirmed.before:1 \
    agent.confirmed.after:1 agent.report.before:3}; do
    kill_at "$point"
done
note "$release points, each fired, each rollout completed"
