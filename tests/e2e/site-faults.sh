#!/usr/bin/env bash
# kill -9 of a gateway, of its broker and of the cloud's broker, at five named points each, one release a point. Each must
# fire; after a restart every node ends on the release with sound books. What a killed gateway had kept does not cross the
# uplink again: counted by a relay on the uplink, not by the gateway.
#
#   site-faults.sh [gateway|site-broker|cloud-broker]      the points of one of them, or all
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_site.sh"
bench_begin site-faults
pki_sites 3 gw-1
AGENT_EXEC=false AGENT_AUTO=true
image() { head -c 90000 /dev/urandom >"$BENCH/image-$1" && bundle "$1" "$BENCH/image-$1"; }
image 1.0.0
broker_start
serind_start
relay_start relay 0 0
site_begin gw-1
site_start gw-1
for i in 1 2; do node "sensor-0$i" gw-1; done
for i in 1 2 3; do
    provision "sensor-0$i" 1.0.0
    agent_start "sensor-0$i"
done
wait_for 30 "three devices are known" known_devices 3

# kept VERSION: bytes of the image that lie verified in the depot of the dead gateway.
kept() {
    local hash depot=$BENCH/site/gw-1/depot
    hash=$("$SERIN" inspect "$BENCH/bundles/$1.serin" --json | jq -r .image_sha256)
    if [ -f "$depot/objects/${hash:0:2}/$hash" ]; then
        stat -c %s "$BENCH/image-$1"
    elif [ -f "$depot/partial/$hash" ]; then
        python3 - "$BENCH/image-$1" "$depot/partial/$hash" <<'PYTHON'
import sys
image, part = (open(name, "rb").read() for name in sys.argv[1:])
pieces = range(0, len(image), 4096)
print(sum(len(image[at:at + 4096]) for at in pieces if image[at:at + 4096] == part[at:at + 4096]))
PYTHON
    else
        echo 0
    fi
}

release=0
kill_at() { # WHO POINT
    release=$((release + 1))
    local who=$1 point=$2 version=2.0.$release id before spent have limit
    title "$version, $who killed at $point"
    image "$version"
    publish "$version"
    policy "$version" "stages: [{percent: 100, soak: 1s}]" "deadline: 90s"
    case $who in
    gateway) stop gw-1 && GATEWAY_FAULT=$point gateway_start gw-1 ;;
    site-broker) stop broker-gw-1 && SITE_BROKER_FAULT=$point site_broker_start gw-1 ;;
    cloud-broker) stop broker && BROKER_FAULT=$point broker_start ;;
    esac
    "$SERIN" rollout create --policy "$BENCH/policy-$version.yaml" --json >"$BENCH/created" || fail "rollout create"
    id=$(jq .id "$BENCH/created")
    case $who in
    gateway)
        expect_killed gw-1 40
        sleep 0.3
        have=$(kept "$version") before=$(relayed)
        gateway_start gw-1
        ;;
    site-broker) expect_killed broker-gw-1 40 && site_broker_start gw-1 ;;
    cloud-broker) expect_killed broker 40 && broker_start ;;
    esac
    wait_for 60 "the rollout completes" rollout_is "$id" completed
    for i in 1 2 3; do
        wait_for 10 "sensor-0$i is confirmed on the books" device_is "sensor-0$i" confirmed "$version"
        books_hold "sensor-0$i" "$version"
    done
    if [ "$who" = gateway ]; then
        stop gw-1
        sleep 0.3
        spent=$(($(relayed) - before))
        # TLS, the retained messages of a connection, and the heads of blocks come on top.
        limit=$(($(objects_bytes "$version") - have + 24576))
        [ "$spent" -le "$limit" ] || fail "$spent bytes crossed the uplink after the kill, $have of the image were kept"
        note "$have bytes of the image were kept, $spent crossed the uplink afterwards"
        gateway_start gw-1
    fi
    wait_for 15 "gw-1 is connected" gw_is gw-1 '.uplink_connected and .site_connected'
}

declare -A points=(
    [gateway]="gateway.order.persisted:1 gateway.piece.stored:9 gateway.object.finished:1 gateway.report.after_commit:2
        gateway.batch.sent:2"
    [site-broker]="plugin.directive.persisted:1 plugin.want.said:1 plugin.have.heard:3 plugin.park.served:2
        plugin.block.sent:17"
    [cloud-broker]="plugin.directive.before_persist:1 plugin.directive.persisted:1 plugin.get.granted:3 plugin.block.sent:5
        plugin.presence.before:2"
)
for who in ${1:-gateway site-broker cloud-broker}; do
    [ -n "${points[$who]-}" ] || fail "there are no points of $who"
    for point in ${POINTS-${points[$who]}}; do
        kill_at "$who" "$point"
    done
done
[ "$release" -gt 0 ] || fail "nothing was killed"
note "$release points, each fired, each rollout completed"
