#!/usr/bin/env bash
# A real firmware image of a microcontroller goes through as an opaque payload, with the launcher's exec off: in the slot it
# is byte-identical. The images are data that is not in the repository: SERIN_FIRMWARE names their folder, by default
# a folder shared/firmware beside the checkout.
. "$(dirname "$0")/lib.sh"
firmware=${SERIN_FIRMWARE:-$E2E_SOURCE/../shared/firmware}
if [ ! -d "$firmware" ]; then
    echo "SKIP: no firmware images at $firmware (set SERIN_FIRMWARE)"
    exit 77
fi
pair=$firmware/thumb-gateway-fix-early
bench_begin firmware
PRODUCT=node
AGENT_EXEC=false AGENT_AUTO=true AGENT_FLASH=4MiB AGENT_BLOCK=16KiB
pki 1
bundle 1.0.0 "$pair/old.bin"
bundle 1.0.1 "$pair/new.bin"
broker_start
serind_start
provision sensor-01 1.0.0
agent_start sensor-01
wait_for 20 "the device is known" known_devices 1
publish 1.0.1
policy 1.0.1 "stages: [{percent: 100, soak: 1s}]"
id=$(rollout 1.0.1)
wait_for 60 "the rollout completes" rollout_is "$id" completed
device_is sensor-01 confirmed 1.0.1 >/dev/null || fail "$(device_json sensor-01)"
stop sensor-01
slot=$(device_json sensor-01 | jq -r .slot | tr 'AB' 'ab')
"$SERIN_BIN/serin-agent" dump --config "$BENCH/devices/sensor-01/agent.yaml" --slot "$slot" \
    -o "$BENCH/slot.bin" || fail "serin-agent dump"
cmp "$BENCH/slot.bin" "$pair/new.bin" || fail "the slot differs from the image"
status=0
"$SERIN_BIN/serin-agent" dump --config "$BENCH/devices/sensor-01/agent.yaml" --slot "$slot" \
    -o "$BENCH/pki/keys/root.key" 2>/dev/null || status=$?
[ $status -eq 4 ] && [ "$(stat -c %s "$BENCH/pki/keys/root.key")" -lt 1000 ] || fail "a dump replaced a file"
note "$(stat -c %s "$pair/new.bin") bytes of ${pair##*/}/new.bin, byte-identical in slot $slot"
