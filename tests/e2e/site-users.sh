#!/usr/bin/env bash
# A site as it is installed: its broker runs as user mosquitto, the gateway as another one, and the depot is read by group
# (docs/serin-gateway.md). Where it cannot be read the broker says so: at its start, and for a file that is taken from it later,
# which is no rot.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_site.sh"
if [ "$(id -u)" -ne 0 ] || ! id mosquitto >/dev/null 2>&1; then
    echo "SKIP: needs root and the user mosquitto"
    exit 77
fi
bench_begin site-users
export SITE_USER=mosquitto
depot=$BENCH/site/gw-1/depot
pki_sites 2 gw-1
AGENT_EXEC=false AGENT_AUTO=true
for version in 1.0.0 2.0.0; do
    head -c 100000 /dev/urandom >"$BENCH/image-$version"
    bundle "$version" "$BENCH/image-$version"
done
broker_start
serind_start
site_begin gw-1
chmod 711 "$BENCH" "$BENCH/pki"
chgrp mosquitto "$BENCH/pki/broker.key"
chmod 640 "$BENCH/pki/broker.key"
chown mosquitto: "$BENCH/site/gw-1/broker" "$BENCH/site/gw-1/plugin"

title "A depot that the broker's user cannot read, or that is missing, is named at the start"
starts_not() { # WORDS
    local log=$BENCH/log/broker-gw-1.log
    site_broker_spawn gw-1
    wait_gone "${PID[broker-gw-1]}" 100 || fail "the broker starts although: $1"
    unset "PID[broker-gw-1]"
    tail -3 "$log" | grep -qF -- "$1" || fail "no clear line: $1; $(tail -3 "$log")"
    note "$(tail -3 "$log" | grep -F -- "$1")"
}
chmod 750 "$depot"
starts_not "cannot open the folder $depot: Permission denied; this broker's user must be able to read it"
mkdir -m 700 "$depot/partial"
chmod 755 "$depot"
starts_not "cannot open the folder $depot/partial: Permission denied; this broker's user must be able to read it"
rm -r "$depot"
starts_not "cannot open the folder $depot: No such file or directory; make it first"

title "Read by group, it serves"
install -d -g mosquitto -m 2750 "$depot"
site_start gw-1
node sensor-01 gw-1
provision sensor-01 1.0.0
agent_start sensor-01
wait_for 30 "the device is known" known_devices 1
publish 2.0.0
policy 2.0.0 "stages: [{percent: 100, soak: 1s}]" "deadline: 60s"
rollout 2.0.0 >/dev/null
wait_for 60 "sensor-01 confirms 2.0.0" device_is sensor-01 confirmed 2.0.0
[ "$(gw gw-1 .rotten)" -eq 0 ] || fail "what was good was called rotten"

title "A file that is taken from the broker's user is no rot"
image=$("$SERIN" inspect "$BENCH/bundles/2.0.0.serin" --json | jq -r .image_sha256)
file=$depot/objects/${image:0:2}/$image
wait_for 20 "the image is whole in the depot" test -f "$file"
stop broker-gw-1 # with what it has in memory
chmod 600 "$file"
site_broker_start gw-1
node sensor-02 gw-1
provision sensor-02 1.0.0
agent_start sensor-02
wait_for 20 "the broker names it" grep -q "object $image cannot be read: Permission denied" "$BENCH/log/broker-gw-1.log"
! grep "does not verify" "$BENCH/log/broker-gw-1.log" || fail "what cannot be read was called rotten"
chmod 640 "$file"
wait_for 60 "sensor-02 confirms 2.0.0" device_is sensor-02 confirmed 2.0.0
[ "$(gw gw-1 .rotten)" -eq 0 ] || fail "what was good was called rotten"
stop sensor-01
stop sensor-02
stop gw-1
stop broker-gw-1
stop serind
stop broker
note "done"
