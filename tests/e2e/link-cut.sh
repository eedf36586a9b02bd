#!/usr/bin/env bash
# The link of a device is cut at 80 % of a download, in the middle of a block, and comes back: the download resumes, no
# verified piece is fetched again, and the rollout completes.
. "$(dirname "$0")/lib.sh"
bench_begin link-cut
pki 1
head -c 300000 /dev/urandom >"$BENCH/old.bin"
head -c 400000 /dev/urandom >"$BENCH/new.bin"
AGENT_EXEC=false AGENT_AUTO=true
bundle 1.0.0 "$BENCH/old.bin"
bundle 2.0.0 "$BENCH/new.bin"
broker_start
serind_start
AGENT_BROKER_PORT=$(free_port)
# 80 % of the image, TLS and framing apart.
spawn linkcut "$SERIN_BIN/linkcut" "$AGENT_BROKER_PORT" "$BROKER_PORT" 320000 3000
wait_for 5 "the relay listens" port_open "$AGENT_BROKER_PORT"
provision sensor-01 1.0.0
agent_start sensor-01
wait_for 20 "the device is known" known_devices 1
publish 2.0.0
policy 2.0.0 "stages: [{percent: 100, soak: 1s}]"
id=$(rollout 2.0.0)
wait_for 60 "the rollout completes" rollout_is "$id" completed
grep -q '^cut after' "$BENCH/log/linkcut.log" || fail "the link was never cut"
json=$(device_json sensor-01)
fetched=$(jq '.attempts[-1].bytes_fetched' <<<"$json")
# What may be fetched twice is what was on its way: a window of 4 blocks of 4 KiB, and the piece that was not complete.
[ "$fetched" -ge 400000 ] && [ "$fetched" -le $((400000 + 12800 + 5 * 4096)) ] ||
    fail "fetched $fetched bytes for an image of 400000"
[ "$(jq '.attempts[-1].pieces_refetched' <<<"$json")" -eq 0 ] || fail "pieces were fetched again: $json"
note "$(grep "^cut" "$BENCH/log/linkcut.log"); $fetched bytes fetched for an image of 400000"
