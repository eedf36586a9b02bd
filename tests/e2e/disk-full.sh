#!/usr/bin/env bash
# The disk of the store is really full: serind acknowledges nothing that it could not keep, says so in an alarm and goes on
# answering; once there is room, every report arrives (devices resend) and the rollout ends right. The store lies on a small
# tmpfs of the test's own, so this needs the right to mount one.
. "$(dirname "$0")/lib.sh"
probe=$(mktemp -d)
if ! mount -t tmpfs -o size=1m serin-probe "$probe" 2>/dev/null; then
    rmdir "$probe"
    echo "SKIP: may not mount a tmpfs (run as root)"
    exit 77
fi
umount "$probe" && rmdir "$probe"

bench_begin disk-full
mount -t tmpfs -o size=24m serin-store "$BENCH/data" || fail "mount"
release_disk() {
    local status=$?
    for name in "${!PID[@]}"; do kill -KILL "${PID[$name]}" 2>/dev/null || true; done
    sleep 0.3
    umount -l "$BENCH/data"
    (exit $status)
    bench_end
}
trap release_disk EXIT

pki 2
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
CHANNEL=stable,beta bundle 2.0.0 "$SERIN_BIN/apps/app_v2"
broker_start
STORE_SIZE=16MiB serind_start
for i in 1 2; do
    provision "sensor-0$i" 1.0.0
    agent_start "sensor-0$i"
done
wait_for 30 "two devices are known" known_devices 2
publish 2.0.0
policy 2.0.0 "stages: [{percent: 50, soak: 2s}, {percent: 100, soak: 1s}]" "deadline: 120s"

title "The disk fills up before the first device downloads"
# Whoever reported meanwhile, and found room for so little, would end the alarm.
for i in 1 2; do stop "sensor-0$i"; done
id=$(rollout 2.0.0)
cat /dev/zero >"$BENCH/data/filler" 2>/dev/null || true
[ "$(df --output=avail "$BENCH/data" | tail -1)" -eq 0 ] || fail "the disk is not full"
# The store's file has free pages of its own, that a few reports may fit into: rollouts of a channel without devices use them up.
CHANNEL=beta policy 2.0.0 "stages: [{percent: 100, soak: 1h}]" "supersede: true"
room=0
while "$SERIN" rollout create --policy "$BENCH/policy-2.0.0.yaml" >>"$BENCH/log/beta.log" 2>&1; do
    room=$((room + 1))
    [ $room -lt 500 ] || fail "500 rollouts found room on a full disk"
done
note "$room more rollouts found room inside the store"
store_alarm() { "$SERIN" status --json | jq -e '.alarms | map(test("full|room|space"; "i")) | any'; }
wait_for 30 "serind raises an alarm about its store" store_alarm
alive serind || fail "serind ended"
note "$("$SERIN" status --json | jq -c .alarms)"
for i in 1 2; do agent_start "sensor-0$i"; done

# The device goes on by itself, to the end of its attempt: its report must be taken whole once there is room.
device_done() { grep -q 'attempt is confirmed' "$BENCH"/log/sensor-0?.log; }
wait_for 60 "the device confirms while nobody can take its word" device_done
sleep 1

title "Room again"
rm "$BENCH/data/filler"
wait_for 90 "the rollout completes" rollout_is "$id" completed
for i in 1 2; do
    device_is "sensor-0$i" confirmed 2.0.0 >/dev/null || fail "$(device_json "sensor-0$i")"
done
no_alarm() { ! store_alarm; }
wait_for 30 "the alarm is over" no_alarm

title "What memory says is what the store says"
books=$(rollout_json "$id" | jq -c '[.state, .stage, .tally, .publishes, .threshold]')
kill_hard serind
serind_start
[ "$(rollout_json "$id" | jq -c '[.state, .stage, .tally, .publishes, .threshold]')" = "$books" ] ||
    fail "after a restart the books are $(rollout_json "$id" | jq -c .tally), they were $books"
note "done"
