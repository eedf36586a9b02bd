#!/usr/bin/env bash
# Going back. By mistake: a release that is not newer than the stable one is refused. By itself: a device whose new image rots in
# flash boots the old one, is seen to have reverted, and the rollout halts during its soak. On purpose: a rollout that says
# `revert` takes the fleet back.
. "$(dirname "$0")/lib.sh"
bench_begin going-back
pki 2
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
bundle 2.0.0 "$SERIN_BIN/apps/app_v2"
padded app_v2 2.1.0 50000
broker_start
serind_start
for i in 1 2; do
    provision "sensor-0$i" 1.0.0
    agent_start "sensor-0$i"
done
wait_for 30 "two devices are known" known_devices 2
quick="stages: [{percent: 50, soak: 1s}, {percent: 100, soak: 1s}]"

title "2.0.0 becomes stable, each stage with one publish and no repair"
publish 1.0.0
publish 2.0.0
policy 2.0.0 "$quick"
id=$(rollout 2.0.0)
wait_for 60 "2.0.0 is stable" rollout_is "$id" completed
grep -q '"what":"repair","topic":"serin/1/directive/' "$BENCH/audit.log" && fail "a directive needed repair"

title "1.0.0 is refused by mistake"
policy 1.0.0 "$quick"
status=0
"$SERIN" rollout create --policy "$BENCH/policy-1.0.0.yaml" >"$BENCH/out" 2>&1 || status=$?
[ $status -eq 4 ] || fail "ended with $status: $(cat "$BENCH/out")"
grep -q 'not newer than the stable version 2.0.0' "$BENCH/out" || fail "said: $(cat "$BENCH/out")"

title "2.1.0 rots on its first device"
publish 2.1.0
policy 2.1.0 "stages: [{percent: 50, soak: 1h}, {percent: 100, soak: 1s}]"
id=$(rollout 2.1.0)
wait_for 60 "the first stage soaks" rollout_is "$id" soaking
device=$("$SERIN" device list --json | jq -r '.devices[] | select(.version == "2.1.0") | .id')
stop "$device"
python3 - "$BENCH/devices/$device/flash.bin" "$BENCH/bundles/2.1.0.serin" <<'PY'
import struct, sys
flash_path, bundle_path = sys.argv[1:3]
bundle = open(bundle_path, "rb").read()
manifest_size, table_size = struct.unpack_from("<II", bundle, 8)
image = bundle[32 + manifest_size + table_size:]
flash = bytearray(open(flash_path, "rb").read())
places = [i for i in range(0, len(flash), 4096) if flash[i:i + 4096] == image[:4096] and flash[i:i + len(image)] == image]
assert len(places) == 1, f"the image stands {len(places)} times in flash"
flash[places[0] + 20000] ^= 0x10
open(flash_path, "wb").write(flash)
PY
agent_start "$device"
halted() { rollout_json "$id" | jq -e '.state == "halted" and (.why | test("other_image"))'; }
wait_for 30 "the rollout halts" halted
device_is "$device" reverted 2.0.0 >/dev/null || fail "$(device_json "$device")"
[ "$(rollout_json "$id" | jq -c '[.tally.regressed, .tally.failed, .stage]')" = "[1,1,1]" ] ||
    fail "the books are $(rollout_json "$id" | jq -c .tally)"
note "$(rollout_json "$id" | jq -r .why)"

title "Back to 1.0.0 on purpose"
policy 1.0.0 "$quick" "revert: true"
id=$(rollout 1.0.0)
wait_for 60 "1.0.0 is stable again" rollout_is "$id" completed
for i in 1 2; do device_is "sensor-0$i" confirmed 1.0.0 >/dev/null || fail "$(device_json "sensor-0$i")"; done
sleep 3 # two beats: who went back on purpose has not reverted
for i in 1 2; do device_is "sensor-0$i" confirmed 1.0.0 >/dev/null || fail "$(device_json "sensor-0$i")"; done
"$SERIN" status --json | jq -e '.alarms == []' >/dev/null || fail "alarms: $("$SERIN" status --json | jq -c .alarms)"
note "done"
