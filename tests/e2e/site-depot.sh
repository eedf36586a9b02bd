#!/usr/bin/env bash
# The depot of a site goes wrong: a rotten cache entry, a part file altered and truncated while the gateway is down, a budget
# too small for every release, a disk that is full. No node ever gets a wrong byte, and what is lost is what is fetched again.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_site.sh"
bench_begin site-depot
depot=$BENCH/site/gw-1/depot
mounted=
release_disk() {
    local status=$?
    for name in "${!PID[@]}"; do kill -KILL "${PID[$name]}" 2>/dev/null || true; done
    sleep 0.3
    [ -z "$mounted" ] || umount -l "$depot"
    (exit $status)
    bench_end
}
trap release_disk EXIT
pki_sites 3 gw-1
AGENT_EXEC=false AGENT_AUTO=true
image() { head -c "$2" /dev/urandom >"$BENCH/image-$1" && bundle "$1" "$BENCH/image-$1"; }
image 1.0.0 50000
broker_start
serind_start
site_begin gw-1
# Slow enough to be stopped in the middle of a fill.
GATEWAY_RATE=64KiB/s GATEWAY_BUDGET=1MiB gateway_config gw-1
site_start gw-1
for i in 1 2; do
    node "sensor-0$i" gw-1
    provision "sensor-0$i" 1.0.0
done
agent_start sensor-01
agent_start sensor-02
wait_for 30 "two devices are known" known_devices 2
offer() { # VERSION: a rollout for everyone
    publish "$1"
    policy "$1" "stages: [{percent: 100, soak: 1s}]" "deadline: 120s"
    rollout "$1"
}
image_hash() { "$SERIN" inspect "$BENCH/bundles/$1.serin" --json | jq -r .image_sha256; }
whole() { echo "$depot/objects/$(image_hash "$1" | cut -c 1-2)/$(image_hash "$1")"; }
part() { echo "$depot/partial/$(image_hash "$1")"; }
flip() { # FILE OFFSET
    local byte
    byte=$(dd if="$1" bs=1 skip="$2" count=1 status=none | od -An -tu1 | tr -d ' ')
    printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
node_is_whole() { # NODE VERSION: it confirmed, and nothing wrong ever reached it
    wait_for 60 "$1 confirms $2" device_is "$1" confirmed "$2"
    [ "$(device_json "$1" | jq '.attempts[-1].pieces_refetched')" -eq 0 ] || fail "$1 was given wrong bytes: $(device_json "$1")"
}

title "A byte of the cache rots between two nodes"
image 2.0.0 200000
stop sensor-02
id=$(offer 2.0.0)
node_is_whole sensor-01 2.0.0
wait_for 20 "the image is whole in the depot" test -f "$(whole 2.0.0)"
before=$(gw gw-1 .fetched_bytes)
flip "$(whole 2.0.0)" 100000
# The plugin's memory of verified pieces would serve the node without a look at the disk.
stop broker-gw-1
site_broker_start gw-1
agent_start sensor-02
node_is_whole sensor-02 2.0.0
[ "$(gw gw-1 .rotten)" -ge 1 ] || fail "the rot was not noticed"
spent=$(($(gw gw-1 .fetched_bytes) - before))
[ "$spent" -ge 4096 ] && [ "$spent" -le 16384 ] || fail "one rotten piece cost $spent bytes"
wait_for 20 "the image is whole again" test -f "$(whole 2.0.0)"
[ "$(sha256sum <"$(whole 2.0.0)" | cut -d ' ' -f 1)" = "$(image_hash 2.0.0)" ] || fail "the depot was not mended"
wait_for 30 "the rollout completes" rollout_is "$id" completed

for harm in altered truncated; do
    [ $harm = altered ] && version=3.0.0 || version=3.1.0
    title "A part file is $harm while the gateway is down ($version)"
    image $version 260000
    before=$(gw gw-1 .fetched_bytes)
    id=$(offer $version)
    half() { gw_is gw-1 ".fetched_bytes >= $((before + 130000))"; }
    wait_for 30 "half of it is here" half
    stop gw-1
    [ -f "$(part $version)" ] || fail "there is no part file: $(ls -R "$depot/partial")"
    if [ $harm = altered ]; then flip "$(part $version)" 50000; else truncate -s 60000 "$(part $version)"; fi
    gateway_start gw-1
    for i in 1 2; do node_is_whole "sensor-0$i" $version; done
    wait_for 30 "the rollout completes" rollout_is "$id" completed
    spent=$(($(gw gw-1 .fetched_bytes) - before))
    # Altered: a piece again. Truncated: what was cut off again. And at most a window that was on its way.
    [ $harm = altered ] && limit=$((4096 + 65536)) || limit=$((140000 + 65536))
    [ "$spent" -le $(($(objects_bytes $version) + limit)) ] || fail "$spent bytes fetched for $(objects_bytes $version)"
done

title "A budget of 1 MiB: what is not on offer any more goes first"
for version in 4.0.0 5.0.0 6.0.0; do
    image $version 400000
    id=$(offer $version)
    wait_for 60 "the rollout of $version completes" rollout_is "$id" completed
done
[ ! -f "$(whole 2.0.0)" ] || fail "2.0.0 is still in the depot: $(du -sk "$depot")"
[ -f "$(whole 6.0.0)" ] || fail "6.0.0, which is on offer, is not in the depot"
[ "$(gw gw-1 .depot_bytes)" -le 1048576 ] || fail "$(gw gw-1 .depot_bytes) bytes in the depot"
note "$(gw gw-1 '"\(.depot_bytes) of \(.depot_budget_bytes) bytes, \(.objects) objects"')"

probe=$(mktemp -d)
if mount -t tmpfs -o size=1m serin-probe "$probe" 2>/dev/null; then
    umount "$probe"
    title "The disk is full: bytes pass through"
    stop gw-1
    stop broker-gw-1
    rm -rf "${depot:?}"/*
    mount -t tmpfs -o size=300k serin-depot "$depot" && mounted=1
    mkdir "$depot/objects"
    head -c 250000 /dev/zero >"$depot/filler" || fail "no filler"
    site_start gw-1
    image 7.0.0 200000
    id=$(offer 7.0.0)
    for i in 1 2; do node_is_whole "sensor-0$i" 7.0.0; done
    gw_is gw-1 '.pass_through == true' >/dev/null || fail "the gateway does not say that its disk is full: $(gateway_json gw-1)"
    [ ! -f "$(whole 7.0.0)" ] || fail "a full disk holds an image"
    wait_for 30 "the rollout completes" rollout_is "$id" completed
else
    note "the full disk is left out: may not mount a tmpfs"
fi
rmdir "$probe"
note "done"
