#!/usr/bin/env bash
# A real thin link: the site lives in a network namespace of its own, joined to the cloud's by a veth pair of 64 kbit/s each way
# that loses packets; it is cut at 80 % of the image and comes back. Each object still crosses it once.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_site.sh"
needs_namespaces
bench_begin site-link
namespace_begin
tc qdisc add dev cloud0 root tbf rate 64kbit burst 4kb latency 2s
$SITE_PREFIX tc qdisc add dev site0 root tbf rate 64kbit burst 4kb latency 2s
$SITE_PREFIX iptables -A INPUT -i site0 -m statistic --mode nth --every 25 --packet 11 -j DROP
iptables -A INPUT -i cloud0 -m statistic --mode nth --every 25 --packet 11 -j DROP

pki_sites 3 gw-1
head -c 50000 /dev/urandom >"$BENCH/old.bin"
head -c 120000 /dev/urandom >"$BENCH/new.bin"
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
wait_for 60 "three devices are known" known_devices 3

title "2.0.0 over 64 kbit/s with losses, cut at 80 %"
publish 2.0.0
policy 2.0.0 "stages: [{percent: 100, soak: 1s}]" "deadline: 300s" "patience: 300s"
begun=$SECONDS
id=$(rollout 2.0.0)
at_80() { gw_is gw-1 '.fetched_bytes >= 96000'; }
wait_for 120 "80 % of the image are here" at_80
ip link set cloud0 down
cut=$SECONDS
sleep 8
ip link set cloud0 up
wait_for 150 "the rollout completes" rollout_is "$id" completed
for i in 1 2 3; do books_hold "sensor-0$i" 2.0.0; done
fetched=$(gw gw-1 .fetched_bytes) expected=$(objects_bytes 2.0.0)
# What may come twice is the window that was on its way when the link was cut.
[ "$fetched" -ge "$expected" ] && [ "$fetched" -le $((expected + 20000)) ] || fail "$fetched bytes fetched for $expected"
dropped=$($SITE_PREFIX iptables -L INPUT -v -x -n | awk '/DROP/ {n += $1} END {print n + 0}')
[ "$dropped" -gt 0 ] || fail "the link lost nothing: the fault did not fire"
note "$fetched bytes for $expected of objects in $((SECONDS - begun)) s, cut at $((cut - begun)) s, $dropped packets lost; on the wire $(ip -s -j link show cloud0 | jq ".[0].stats64.tx.bytes") bytes down"
