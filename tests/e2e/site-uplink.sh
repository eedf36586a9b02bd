#!/usr/bin/env bash
# What a gateway takes of its uplink: nothing for images outside the allowed hours, though reports pass; then no more than the
# rate; and an emergency does not wait for the hours.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_site.sh"
bench_begin site-uplink
pki_sites 2 gw-1
AGENT_EXEC=false AGENT_AUTO=true
image() { head -c "$2" /dev/urandom >"$BENCH/image-$1" && bundle "$1" "$BENCH/image-$1"; }
image 1.0.0 50000
image 2.0.0 200000
image 3.0.0 100000
broker_start
serind_start
site_begin gw-1
GATEWAY_HOURS=$(date -d '+2 hours' +%H:%M)-$(date -d '+3 hours' +%H:%M) GATEWAY_RATE=256kbit/s gateway_config gw-1
site_start gw-1
for i in 1 2; do
    node "sensor-0$i" gw-1
    provision "sensor-0$i" 1.0.0
    agent_start "sensor-0$i"
done
wait_for 30 "two devices are known" known_devices 2

title "Outside the allowed hours ($(sed -n 's/.*hours: //p' "$(site_dir gw-1)/gateway.yaml")): reports pass, images do not"
publish 2.0.0
policy 2.0.0 "stages: [{percent: 100, soak: 1s}]" "deadline: 300s" "patience: 300s"
id=$(rollout 2.0.0)
accepted() { rollout_json "$id" | jq -e '.tally.accepted == 2'; }
wait_for 20 "serind hears that both are pending" accepted
sleep 4
[ "$(gw gw-1 .fetched_bytes)" -le 4096 ] || fail "$(gw gw-1 .fetched_bytes) bytes of bulk outside the allowed hours"
for i in 1 2; do
    device_json "sensor-0$i" | jq -e '.state == "pending" or .state == "downloading"' >/dev/null ||
        fail "a node gave up: $(device_json "sensor-0$i")"
done

title "Within them: no faster than the rate"
stop gw-1
sed -i '/hours:/d' "$(site_dir gw-1)/gateway.yaml"
begun=$(date +%s%N)
gateway_start gw-1
wait_for 60 "the rollout completes" rollout_is "$id" completed
whole() { [ -f "$BENCH/site/gw-1/depot/objects/$(cut -c 1-2 <<<"$1")/$1" ]; }
whole "$("$SERIN" inspect "$BENCH/bundles/2.0.0.serin" --json | jq -r .image_sha256)" || fail "the image is not in the depot"
took=$((($(date +%s%N) - begun) / 1000000))
# 32 KiB/s but for the burst of two seconds that the bucket holds.
least=$(((200000 - 2 * 32000 - 8192) * 1000 / 32000))
[ "$took" -ge "$least" ] || fail "200,000 bytes came in $took ms, faster than 256 kbit/s allows ($least ms)"
note "200,000 bytes in $took ms at 256 kbit/s, at least $least expected"

title "An emergency does not wait for the hours"
stop gw-1
GATEWAY_HOURS=$(date -d '+2 hours' +%H:%M)-$(date -d '+3 hours' +%H:%M) gateway_config gw-1
gateway_start gw-1
wait_for 15 "gw-1 answers" gateway_json gw-1
publish 3.0.0
policy 3.0.0 "stages: [{percent: 100, soak: 1s}]" "deadline: 60s" "emergency: true"
id=$(rollout 3.0.0)
wait_for 40 "the rollout completes" rollout_is "$id" completed
for i in 1 2; do books_hold "sensor-0$i" 3.0.0; done
note "done"
