#!/usr/bin/env bash
# Orders and repair (design decision 4): a halt that the broker misses is an alarm until it is there; a broker that lost its
# retained messages gets them again; a serind restored from a backup begins a new epoch by itself, from what the broker shows or
# from what devices say; a halt and a threshold that only the broker knows are taken over first, and what nobody can tell is
# paused; what it does not know of any more is withdrawn, and new rollouts complete.
. "$(dirname "$0")/lib.sh"
bench_begin orders
pki 4
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
bundle 2.0.0 "$SERIN_BIN/apps/app_v2"
bundle 2.1.0 "$SERIN_BIN/apps/app_v2"
bundle 2.2.0 "$SERIN_BIN/apps/app_v2"
bundle 2.3.0 "$SERIN_BIN/apps/app_v2"
broker_start
serind_start
for i in 1 2; do
    provision "sensor-0$i" 1.0.0
    agent_start "sensor-0$i"
done
wait_for 30 "two devices are known" known_devices 2
stop serind
cp -a "$BENCH/data" "$BENCH/first-backup"
serind_start

stages="stages: [{percent: 50, soak: 1s}, {percent: 100, soak: 1s}]"
epoch_is() { "$SERIN" status --json | jq -e --argjson e "$1" '.order.epoch == $e'; }
alarm() { "$SERIN" status --json | jq -e --arg t "$1" '.alarms | map(test($t)) | any'; }
no_alarm() { ! alarm "$1"; }
device_epoch() { device_json "$1" | jq -e --argjson e "$2" '.order.epoch == $e'; }
# The directive that the broker retains now, as one line of digits; seen by a third device.
retained() {
    mosquitto_sub -h 127.0.0.1 -p "$BROKER_PORT" --cafile "$BENCH/pki/ca.pem" --cert "$BENCH/pki/devices/sensor-03.pem" \
        --key "$BENCH/pki/devices/sensor-03.key" -i sensor-03 -t "serin/1/directive/$PRODUCT/$CHANNEL" -C 1 -W 5 -F %x 2>/dev/null || true
}
audit_has() { grep -q "$1" "$BENCH/audit.log"; }
restore() { rm -rf "$BENCH/data" && cp -a "$1" "$BENCH/data"; }

title "A halt that the broker does not have is an alarm"
publish 2.0.0
policy 2.0.0 "$stages"
id=$(rollout 2.0.0)
wait_for 60 "2.0.0 is stable" rollout_is "$id" completed
publish 2.1.0
policy 2.1.0 "stages: [{percent: 50, soak: 1h}, {percent: 100, soak: 1s}]"
id=$(rollout 2.1.0)
wait_for 60 "the first stage soaks" rollout_is "$id" soaking
kill_hard broker
"$SERIN" rollout halt "$id" --reason "broker down" >/dev/null || fail "halt while the broker is away"
wait_for 20 "the halt that is not on the broker is an alarm" alarm 'the halt on .* is not on'
broker_start
wait_for 30 "the alarm is over" no_alarm 'the halt on'
audit_has 'cleared: the halt on' || fail "the audit log does not say that the halt arrived"
halted=$(retained)
[ -n "$halted" ] || fail "the broker does not retain the halt"

title "A broker that lost its retained messages"
stop broker
rm -f "$BENCH"/broker/* "$BENCH"/plugin/*
broker_start
same_again() { [ "$(retained)" = "$halted" ]; }
wait_for 30 "the very same directive is there again" same_again
audit_has '"what":"repair","topic":"serin/1/directive/.*showed nothing' || fail "the audit log does not tell of the repair"
epoch_is 1 >/dev/null || fail "a new epoch without need"

title "serind restored from a backup: the broker shows a newer directive"
stop serind
cp -a "$BENCH/data" "$BENCH/backup"
serind_start
"$SERIN" rollout abort "$id" >/dev/null || fail "abort"
wait_for 10 "the abort is published" audit_has '"what":"publish".*aborted'
kill_hard serind
restore "$BENCH/backup"
serind_start
wait_for 10 "epoch 2 begins" epoch_is 2
for i in 1 2; do wait_for 20 "sensor-0$i follows epoch 2" device_epoch "sensor-0$i" 2; done
rollout_is "$id" halted >/dev/null || fail "the rollout is not as the backup has it"
audit_has '"what":"epoch"' || fail "the audit log does not tell of the epoch"

title "Restored again, and the broker knows nothing: devices tell"
stop serind
kill_hard broker
rm -f "$BENCH"/broker/* "$BENCH"/plugin/*
restore "$BENCH/backup"
broker_start
serind_start
wait_for 30 "epoch 3 begins" epoch_is 3
for i in 1 2; do wait_for 20 "sensor-0$i follows epoch 3" device_epoch "sensor-0$i" 3; done
audit_has 'accepted order 2\.' || fail "the audit log does not say who told"

title "Restored to before its first rollout: the broker shows a directive that the store knows nothing of"
stop serind
restore "$BENCH/first-backup"
serind_start
wait_for 10 "epoch 4 begins" epoch_is 4
for i in 1 2; do wait_for 20 "sensor-0$i follows epoch 4" device_epoch "sensor-0$i" 4; done
[ "$("$SERIN" rollout list --json | jq '.rollouts | length')" -eq 0 ] || fail "the store knows rollouts"

title "A new rollout completes in the new epoch, and an operator begins another"
publish 2.2.0
policy 2.2.0 "$stages"
id=$(rollout 2.2.0)
wait_for 60 "2.2.0 is stable" rollout_is "$id" completed
for i in 1 2; do device_is "sensor-0$i" confirmed 2.2.0 >/dev/null || fail "$(device_json "sensor-0$i")"; done
stop serind
serind_start --new-epoch
wait_for 10 "an operator can begin an epoch" epoch_is 5
wait_for 20 "sensor-01 follows epoch 5" device_epoch sensor-01 5

title "Restored, the broker's database lost, devices silent: the plugin's memory tells"
for i in 1 2; do stop "sensor-0$i"; done
stop serind
restore "$BENCH/first-backup"
stop broker
rm -f "$BENCH"/broker/*
broker_start
serind_start
wait_for 10 "epoch 6 begins" epoch_is 6
no_alarm . >/dev/null || fail "alarms: $("$SERIN" status --json | jq -c .alarms)"
stop serind

title "Restored to before a halt: the halt stands"
serind_start
for i in 3 4; do provision "sensor-0$i" 1.0.0; done
for i in 1 2 3 4; do agent_start "sensor-0$i"; done
wait_for 30 "four devices are known" known_devices 4
running() { "$SERIN" device list --json | jq -e --arg v "$1" --argjson n "$2" '[.devices[] | select(.version == $v)] | length == $n'; }
publish 2.3.0
policy 2.3.0 "stages: [{percent: 25, soak: 8s}, {percent: 50, soak: 1h}, {percent: 100, soak: 1s}]"
id=$(rollout 2.3.0)
wait_for 60 "the first stage soaks" rollout_is "$id" soaking
stop serind
cp -a "$BENCH/data" "$BENCH/soaking-backup"
serind_start
"$SERIN" rollout halt "$id" --reason "it burns" >/dev/null || fail "halt"
said=$(rollout_json "$id" | jq -r .threshold)
kill_hard serind
restore "$BENCH/soaking-backup"
serind_start
wait_for 10 "epoch 7 begins" epoch_is 7
rollout_is "$id" halted >/dev/null || fail "the restored serind undid the halt: $(rollout_json "$id" | jq -c '{state, stage}')"
audit_has '"what":"restored".*halts this rollout' || fail "the audit log does not tell what was learned"
sleep 9
running 2.3.0 1 >/dev/null || fail "the halted release went further"

title "Restored, and only devices know of a halt: paused until an operator decides"
kill_hard serind
kill_hard broker
rm -f "$BENCH"/broker/* "$BENCH"/plugin/*
restore "$BENCH/soaking-backup"
broker_start
serind_start
wait_for 10 "what devices took is not known: paused" rollout_is "$id" paused
alarm 'is paused: the store is older' >/dev/null || fail "no alarm: $("$SERIN" status --json | jq -c .alarms)"
sleep 9
running 2.3.0 1 >/dev/null || fail "the release went further while nobody decided"
"$SERIN" rollout resume "$id" >/dev/null || fail "resume"
wait_for 10 "the alarm is over with the operator's word" no_alarm 'is paused: the store is older'

title "Restored to an earlier stage: the threshold does not fall"
stop serind
cp -a "$BENCH/data" "$BENCH/first-stage-backup"
serind_start
wait_for 60 "the second stage is open" running 2.3.0 2
further=$(rollout_json "$id" | jq -r .threshold)
[ "$further" != "$said" ] || fail "the threshold did not rise"
kill_hard serind
restore "$BENCH/first-stage-backup"
serind_start
wait_for 10 "the threshold is learned" audit_has '"what":"restored".*reaches further'
[ "$(rollout_json "$id" | jq -r .threshold)" = "$further" ] || fail "the threshold fell: $(rollout_json "$id" | jq -c '{state, stage, threshold}')"
for i in 1 2 3 4; do stop "sensor-0$i"; done
stop serind

title "A broker that acknowledges directives and refuses them in silence"
PORT2=$(free_port)
printf 'topic read serin/#\ntopic write serin/1/trust/#\n' >"$BENCH/acl"
cat >"$BENCH/silent.conf" <<CONF
listener $PORT2 127.0.0.1
allow_anonymous true
acl_file $BENCH/acl
CONF
[ "$(id -u)" -ne 0 ] || echo "user root" >>"$BENCH/silent.conf"
spawn silent "$(command -v mosquitto || echo /usr/sbin/mosquitto)" -c "$BENCH/silent.conf"
wait_for 10 "the broker listens" port_open "$PORT2"
restore "$BENCH/first-backup"
sed -i "/^  - uri:/,/^    key:/c\\  - uri: tcp://127.0.0.1:$PORT2" "$BENCH/serind.yaml"
serind_start
publish 2.2.0
policy 2.2.0 "$stages"
id=$(rollout 2.2.0)
wait_for 30 "serind begins an epoch above what the broker may remember" audit_has 'its order guard remembers a higher order'
alarm "does not show it" >/dev/null || fail "no alarm: $("$SERIN" status --json | jq -c .alarms)"
printf 'topic readwrite serin/#\n' >"$BENCH/acl"
kill -HUP "${PID[silent]}"
wait_for 20 "the alarm is over once the broker takes it" no_alarm "does not show it"
note "done"
