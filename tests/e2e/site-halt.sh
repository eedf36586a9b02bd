#!/usr/bin/env bash
# A site whose uplink is away halts itself when its nodes fail beyond the directive's limit, and says so when the uplink is
# back. And failures behind one gateway alone are told from those of the image: the rollout pauses and names the gateway.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_site.sh"
bench_begin site-halt
pki_sites 10 gw-1 gw-2
AGENT_EXEC=true
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
bundle 3.0.0 "$SERIN_BIN/apps/app_v3"
broker_start
serind_start
relay_start relay 0 0
site_begin gw-1
site_start gw-1
for i in 1 2 3 4; do
    node "sensor-0$i" gw-1
    provision "sensor-0$i" 1.0.0
    agent_start "sensor-0$i"
done
wait_for 30 "four devices are known" known_devices 4
for i in 1 2 3 4; do stop "sensor-0$i"; done

title "3.0.0 crashes; the limit of a site is one failure; the uplink goes away before a node wakes"
publish 3.0.0
policy 3.0.0 "stages: [{percent: 100, soak: 60s}]" "site_failures_max: 1" "deadline: 300s" "patience: 300s" "lease: 1h"
id=$(rollout 3.0.0)
heard() { gw_is gw-1 '.fleets[0].failures_max == 1'; }
wait_for 15 "the directive reached the site" heard
# The depot has nothing yet: the first node fetches while the link is up, then the link goes.
agent_start sensor-01
fetched() { grep -q 'attempt is verifying' "$BENCH/log/sensor-01.log"; }
wait_for 40 "the image is in the depot" fetched
kill_hard relay
failed() { gw_is gw-1 ".fleets[0].failures >= $1"; }
wait_for 60 "the first node failed" failed 1
gw_is gw-1 '.fleets[0].hold == "none"' >/dev/null || fail "one failure is within the limit: $(gateway_json gw-1)"
agent_start sensor-02
wait_for 60 "the second node failed" failed 2
wait_for 10 "the site halts itself" gw_is gw-1 '.fleets[0].hold == "failures"'
for i in 3 4; do agent_start "sensor-0$i"; done
sleep 8
for i in 3 4; do
    ! grep -q 'attempt is trial' "$BENCH/log/sensor-0$i.log" || fail "sensor-0$i tried 3.0.0 after the site's halt"
done
rollout_is "$id" rolling >/dev/null || fail "serind knew already: $(rollout_json "$id")"

title "The uplink is back: the site says so"
spawn relay "$SERIN_BIN/linkcut" "$UPLINK_PORT" "$BROKER_PORT" 0 0
site_alarm() { "$SERIN" status --json | jq -e '.alarms | map(test("gw-1")) | any'; }
wait_for 30 "serind raises an alarm that names the gateway" site_alarm
wait_for 30 "the rollout halts" rollout_is "$id" halted
note "$("$SERIN" status --json | jq -c .alarms)"
on_old() { [ "$("$SERIN" device list --json | jq '[.devices[] | select(.version == "1.0.0")] | length')" -eq 4 ]; }
wait_for 40 "all four run 1.0.0" on_old
for i in 1 2 3 4; do stop "sensor-0$i"; done
stop gw-1

title "Failures behind one gateway alone: three nodes whose slots are too small, three good devices elsewhere"
head -c 300000 /dev/urandom >"$BENCH/new.bin"
head -c 60000 /dev/urandom >"$BENCH/old.bin"
PRODUCT=lamp CHANNEL=beta
AGENT_EXEC=false AGENT_AUTO=true
bundle 1.1.0 "$BENCH/old.bin"
bundle 2.0.0 "$BENCH/new.bin"
site_begin gw-2
gateway_config gw-2
site_start gw-2
for i in 05 06 07; do
    AGENT_FLASH=384KiB node "sensor-$i" gw-2
    provision "sensor-$i" 1.1.0
    agent_start "sensor-$i"
done
for i in 08 09 10; do
    provision "sensor-$i" 1.1.0
    agent_start "sensor-$i"
done
wait_for 30 "ten devices are known" known_devices 10
publish 2.0.0
policy 2.0.0 "stages: [{percent: 100, soak: 20s}]" "gates: {failures: {max_percent: 5, minimum: 6}}" "deadline: 120s"
# The three wake when the others are well: as long as nobody is well elsewhere, it is the image as far as anyone can tell.
for i in 05 06 07; do stop "sensor-$i"; done
id=$(rollout 2.0.0)
for i in 08 09 10; do wait_for 30 "sensor-$i confirms" device_is "sensor-$i" confirmed 2.0.0; done
for i in 05 06 07; do agent_start "sensor-$i"; done
wait_for 60 "the rollout pauses" rollout_is "$id" paused
why=$(rollout_json "$id" | jq -r .why)
grep -q gw-2 <<<"$why" || fail "the gateway is not named: $why"
note "$why"
for i in 08 09 10; do device_is "sensor-$i" confirmed 2.0.0 >/dev/null || fail "sensor-$i: $(device_json "sensor-$i")"; done
