#!/usr/bin/env bash
# The cable of a site is down for longer than a lease: what the depot has goes on installing within the lease, also over a restart of
# the gateway; after it a node stays staged and the hold says why; reports wait and drain in order when the uplink is back.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_site.sh"
needs_namespaces
bench_begin site-away
namespace_begin
pki_sites 3 gw-1
head -c 50000 /dev/urandom >"$BENCH/old.bin"
head -c 150000 /dev/urandom >"$BENCH/new.bin"
AGENT_EXEC=false AGENT_AUTO=true
bundle 1.0.0 "$BENCH/old.bin"
bundle 2.0.0 "$BENCH/new.bin"
broker_start
serind_start
site_begin gw-1
site_start gw-1
for i in 1 2 3; do
    node "sensor-0$i" gw-1
    provision "sensor-0$i" 1.0.0
    agent_inside "sensor-0$i"
done
wait_for 30 "three devices are known" known_devices 3
stop sensor-02
stop sensor-03

title "The first node takes 2.0.0, then the cable is down: no word, no reset, only silence"
publish 2.0.0
policy 2.0.0 "stages: [{percent: 100, soak: 1s}]" "lease: 60s" "deadline: 300s" "patience: 300s"
id=$(rollout 2.0.0)
wait_for 40 "sensor-01 confirms" device_is sensor-01 confirmed 2.0.0
wait_for 10 "nothing waits" gw_is gw-1 '.queued == 0'
ip link set cloud0 down
away=$SECONDS

title "Within the lease a second node installs from the depot"
fetched=$(gw gw-1 .fetched_bytes)
stop gw-1
gateway_start gw-1
wait_for 15 "gw-1 answers after a restart without an uplink" gateway_json gw-1
agent_inside sensor-02
confirmed_itself() { grep -q 'attempt is confirmed' "$BENCH/log/sensor-02.log"; }
wait_for 40 "sensor-02 confirms by itself" confirmed_itself
[ $((SECONDS - away)) -lt 55 ] || fail "too slow a machine: the lease was over before"
[ "$(gw gw-1 .fetched_bytes)" -eq "$fetched" ] || fail "bytes were fetched without an uplink"
wait_for 10 "its report waits" gw_is gw-1 '.queued >= 1'
device_runs sensor-02 1.0.0 >/dev/null || fail "serind heard of it: $(device_json sensor-02)"

title "The lease is over: nothing starts"
hold_said() {
    timeout 5 $SITE_PREFIX mosquitto_sub -h 127.0.0.1 -p "${SITE_PORT[gw-1]}" --cafile "$BENCH/pki/ca.pem" \
        --cert "$BENCH/pki/devices/sensor-03.pem" --key "$BENCH/pki/devices/sensor-03.key" -i sensor-03 -q 1 \
        -t "serin/1/hold/$PRODUCT" -C 1 -F %x >"$BENCH/hold" && [ -s "$BENCH/hold" ]
}
held() { gw_is gw-1 '.fleets[0].hold == "lease" and .fleets[0].lease_left_s == 0'; }
wait_for 75 "the site is held" held
[ $((SECONDS - away)) -ge 25 ] || fail "the lease of 60 s, renewed at half-life, was over after $((SECONDS - away)) s"
gw_is gw-1 '.uplink_connected == false' >/dev/null || fail "the gateway believes that it is connected"
wait_for 10 "the hold stands retained on the site's broker" hold_said
agent_inside sensor-03
staged() { grep -q 'attempt is staged' "$BENCH/log/sensor-03.log"; }
wait_for 40 "sensor-03 has everything from the depot and is staged" staged
sleep 4
! grep -q 'attempt is trial' "$BENCH/log/sensor-03.log" || fail "sensor-03 started a trial after the lease"

title "The uplink is back"
ip link set cloud0 up
wait_for 40 "sensor-02 is confirmed on the books" device_is sensor-02 confirmed 2.0.0
wait_for 40 "sensor-03 confirms after the renewal" device_is sensor-03 confirmed 2.0.0
for i in 1 2 3; do books_hold "sensor-0$i" 2.0.0; done
wait_for 20 "nothing waits any more" gw_is gw-1 '.queued == 0 and .fleets[0].hold == "none"'
wait_for 30 "the rollout completes" rollout_is "$id" completed
note "away for $((SECONDS - away)) s in all, lease 60 s"
