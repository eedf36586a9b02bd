#!/usr/bin/env bash
# kill -9 of a gateway, of its broker and of the cloud's broker, at five named points each, one release a point. Each must
# fire; after a restart every node ends on the release with sound books, and no piece that was kept crosses the uplink again.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_site.sh"
bench_begin site-faults
pki_sites 3 gw-1
AGENT_EXEC=false AGENT_AUTO=true
image() { head -c 90000 /dev/urandom >"$BENCH/image-$1" && bundle "$1" "$BENCH/image-$1"; }
image 1.0.0
broker_start
serind_start
site_begin gw-1
site_start gw-1
for i in 1 2; do node "sensor-0$i" gw-1; done
for i in 1 2 3; do
    provision "sensor-0$i" 1.0.0
    agent_start "sensor-0$i"
done
wait_for 30 "three devices are known" known_devices 3

release=0
kill_at() { # WHO POINT
    release=$((release + 1))
    local who=$1 point=$2 version=2.0.$release id before spent
    title "$version, $who killed at $point"
    image "$version"
    publish "$version"
    policy "$version" "stages: [{percent: 100, soak: 1s}]" "deadline: 90s"
    before=$(gw gw-1 .fetched_bytes)
    case $who in
    gateway) stop gw-1 && GATEWAY_FAULT=$point gateway_start gw-1 ;;
    site-broker) stop broker-gw-1 && SITE_BROKER_FAULT=$point site_broker_start gw-1 ;;
    cloud-broker) stop broker && BROKER_FAULT=$point broker_start ;;
    esac
    "$SERIN" rollout create --policy "$BENCH/policy-$version.yaml" --json >"$BENCH/created" || fail "rollout create"
    id=$(jq .id "$BENCH/created")
    case $who in
    gateway) expect_killed gw-1 40 && gateway_start gw-1 ;;
    site-broker) expect_killed broker-gw-1 40 && site_broker_start gw-1 ;;
    cloud-broker) expect_killed broker 40 && broker_start ;;
    esac
    wait_for 60 "the rollout completes" rollout_is "$id" completed
    for i in 1 2 3; do
        wait_for 10 "sensor-0$i is confirmed on the books" device_is "sensor-0$i" confirmed "$version"
        books_hold "sensor-0$i" "$version"
    done
    wait_for 10 "$who answers again" gateway_json gw-1
    # Counters may lag behind a kill; what is counted must not be more than the objects and one window.
    spent=$(($(gw gw-1 .fetched_bytes) - before))
    [ "$spent" -le $(($(objects_bytes "$version") + 65536)) ] || fail "$spent bytes fetched for $(objects_bytes "$version")"
}

for point in ${GATEWAY_POINTS-gateway.order.persisted:1 gateway.piece.stored:9 gateway.object.finished:1 \
    gateway.report.after_commit:2 gateway.batch.sent:2}; do
    kill_at gateway "$point"
done
for point in ${SITE_POINTS-plugin.directive.persisted:1 plugin.want.said:1 plugin.have.heard:3 plugin.park.served:2 \
    plugin.block.sent:17}; do
    kill_at site-broker "$point"
done
for point in ${CLOUD_POINTS-plugin.directive.before_persist:1 plugin.directive.persisted:1 plugin.get.granted:3 \
    plugin.block.sent:5 plugin.presence.before:2}; do
    kill_at cloud-broker "$point"
done
note "$release points, each fired, each rollout completed"
