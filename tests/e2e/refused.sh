#!/usr/bin/env bash
# What must be refused, each with a clear reason and nothing installed. First what serind refuses of an operator; then, with
# serind gone and its certificate stolen, what the plugin refuses of whoever speaks for it; then, with the depot and the broker in
# an attacker's hands, what the device refuses.
. "$(dirname "$0")/lib.sh"
bench_begin refused
FORGE=$SERIN_BIN/forge
pki 2
bundle 2.0.0 "$SERIN_BIN/apps/app_v2" --counter 2
broker_start
serind_start
for i in 1 2; do
    provision "sensor-0$i" 2.0.0
    agent_start "sensor-0$i"
done
wait_for 30 "two devices are known" known_devices 2
publish 2.0.0

refused_by_serind() { # WHAT EXPECTED-WORDS COMMAND…
    local what=$1 words=$2 said status=0
    shift 2
    said=$("$@" 2>&1 >/dev/null) || status=$?
    [ $status -ne 0 ] || fail "$what was accepted"
    grep -q -i -E "$words" <<<"$said" || fail "$what: unclear refusal: $said"
    note "$what: $said"
}

title "By serind"
"$SERIN" key new "$BENCH/foreign.key" >/dev/null
pack() { # NAME VERSION [options…]
    local name=$1 version=$2
    shift 2
    "$SERIN" pack --version "$version" --image "${image:-$SERIN_BIN/apps/app_v2}" --confirm-window 6s \
        -o "$BENCH/bundles/$name.serin" "$@" >>"$BENCH/log/pack.log" || fail "serin pack $name"
}
release=$BENCH/pki/keys/release.key
pack foreign 9.0.0 --product "$PRODUCT" --channels "$CHANNEL" --hw 1-3 --counter 3 --key "$BENCH/foreign.key"
pack director 9.0.0 --product "$PRODUCT" --channels "$CHANNEL" --hw 1-3 --counter 3 --key "$BENCH/pki/keys/director.key"
pack good 9.0.1 --product "$PRODUCT" --channels "$CHANNEL" --hw 1-3 --counter 3 --key "$release"
# What a device has in a slot it does not fetch: the image whose bytes are damaged on their way is one that it does not know.
head -c 60000 /dev/urandom >"$BENCH/unknown"
image=$BENCH/unknown pack unknown 9.0.1 --product "$PRODUCT" --channels "$CHANNEL" --hw 1-3 --counter 3 --key "$release"
pack product 9.0.2 --product toaster --channels "$CHANNEL" --hw 1-3 --counter 3 --key "$release"
pack channel 9.0.3 --product "$PRODUCT" --channels elsewhere --hw 1-3 --counter 3 --key "$release"
pack hardware 9.0.4 --product "$PRODUCT" --channels "$CHANNEL" --hw 7-9 --counter 3 --key "$release"
pack counter 9.0.5 --product "$PRODUCT" --channels "$CHANNEL" --hw 1-3 --counter 1 --key "$release"
"$FORGE" break "$BENCH/bundles/good.serin" "$BENCH/bundles/signature.serin" $((32 + 528 + 10))
"$FORGE" break "$BENCH/bundles/unknown.serin" "$BENCH/bundles/image.serin" 9000
"$FORGE" manifest "$BENCH/bundles/good.serin" "$release" "$BENCH/bundles/feature.serin" 9 128
put() { "$SERIN" publish "$BENCH/bundles/$1.serin"; }
refused_by_serind "a foreign key" "key" put foreign
refused_by_serind "the director's key on a manifest" "key" put director
refused_by_serind "a broken signature" "signature" put signature
refused_by_serind "a broken image" "sha-256|digest|crc|piece" put image
refused_by_serind "an unknown required feature" "feature" put feature
refused_by_serind "another product" "product|trust" put product
put channel >/dev/null || fail "a bundle for another channel of the product is publishable"
policy 9.0.3
refused_by_serind "a channel that the manifest does not allow" "channel" \
    "$SERIN" rollout create --policy "$BENCH/policy-9.0.3.yaml"
policy 2.0.9
refused_by_serind "a release that was not published" "2.0.9|release|found" \
    "$SERIN" rollout create --policy "$BENCH/policy-2.0.9.yaml"
printf 'product: lamp\nchannel: stable\nreleases: [{version: 2.0.0}]\nstagez: []\n' >"$BENCH/typo.yaml"
refused_by_serind "an unknown key in a policy" "stagez" "$SERIN" rollout create --policy "$BENCH/typo.yaml"
printf 'wrong' >"$BENCH/wrong-token" && chmod 600 "$BENCH/wrong-token"
refused_by_serind "a wrong token" "token" "$SERIN" status --token-file "$BENCH/wrong-token"

title "By the plugin, of a client with serind's certificate or another device's"
stop serind
as() { # CERTIFICATE COMMAND…: mosquitto_pub or _sub with that identity
    local who=$1 tool=$2
    shift 2
    "$tool" -i "${who##*/}" -h 127.0.0.1 -p "$BROKER_PORT" --cafile "$BENCH/pki/ca.pem" --cert "$BENCH/pki/$who.pem" \
        --key "$BENCH/pki/$who.key" "$@"
}
topic=serin/1/directive/$PRODUCT/$CHANNEL
retained() { as serind mosquitto_sub -t "$topic" -C 1 -W 3 -N 2>/dev/null | sha256sum; }
sequence=1000
forge() { # NAME key=value…: a directive with the next order and a good key
    local name=$1
    shift
    sequence=$((sequence + 1))
    "$FORGE" directive "${KEY:-$BENCH/pki/keys/director.key}" "$BENCH/$name.bin" product="$PRODUCT" channel="$CHANNEL" \
        epoch=1 sequence=$sequence "$@" || fail "forge $name"
}
send() { as serind mosquitto_pub -q 1 -r -t "$topic" "$@" 2>>"$BENCH/log/pub.log" || true; }
good=$("$FORGE" unpack "$BENCH/bundles/2.0.0.serin" "$BENCH/depot")
forge first stable="$good"
send -f "$BENCH/first.bin"
before=$(retained)
[ "$before" = "$(sha256sum <"$BENCH/first.bin")" ] || before=$(retained)
kept() { [ "$(retained)" = "$before" ] || fail "the plugin let $1 through"; note "refused: $1"; }
"$FORGE" directive "$BENCH/pki/keys/director.key" "$BENCH/old.bin" product="$PRODUCT" channel="$CHANNEL" epoch=1 \
    sequence=1 stable="$good"
send -f "$BENCH/old.bin"
kept "a replayed older directive"
send -n
kept "an empty retained directive"
head -c 40 "$BENCH/first.bin" >"$BENCH/cut.bin"
send -f "$BENCH/cut.bin"
kept "a truncated directive"
head -c 600 /dev/urandom >"$BENCH/large.bin"
send -f "$BENCH/large.bin"
kept "an oversized directive"
forge device stable="$good"
as devices/sensor-02 mosquitto_pub -q 1 -r -t "$topic" -f "$BENCH/device.bin" 2>/dev/null || true
kept "a directive published by a device"

"$FORGE" directive "$BENCH/pki/keys/director.key" "$BENCH/features.bin" product="$PRODUCT" channel="$CHANNEL" epoch=1 \
    sequence=$((sequence += 1)) stable="$good" features=1
send -f "$BENCH/features.bin"
kept "a directive with an unknown required feature"
as devices/sensor-02 mosquitto_pub -q 1 -t serin/1/dev/sensor-01/report -f "$BENCH/first.bin" 2>/dev/null || true
! as serind mosquitto_sub -t serin/1/dev/sensor-01/report -C 1 -W 2 >/dev/null 2>&1 ||
    fail "sensor-02 spoke for sensor-01"
note "refused: a report published by another device"

title "By the device, with serind's certificate, the depot and the plugin's rights in other hands"
said_by_device() { tail -n +"$mark" "$BENCH/log/sensor-01.log" | grep -q -i -E "$1"; }
mark=1
installed_nothing() { # WHAT
    local view
    view=$("$SERIN_BIN/serin-agent" status --config "$BENCH/devices/sensor-01/agent.yaml" --json) ||
        fail "serin-agent status"
    jq -e '.version == "2.0.0"' <<<"$view" >/dev/null || fail "$1 was installed: $view"
    ! grep -q 'app v. started.*version=9' "$BENCH/log/sensor-01.log" || fail "$1 was run"
}
device_refuses() { # WHAT EXPECTED-WORDS PAYLOAD
    mark=$(($(wc -l <"$BENCH/log/sensor-01.log") + 1))
    send -f "$3"
    # A manifest whose signature does not hold is fetched anew, four times with growing waits, before its release is blamed.
    wait_for 90 "sensor-01 refuses $1" said_by_device "$2"
    installed_nothing "$1"
    note "$1: $(tail -n +"$mark" "$BENCH/log/sensor-01.log" | grep -i -E "$2" | head -1 | cut -c26-180)"
}
# With serind gone nobody acknowledges reports, and a device opens no third attempt before: the attacker does it.
acknowledge() {
    local view
    view=$("$SERIN_BIN/serin-agent" status --config "$BENCH/devices/sensor-01/agent.yaml" --json) || fail "status"
    "$FORGE" ack "$BENCH/ack.bin" "$(jq -r .incarnation <<<"$view")" "$(jq -r .report_number <<<"$view")" ||
        fail "forge ack"
    as serind mosquitto_pub -q 1 -t serin/1/dev/sensor-01/ack -f "$BENCH/ack.bin" || fail "the ack was refused"
}
offer() { # NAME: a directive with the director's good key for a manifest that serind would never have taken
    forge "$1" candidate="$("$FORGE" unpack "$BENCH/bundles/$1.serin" "$BENCH/depot")" stable="$good" ||
        fail "offer $1"
}
for case in foreign:key signature:signature feature:feature product:product channel:channel hardware:hardware \
    counter:counter image:digest; do
    name=${case%%:*} word=${case##*:}
    offer "$name"
    acknowledge
    device_refuses "the bundle '$name'" "(rejected|failed).*$word" "$BENCH/$name.bin"
done

title "By the device, on a broker that the attacker runs, without the plugin"
kill_hard broker
cat >"$BENCH/plain.conf" <<CONF
listener $BROKER_PORT 127.0.0.1
cafile $BENCH/pki/ca.pem
certfile $BENCH/pki/broker.pem
keyfile $BENCH/pki/broker.key
require_certificate true
use_identity_as_username true
allow_anonymous false
CONF
[ "$(id -u)" -ne 0 ] || echo "user root" >>"$BENCH/plain.conf"
spawn broker "$(command -v mosquitto || echo /usr/sbin/mosquitto)" -c "$BENCH/plain.conf"
wait_for 10 "the plain broker listens" port_open "$BROKER_PORT"
mark=$(($(wc -l <"$BENCH/log/sensor-01.log") + 1))
reconnected() { tail -n +"$mark" "$BENCH/log/sensor-01.log" | grep -q -i 'connected broker'; }
wait_for 30 "sensor-01 is connected again" reconnected
KEY=$release forge by-release stable="$good"
device_refuses "the release key on a directive" "refused.*(key|role)" "$BENCH/by-release.bin"
device_refuses "a directive with an unknown required feature" "refused.*feature" "$BENCH/features.bin"
"$FORGE" directive "$BENCH/pki/keys/director.key" "$BENCH/product.bin" product=toaster channel="$CHANNEL" epoch=1 \
    sequence=$((sequence += 1)) stable="$good"
device_refuses "a directive for another product" "refused.*product" "$BENCH/product.bin"
"$FORGE" directive "$BENCH/pki/keys/director.key" "$BENCH/channel.bin" product="$PRODUCT" channel=other epoch=1 \
    sequence=$((sequence += 1)) stable="$good"
device_refuses "a directive for another channel" "refused.*channel" "$BENCH/channel.bin"
"$FORGE" directive "$BENCH/pki/keys/director.key" "$BENCH/targeted.bin" product="$PRODUCT" channel="$CHANNEL" epoch=1 \
    sequence=$((sequence += 1)) stable="$good" device=sensor-02
device_refuses "a directive addressed to another device" "refused.*device" "$BENCH/targeted.bin"
device_refuses "a replayed older directive" "refused.*(stale|order|lower)" "$BENCH/old.bin"
device_refuses "a truncated directive" "refused" "$BENCH/cut.bin"
device_refuses "an oversized directive" "refused" "$BENCH/large.bin"
note "done"
