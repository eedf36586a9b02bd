#!/usr/bin/env bash
# Bad releases halt by themselves in the first stage: v3 crashes at start, v4 hangs, v5 never confirms, v6 confirms and breaks
# later. The one exposed device is back on v2 (v6 stays: it was confirmed), nobody else is touched, and the failed image
# is not downloaded a second time.
. "$(dirname "$0")/lib.sh"
bench_begin halt
pki 4
bundle 2.0.0 "$SERIN_BIN/apps/app_v2"
for v in 3 4 5 6; do bundle "$v.0.0" "$SERIN_BIN/apps/app_v$v"; done

broker_start
serind_start
for i in 1 2 3 4; do
    provision "sensor-0$i" 2.0.0
    agent_start "sensor-0$i"
done
wait_for 30 "four devices are known" known_devices 4

halted_with() { rollout_json "$1" | jq -e --arg r "$2" '.state == "halted" and (.why | contains($r))'; }
back_on() { device_json "$1" | jq -e --arg s "$2" --arg v "$3" '.state == $s and .version == $v'; }
exposed() {
    "$SERIN" device list --json | jq -r --arg v "$1" '.devices[].id' | while read -r id; do
        device_json "$id" | jq -r --arg v "$1" 'select(any(.attempts[]?; .version == $v)) | .id'
    done
}

try_bad() { # VERSION WHY-WORD
    local version=$1 word=$2 id devices fetched
    title "$version must halt: $word"
    publish "$version"
    SOAK=20s policy "$version"
    id=$(rollout "$version")
    wait_for 90 "rollout $id halts" halted_with "$id" "$word"
    note "$(rollout_json "$id" | jq -r .why)"
    [ "$(rollout_json "$id" | jq .stage)" -eq 1 ] || fail "halted only in stage $(rollout_json "$id" | jq .stage)"
    devices=$(exposed "$version")
    [ "$(wc -w <<<"$devices")" -eq 1 ] || fail "touched: $devices"
    if [ "$version" = 6.0.0 ]; then
        wait_for 10 "$devices is seen to have regressed" back_on "$devices" regressed 6.0.0
    else
        wait_for 30 "$devices is back on 2.0.0" back_on "$devices" rolled_back 2.0.0
        # Its books close with one download: two beats later not a byte more has been fetched.
        fetched=$(device_json "$devices" | jq '[.attempts[].bytes_fetched] | add')
        sleep 5
        [ "$(device_json "$devices" | jq '[.attempts[].bytes_fetched] | add')" -eq "$fetched" ] ||
            fail "$devices went on downloading after its attempt was final"
        [ "$(grep -c "app v${version%%.*} started" "$BENCH/log/$devices.log")" -le 3 ] ||
            fail "$devices booted $version more than three times"
    fi
    for i in 1 2 3 4; do
        [ "sensor-0$i" = "$devices" ] || device_runs "sensor-0$i" 2.0.0 >/dev/null ||
            fail "sensor-0$i was touched"
    done
}

try_bad 3.0.0 crash
try_bad 4.0.0 watchdog
try_bad 5.0.0 not_confirmed
try_bad 6.0.0 crash
note "done"
