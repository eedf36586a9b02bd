#!/usr/bin/env bash
# The plugin in its site role, in a real Mosquitto: who has which rights there, serving while the depot is being filled, requests
# that wait, damage in the depot, halts, and faults. A scripted client plays the site's gateway (tools/plugin_talk.c).
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

bench_begin plugin-site
# shellcheck source=tests/e2e/plugin-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/plugin-lib.sh"
plugin_pki serind=serind gw-1=gateway gw-2=gateway sensor-01 sensor-02 sensor-03 sensor-04 passer-by
SYNC_ID=passer-by

site_start() {
    local conf=$BENCH/site.conf library=
    sed -e "s|@PORT@|$BROKER_PORT|g" -e "s|@PKI@|$BENCH/pki|g" -e "s|@PLUGIN@|$SERIN_PLUGIN|g" -e "s|@GATEWAY@|gw-1|g" \
        -e "s|@DEPOT@|$BENCH/depot|g" -e "s|@STATE@|$BENCH/plugin|g" -e "s|@DATA@|$BENCH/broker|g" -e "s|@ACL@|$E2E_SOURCE/configs/mosquitto.acl|g" \
        "$E2E_SOURCE/configs/mosquitto-site.conf" >"$conf"
    [ "$(id -u)" -ne 0 ] || echo "user root" >>"$conf"
    library=$(sanitizer_library)
    spawn broker env ${library:+LD_PRELOAD=$library} ASAN_OPTIONS=detect_leaks=0 SERIN_FAULT="${BROKER_FAULT-}" \
        "$(command -v mosquitto || echo /usr/sbin/mosquitto)" -c "$conf"
    wait_for 10 "the broker listens" port_open "$BROKER_PORT"
}

# ---- clients that are led by commands ----

declare -A INPUT=() MARK=()
talk() { # ID FILTER…
    local id=$1 fd
    rm -f "$BENCH/$id.in"
    mkfifo "$BENCH/$id.in"
    exec {fd}<>"$BENCH/$id.in"
    INPUT[$id]=$fd
    : >"$BENCH/log/$id.log"
    # shellcheck disable=SC2016
    spawn "$id" bash -c 'exec "$0" "${@:2}" <"$1"' "$SERIN_BIN/plugin_talk" "$BENCH/$id.in" "$BROKER_PORT" "${PKI:-$BENCH/pki}" "$@"
    MARK[$id]=0
    hears "$id" ready 10
}
hush() { # ID: the client is gone, without a word
    kill_hard "$1"
    exec {INPUT[$1]}>&-
    unset "INPUT[$1]"
}
say() { # ID COMMAND…: what it hears from now on is an answer to it, or comes later
    local id=$1
    shift
    MARK[$id]=$(wc -l <"$BENCH/log/$id.log")
    echo "$*" >&"${INPUT[$id]}"
}
heard() { tail -n "+$((MARK[$1] + 1))" "$BENCH/log/$1.log" | grep -E -- "$2"; }
hears() { # ID PATTERN [SECONDS]
    local i
    for ((i = 0; i < ${3:-5} * 20; i++)); do
        ! heard "$1" "$2" >/dev/null || {
            ok "$1 hears $2"
            return 0
        }
        sleep 0.05
    done
    fail "$1 does not hear $2: $(tail -n "+$((MARK[$1] + 1))" "$BENCH/log/$1.log" | tail -5)"
}
hears_not() { # ID PATTERN: nothing so far, after a round trip
    sync_broker
    sleep 0.2
    ! heard "$1" "$2" >/dev/null || fail "$1 hears $2: $(heard "$1" "$2" | head -3)"
    ok "$1 does not hear $2"
}
# settle ID: the broker has dealt with what it was told by this client. Between two of them nothing else keeps an order.
synced() { [ "$(grep -c '^synced$' "$BENCH/log/$1.log")" -gt "$2" ]; }
settle() {
    local before
    before=$(grep -c '^synced$' "$BENCH/log/$1.log" || true)
    echo sync >&"${INPUT[$1]}"
    wait_for 5 "$1 has been heard" synced "$1" "$before"
}
mark() { MARK[$1]=$(wc -l <"$BENCH/log/$1.log"); }

# ask ID OBJECT OFFSET LENGTH BLOCK: a request that acknowledges the last one. Its answers carry token=$TOKEN.
declare -A DONE=()
TOKEN=100
ask() {
    TOKEN=$((TOKEN + 1))
    say "$1" get "$2" "$3" "$4" "$5" "$TOKEN" "${DONE[$1]:-0}"
    DONE[$1]=$TOKEN
}
# got ID FILE: the blocks of the last answer that has come are those bytes of the file.
crc() { gzip -c | tail -c 8 | head -c 4 | od -An -tx4 | tr -d ' \n'; } # of a little-endian machine
got() {
    local id=$1 file=$2 line offset size sum count=0
    while read -r line; do
        offset=$(sed 's/.* offset=\([0-9]*\).*/\1/' <<<"$line")
        size=$(sed 's/.* size=\([0-9]*\).*/\1/' <<<"$line")
        sum=$(sed 's/.* crc=\([0-9a-f]*\).*/\1/' <<<"$line")
        [ "$(tail -c "+$((offset + 1))" "$file" | head -c "$size" | crc)" = "$sum" ] || fail "$id was sent wrong bytes: $line"
        count=$((count + 1))
    done < <(heard "$id" "token=$TOKEN status=1")
    [ "$count" -gt 0 ] || fail "$id was sent nothing"
    ok "$id has $count right blocks"
}

# ---- the bytes: what the cloud would have, and the site's depot, still empty ----

head -c 1500001 /dev/urandom >"$BENCH/image.bin"
mkdir -p "$BENCH/cloud"
image='' pieces='' manifest=''
eval "$("$PROBE" release "$BENCH/cloud" "$BENCH/image.bin")"
TABLE=$BENCH/cloud/objects/${pieces:0:2}/$pieces MANIFEST=$BENCH/cloud/manifests/$manifest
fill() { # OBJECT: what the gateway would put into the depot
    local path=objects/${1:0:2}/$1
    [ -f "$BENCH/cloud/$path" ] || path=manifests/$1
    mkdir -p "$BENCH/depot/${path%/*}"
    cp "$BENCH/cloud/$path" "$BENCH/depot/$path.new"
    mv "$BENCH/depot/$path.new" "$BENCH/depot/$path"
}
part() { "$PROBE" part "$BENCH/depot" "$image" "$BENCH/image.bin" "$1" "$2"; }
PART=$BENCH/depot/partial/$image WHOLE=$BENCH/depot/objects/${image:0:2}/$image
spoil() { # FILE OFFSET: one byte of it becomes another
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059
    printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
STABLE=serin/1/directive/lamp/stable

gone() { # the broker is: so are its clients
    local id
    for id in "${!INPUT[@]}"; do
        wait_gone "${PID[$id]}" 50 || fail "$id outlives the broker"
        unset "PID[$id]"
        exec {INPUT[$id]}>&-
        unset "INPUT[$id]"
    done
    DONE=()
}
restart() { # [FAULT]: the plugin knows nothing but what is on the disk
    stop broker
    gone
    BROKER_FAULT=${1-} site_start
}
# orders KEY=VALUE…: the gateway passes a directive down, and the broker has it.
orders() {
    payload directive "$@" >"$BENCH/directive.bin"
    say gw-1 publish 1 1 "$STABLE" "$BENCH/directive.bin"
    settle gw-1
}
gateway() { talk gw-1 serin/1/depot/want 'serin/1/presence/+'; }

site_start

title "a site's broker is for its devices and its own gateway"
for filter in 'serin/1/dev/+/report' 'serin/1/dev/+/beat' 'serin/1/presence/+' serin/1/depot/want 'serin/1/directive/+/+' \
    'serin/1/dev/+/directive' 'serin/1/trust/+' 'serin/1/hold/+'; do
    subscribes allowed gw-1 "$filter"
    subscribes denied gw-2 "$filter"
    subscribes denied serind "$filter"
done
for filter in '#' 'serin/1/#' serin/1/depot/have 'serin/1/depot/+' 'serin/1/dev/+/get' 'serin/1/dev/+/block' \
    serin/1/gw/gw-1/acks 'serin/1/dev/sensor-01/ack'; do
    subscribes denied gw-1 "$filter"
done
for filter in serin/1/dev/sensor-01/{directive,ack,block} "$STABLE" serin/1/trust/lamp serin/1/hold/lamp; do
    subscribes allowed sensor-01 "$filter"
done
for filter in serin/1/depot/want serin/1/depot/have serin/1/dev/sensor-02/block 'serin/1/hold/+'; do
    subscribes denied sensor-01 "$filter"
done
grep -q "subscription by gw-2 .*a site's broker is for its devices and its own gateway" "$BENCH/log/broker.log" ||
    fail "no word about a stranger's gateway"

title "before any directive"
talk sensor-01 serin/1/dev/sensor-01/block
ask sensor-01 "$image" 0 4096 4096
hears sensor-01 "token=$TOKEN status=3"

title "who may publish what"
for kind in hold have ack report beat trust; do payload $kind >"$BENCH/$kind.bin"; done
payload directive sequence=2 stable="$manifest" >"$BENCH/directive.bin"
payload directive sequence=2 stable="$manifest" id=sensor-04 >"$BENCH/own.bin"
WHO="may not publish there" STRANGER="a site's broker is for"
gateway_publishes() { # VERDICT… ID
    "${@:1:$#-1}" "${!#}" 1 retain serin/1/hold/lamp <"$BENCH/hold.bin"
    "${@:1:$#-1}" "${!#}" 0 '' serin/1/depot/have <"$BENCH/have.bin"
    "${@:1:$#-1}" "${!#}" 1 retain "$STABLE" <"$BENCH/directive.bin"
    "${@:1:$#-1}" "${!#}" 1 retain serin/1/dev/sensor-04/directive <"$BENCH/own.bin"
    "${@:1:$#-1}" "${!#}" 1 retain serin/1/trust/lamp <"$BENCH/trust.bin"
    "${@:1:$#-1}" "${!#}" 1 '' serin/1/dev/sensor-02/ack <"$BENCH/ack.bin"
}
gateway_publishes refuses "$WHO" sensor-02
gateway_publishes refuses "$STRANGER" gw-2
gateway_publishes refuses "$STRANGER" serind
gateway_publishes accepts gw-1
refuses "$WHO" gw-1 1 '' serin/1/dev/sensor-01/report <"$BENCH/report.bin"
payload batch | refuses "$WHO" gw-1 1 '' serin/1/gw/gw-1/reports
payload presence | refuses "$WHO" gw-1 1 retain serin/1/presence/sensor-01
head -c 40 /dev/urandom | refuses "$WHO" gw-1 0 '' serin/1/depot/want
payload report id=sensor-02 | accepts sensor-02 1 '' serin/1/dev/sensor-02/report
payload beat id=sensor-02 | accepts sensor-02 0 '' serin/1/dev/sensor-02/beat
head -c 40 /dev/zero | refuses "" gw-1 0 '' serin/1/depot/have
head -c 8193 /dev/zero | refuses "payload too large" gw-1 0 '' serin/1/depot/have
refuses "wrong QoS" gw-1 1 '' serin/1/depot/have <"$BENCH/have.bin"
payload directive sequence=1 stable="$manifest" | refuses "the order is lower" gw-1 1 retain "$STABLE"
delivers sensor-03 serin/1/hold/lamp "$BENCH/hold.bin"

title "an object that the gateway has yet to fill"
gateway
ask sensor-01 "$manifest" 0 4096 4096
hears gw-1 "want kind=1 object=$manifest offset=0 length=4096"
hears_not sensor-01 "token=$TOKEN"
fill "$manifest"
say gw-1 whole "$manifest" "$(stat -c %s "$MANIFEST")"
hears sensor-01 "token=$TOKEN status=1 offset=0 size=592 end=592 object=592"
got sensor-01 "$MANIFEST"
ask sensor-01 "$(printf '%064d' 42)" 0 4096 4096
hears sensor-01 "token=$TOKEN status=5"
mark gw-1
ask sensor-01 "$pieces" 0 65536 1000
hears gw-1 "want kind=1 object=$pieces offset=0 length=11744"
fill "$pieces"
say gw-1 whole "$pieces" "$(stat -c %s "$TABLE")"
hears sensor-01 "token=$TOKEN status=1 offset=11000 size=744 end=11744"
got sensor-01 "$TABLE"
mark gw-1
ask sensor-01 "$image" 0 65536 65536
hears gw-1 "want kind=1 object=$image offset=0 length=65536"
part 0 16384
say gw-1 part "$image" 1500001 fresh 0 16384
hears sensor-01 "token=$TOKEN status=1 offset=0 size=16384 end=16384 object=1500001"
got sensor-01 "$BENCH/image.bin"
note "manifest, piece table and the first pieces of an image go out as soon as they are there"

title "blocks are cut to what the node asks for"
for shape in "0 16384 256" "5 9000 300" "4095 2 256" "4096 12288 1000" "16383 65536 65536"; do
    # shellcheck disable=SC2086
    ask sensor-01 "$image" $shape
    # shellcheck disable=SC2086
    set -- $shape
    end=$(($1 + $2))
    [ $end -lt 16384 ] || end=16384
    blocks=$((64 * $3))
    [ $end -lt $(($1 + blocks)) ] || end=$(($1 + blocks))
    last=$((($end - $1 + $3 - 1) / $3 * $3 - $3 + $1))
    hears sensor-01 "token=$TOKEN status=1 offset=$last size=$((end - last)) end=$end "
    got sensor-01 "$BENCH/image.bin"
done

title "requests that wait"
mark gw-1
for id in sensor-02 sensor-03; do talk "$id" "serin/1/dev/$id/block"; done
for id in sensor-01 sensor-02 sensor-03; do ask "$id" "$image" 20000 8192 8192; done
hears gw-1 "want kind=1 object=$image offset=16384 length=11808"
sync_broker
[ "$(heard gw-1 'want kind=1' | wc -l)" -eq 1 ] || fail "a herd's want is said more than once: $(heard gw-1 want)"
hush sensor-02
part 16384 32768
say gw-1 part "$image" 1500001 more 16384 32768
hears sensor-03 "token=$TOKEN status=1 offset=20000 size=8192 end=28192"
got sensor-03 "$BENCH/image.bin"
hears sensor-01 "status=1 offset=20000 size=8192 end=28192"
note "three nodes, one want; one of them left while it waited"
mark gw-1
ask sensor-01 "$image" 32768 4096 4096
began=$(date +%s%N)
hears sensor-01 "token=$TOKEN status=2 .*retry=[1-9]" 6
waited=$((($(date +%s%N) - began) / 1000000))
if [ $waited -lt 2500 ] || [ $waited -gt 4500 ]; then fail "a request waited $waited ms, not 3,000"; fi
[ "$(heard gw-1 "want kind=1 object=$image offset=32768 length=4096" | wc -l)" -ge 2 ] ||
    fail "the want of a waiting node is not said again"
[ "$(heard gw-1 "want kind=1" | wc -l)" -le 4 ] || fail "too many wants: $(heard gw-1 want)"
ask sensor-01 "$image" 32768 4096 4096
waiting=$TOKEN
ask sensor-01 "$image" 0 4096 4096
hears sensor-01 "token=$TOKEN status=1 offset=0"
DONE[sensor-01]=$TOKEN
part 32768 40960
say gw-1 part "$image" 1500001 more 32768 40960
hears_not sensor-01 "token=$waiting"
ask sensor-01 "$image" 32768 16384 4096
hears sensor-01 "token=$TOKEN status=1 offset=36864 size=4096 end=40960"
got sensor-01 "$BENCH/image.bin"
note "a request waits for three seconds at most, and a later one takes its place"

title "nodes that ask for what they should not"
ask sensor-01 "$image" 1500001 1 4096
hears sensor-01 "token=$TOKEN status=4 .*object=1500001"
ask sensor-01 "$image" 4294967295 4294967295 65536
hears sensor-01 "token=$TOKEN status=[34]"
ask sensor-01 "$manifest" 592 1 4096
hears sensor-01 "token=$TOKEN status=4 .*object=592"
ask sensor-01 "$image" 0 4294967295 65536
hears sensor-01 "token=$TOKEN status=1 offset=0 size=40960 end=40960"
ask sensor-01 "$image" 40959 4294967295 65536
hears sensor-01 "token=$TOKEN status=1 offset=40959 size=1 end=40960"
mark gw-1
ask sensor-01 "$image" 40960 4294967295 65536
hears gw-1 "want kind=1 object=$image offset=40960 length=262144"
result=$("$PROBE" greedy "$BROKER_PORT" "$BENCH/pki" sensor-04 "$image" 3000)
[[ $result == "bytes=40960 blocks=3 "* ]] || fail "a flooding client: $result"
mark gw-1
for i in $(seq 40); do
    say sensor-03 get "$(printf '%064d' "$i")" 0 4096 4096 $((5000 + i)) 0
done
sync_broker
hears_not gw-1 "want kind=1 object=0000"
note "past the end, 4 GB, a flood, what nobody offers: $result"

title "damage in the depot"
sleep 1 # whatever waits is settled
for where in 28672 36864; do
    ask sensor-01 "$image" $where 4096 4096 # in memory: damage does not matter
    hears sensor-01 "token=$TOKEN status=1"
done
restart
gateway
talk sensor-01 serin/1/dev/sensor-01/block
spoil "$PART" 5000
say gw-1 part "$image" 1500001 fresh 0 40960
settle gw-1
ask sensor-01 "$image" 0 16384 16384
hears gw-1 "want kind=2 object=$image offset=4096 length=4096"
hears sensor-01 "token=$TOKEN status=1 offset=0 size=4096 end=4096"
got sensor-01 "$BENCH/image.bin"
ask sensor-01 "$image" 4096 8192 16384
hears_not sensor-01 "token=$TOKEN"
part 4096 8192
say gw-1 part "$image" 1500001 more 4096 8192
hears sensor-01 "token=$TOKEN status=1 offset=4096 size=8192 end=12288"
got sensor-01 "$BENCH/image.bin"
grep -q "object $image does not verify at byte 4096" "$BENCH/log/broker.log" || fail "no word about the damage"
truncate -s 20000 "$PART"
mark gw-1
ask sensor-01 "$image" 16384 8192 8192
hears gw-1 "want kind=2 object=$image offset=16384 length=4096"
hears_not sensor-01 "token=$TOKEN"
part 0 1500001
"$PROBE" finish "$BENCH/depot" "$image"
say gw-1 whole "$image" 1500001
hears sensor-01 "token=$TOKEN status=1 offset=16384 size=8192 end=24576"
got sensor-01 "$BENCH/image.bin"
fetch() { # ID OBJECT BLOCK WINDOW
    rm -f "$BENCH/out"
    "$PROBE" fetch "$BROKER_PORT" "$BENCH/pki" "$1" "$2" "$BENCH/out" "$3" "$4" 2>&1
}
for shape in "16384 65536" "65536 4294967295" "1000 50000" "4096 4096"; do
    # shellcheck disable=SC2086
    result=$(fetch sensor-04 "$image" $shape) || fail "download with $shape: $result"
    cmp -s "$BENCH/image.bin" "$BENCH/out" || fail "download with $shape is not byte-identical"
    ok "$shape: $result"
done
sleep 1 # of the same piece nothing is said twice in a second
spoil "$WHOLE" 4096 # this piece was used long ago: other pieces have taken its place in memory
mark gw-1
ask sensor-01 "$image" 0 16384 16384
hears gw-1 "want kind=2 object=$image offset=4096"
hears sensor-01 "token=$TOKEN status=1 offset=0 size=4096 end=4096"
fill "$image"
say gw-1 whole "$image" 1500001
settle gw-1
truncate -s 700000 "$WHOLE"
mark gw-1
ask sensor-01 "$image" 1200000 4096 16384
ask sensor-01 "$image" 100000 4096 16384
hears gw-1 "want kind=2 object=$image"
hears_not sensor-01 "token=$TOKEN"
fill "$image"
say gw-1 whole "$image" 1500001
hears sensor-01 "token=$TOKEN status=1 offset=100000"
got sensor-01 "$BENCH/image.bin"
note "a changed byte, a torn end: never sent, told to the gateway, served when mended"

restart
gateway
talk sensor-01 serin/1/dev/sensor-01/block
spoil "$BENCH/depot/objects/${pieces:0:2}/$pieces" 40
ask sensor-01 "$image" 0 4096 4096
hears gw-1 "want kind=2 object=$pieces offset=0 length=11744"
hears_not sensor-01 "token=$TOKEN"
fill "$pieces"
say gw-1 whole "$pieces" 11744
hears sensor-01 "token=$TOKEN status=1 offset=0 size=4096"
spoil "$BENCH/depot/manifests/$manifest" 100
restart
gateway
talk sensor-01 serin/1/dev/sensor-01/block
ask sensor-01 "$manifest" 0 4096 4096
hears gw-1 "want kind=2 object=$manifest offset=0 length=4096"
hears_not sensor-01 "token=$TOKEN"
fill "$manifest"
say gw-1 whole "$manifest" 592
hears sensor-01 "token=$TOKEN status=1 offset=0 size=592"
got sensor-01 "$MANIFEST"
note "a damaged table or manifest blames itself, not the image"

title "what is not to be had"
orders sequence=3 stable="$manifest" candidate="$(printf '%064d' 77)" state=rolling
ask sensor-01 "$(printf '%064d' 77)" 0 4096 4096
hears gw-1 "want kind=1 object=$(printf '%064d' 77)"
say gw-1 absent "$(printf '%064d' 77)" 2 60000
hears sensor-01 "token=$TOKEN status=2 .*retry=60000"
ask sensor-01 "$(printf '%064d' 77)" 0 4096 4096
hears sensor-01 "token=$TOKEN status=2 .*retry=5[0-9][0-9][0-9][0-9]"
hears_not gw-1 "want"
say gw-1 absent "$(printf '%064d' 77)" 5 0
settle gw-1
ask sensor-01 "$(printf '%064d' 77)" 0 4096 4096
hears gw-1 "want kind=1 object=$(printf '%064d' 77)"
say gw-1 absent "$(printf '%064d' 77)" 5 0
hears sensor-01 "token=$TOKEN status=5"

title "a halt reaches what waits"
for ((n = 10; n < 18; n += 2)); do # what waits is tried each second anyway: once could be luck
    ask sensor-01 "$(printf '%064d' 77)" 0 4096 4096
    hears_not sensor-01 "token=$TOKEN"
    orders sequence=$n stable="$manifest" candidate="$(printf '%064d' 77)" state=halted
    sleep 0.25
    heard sensor-01 "token=$TOKEN status=5" >/dev/null || fail "a halt does not reach what waits at once"
    orders sequence=$((n + 1)) stable="$manifest" candidate="$(printf '%064d' 77)" state=rolling
done
orders sequence=20 stable="$manifest" candidate="$(printf '%064d' 77)" state=halted
ok "four of four"

title "a route table"
head -c 700 /dev/urandom >"$BENCH/routes.bin"
routes=$("$PROBE" store "$BENCH/cloud" "$BENCH/routes.bin" | sed 's/^image=//')
ask sensor-01 "$routes" 0 4096 4096
hears sensor-01 "token=$TOKEN status=5"
orders sequence=21 stable="$manifest" routes="$routes"
restart # the record's head does not name it, the directive inside does
gateway
talk sensor-01 serin/1/dev/sensor-01/block
ask sensor-01 "$routes" 0 4096 4096
hears gw-1 "want kind=1 object=$routes offset=0 length=4096"
fill "$routes"
say gw-1 whole "$routes" 700
hears sensor-01 "token=$TOKEN status=1 offset=0 size=700 end=700"
got sensor-01 "$BENCH/routes.bin"

title "a full disk: pieces for the plugin's memory"
head -c 10000 /dev/urandom >"$BENCH/small.bin"
# shellcheck disable=SC2046
eval "$("$PROBE" release "$BENCH/cloud" "$BENCH/small.bin" | sed 's/^/small_/')"
# shellcheck disable=SC2154
orders sequence=22 stable="$manifest" candidate="$small_manifest" state=rolling
ask sensor-01 "$small_manifest" 0 4096 4096
hears gw-1 "want kind=1 object=$small_manifest"
say gw-1 data "$small_manifest" "$BENCH/cloud/manifests/$small_manifest" 0
hears sensor-01 "token=$TOKEN status=1 offset=0 size=592"
got sensor-01 "$BENCH/cloud/manifests/$small_manifest"
# shellcheck disable=SC2154
ask sensor-01 "$small_pieces" 0 4096 4096
hears gw-1 "want kind=1 object=$small_pieces"
SMALL_TABLE=$BENCH/cloud/objects/${small_pieces:0:2}/$small_pieces
say gw-1 data "$small_pieces" "$SMALL_TABLE" 0
hears sensor-01 "token=$TOKEN status=1 offset=0 size=96"
got sensor-01 "$SMALL_TABLE"
# shellcheck disable=SC2154
ask sensor-01 "$small_image" 4096 8192 4096
hears gw-1 "want kind=1 object=$small_image offset=4096 length=5904"
cp "$BENCH/small.bin" "$BENCH/bad.bin"
spoil "$BENCH/bad.bin" 5000
say gw-1 data "$small_image" "$BENCH/bad.bin" 1
hears_not sensor-01 "token=$TOKEN"
grep -q "the gateway sent a wrong piece at byte 4096 of object $small_image" "$BENCH/log/broker.log" ||
    fail "no word about the wrong piece"
say gw-1 data "$small_image" "$BENCH/small.bin" 1
hears sensor-01 "token=$TOKEN status=1 offset=4096 size=4096 end=8192 object=10000"
got sensor-01 "$BENCH/small.bin"
[ ! -e "$BENCH/depot/manifests/$small_manifest" ] || fail "the plugin writes into the depot"

title "the gateway is away, and counts"
hush gw-1
mkdir -p "$BENCH/twin/devices"
cp "$BENCH/pki/ca.pem" "$BENCH/twin"
certificate "$BENCH/twin/devices/gw-1" "/CN=gw-1" # a device that bears the gateway's name
PKI=$BENCH/twin talk gw-1 serin/1/dev/gw-1/block
ask sensor-01 "$small_image" 8192 4096 4096
hears_not gw-1 want
sleep 1
hears_not gw-1 want
hush gw-1
gateway
hears gw-1 "want kind=1 object=$small_image offset=8192 length=1808" 3
say gw-1 data "$small_image" "$BENCH/small.bin" 2
hears sensor-01 "token=$TOKEN status=1 offset=8192 size=1808 end=10000"
hears gw-1 "want kind=3 object=0* offset=0 length=0 served=[1-9]" 12

title "a full disk: the largest image, whose table is handed over in four parts"
truncate -s 134217728 "$BENCH/large.bin"
head -c 5000 /dev/urandom | dd of="$BENCH/large.bin" conv=notrunc 2>/dev/null
# shellcheck disable=SC2046
eval "$("$PROBE" release "$BENCH/cloud" "$BENCH/large.bin" | sed 's/^/large_/')"
# shellcheck disable=SC2154
orders sequence=23 stable="$manifest" candidate="$large_manifest" state=rolling
ask sensor-01 "$large_manifest" 0 4096 4096
hears gw-1 "want kind=1 object=$large_manifest"
say gw-1 data "$large_manifest" "$BENCH/cloud/manifests/$large_manifest" 0
hears sensor-01 "token=$TOKEN status=1 offset=0 size=592"
mark gw-1
# shellcheck disable=SC2154
ask sensor-01 "$large_image" 4096 4096 4096
hears gw-1 "want kind=1 object=$large_image offset=4096 length=4096"
say gw-1 data "$large_image" "$BENCH/large.bin" 1
# shellcheck disable=SC2154
for at in 0 64 128 192; do
    hears gw-1 "want kind=1 object=$large_pieces offset=$((at * 4096)) length=262144"
    say gw-1 data "$large_pieces" "$BENCH/cloud/objects/${large_pieces:0:2}/$large_pieces" $at 64
done
settle gw-1
ask sensor-01 "$large_image" 4096 4096 4096 # the first one may have waited for too long
hears sensor-01 "token=$TOKEN status=1 offset=4096 size=4096 end=8192 object=134217728"
got sensor-01 "$BENCH/large.bin"
ask sensor-01 "$large_pieces" 1000000 48576 48576
hears sensor-01 "token=$TOKEN status=1 offset=1000000 size=48576 end=1048576 object=1048576"
got sensor-01 "$BENCH/cloud/objects/${large_pieces:0:2}/$large_pieces"
wants=$(grep -c "want kind=1 object=$large_pieces" "$BENCH/log/gw-1.log")
[ "$wants" -le 12 ] || fail "four parts of a table are asked for in $wants wants"

title "what is verified does not give way to what is not"
ask sensor-01 "$pieces" 0 4096 4096
hears sensor-01 "token=$TOKEN status=1 offset=0"
ask sensor-01 "$large_pieces" 0 4096 4096 # used later: with another as large, the first would have to go
hears sensor-01 "token=$TOKEN status=1 offset=0"
printf x | dd of="$BENCH/large.bin" bs=1 seek=9000 conv=notrunc 2>/dev/null
# shellcheck disable=SC2046
eval "$("$PROBE" release "$BENCH/cloud" "$BENCH/large.bin" | sed 's/^/twin_/')"
# shellcheck disable=SC2154
orders sequence=24 stable="$manifest" candidate="$twin_manifest" state=rolling
rm "$BENCH/depot/objects/${pieces:0:2}/$pieces" # from here on it is served from memory
fill "$twin_manifest"
# shellcheck disable=SC2154
fill "$twin_pieces"
spoil "$BENCH/depot/objects/${twin_pieces:0:2}/$twin_pieces" 40
say gw-1 whole "$twin_manifest" 592
settle gw-1
mark gw-1
ask sensor-01 "$twin_pieces" 0 4096 4096
hears gw-1 "want kind=2 object=$twin_pieces"
ask sensor-01 "$pieces" 0 4096 4096
hears sensor-01 "token=$TOKEN status=1 offset=0"
got sensor-01 "$TABLE"
fill "$pieces"
rm "$BENCH/large.bin"

title "a full disk: what a node's own directive offers to it alone"
head -c 9000 /dev/urandom >"$BENCH/own.bin"
cp "$BENCH/own.bin" "$BENCH/bad.bin"
spoil "$BENCH/bad.bin" 100
# shellcheck disable=SC2046
eval "$("$PROBE" release "$BENCH/cloud" "$BENCH/own.bin" | sed 's/^/own_/')"
# shellcheck disable=SC2154
OWN_TABLE=$BENCH/cloud/objects/${own_pieces:0:2}/$own_pieces
# shellcheck disable=SC2154
payload directive sequence=24 stable="$own_manifest" id=sensor-03 >"$BENCH/directive.bin"
say gw-1 publish 1 1 serin/1/dev/sensor-03/directive "$BENCH/directive.bin"
settle gw-1
talk sensor-03 serin/1/dev/sensor-03/block
ask sensor-03 "$own_manifest" 0 4096 4096
hears gw-1 "want kind=1 object=$own_manifest"
say gw-1 data "$own_manifest" "$BENCH/cloud/manifests/$own_manifest" 0
hears sensor-03 "token=$TOKEN status=1 offset=0 size=592"
ask sensor-03 "$own_pieces" 0 4096 4096
hears gw-1 "want kind=1 object=$own_pieces"
say gw-1 data "$own_pieces" "$OWN_TABLE" 0
hears sensor-03 "token=$TOKEN status=1 offset=0 size=96"
# shellcheck disable=SC2154
ask sensor-03 "$own_image" 0 4096 4096
hears gw-1 "want kind=1 object=$own_image"
say gw-1 data "$own_image" "$BENCH/bad.bin" 0
settle gw-1
hears_not sensor-03 "token=$TOKEN"
grep -q "the gateway sent a wrong piece at byte 0 of object $own_image" "$BENCH/log/broker.log" ||
    fail "no word about the wrong piece of a node's own image"
say gw-1 data "$own_image" "$BENCH/own.bin" 0
hears sensor-03 "token=$TOKEN status=1 offset=0 size=4096 end=4096"
got sensor-03 "$BENCH/own.bin"

title "a full disk: a piece that comes before its table"
restart
gateway
talk sensor-03 serin/1/dev/sensor-03/block
fill "$own_manifest"
ask sensor-03 "$own_image" 0 4096 4096
hears gw-1 "want kind=1 object=$own_image"
say gw-1 data "$own_image" "$BENCH/bad.bin" 0
hears gw-1 "want kind=1 object=$own_pieces offset=0 length=96"
hears_not sensor-03 "token=$TOKEN"
say gw-1 data "$own_pieces" "$OWN_TABLE" 0
settle gw-1
hears_not sensor-03 "token=$TOKEN"
say gw-1 data "$own_image" "$BENCH/own.bin" 0
hears sensor-03 "token=$TOKEN status=1 offset=0 size=4096 end=4096"
got sensor-03 "$BENCH/own.bin"
restart # and a right one: it is verified when the table comes, and not asked for again
gateway
talk sensor-03 serin/1/dev/sensor-03/block
ask sensor-03 "$own_image" 4096 4096 4096
hears gw-1 "want kind=1 object=$own_image offset=4096"
say gw-1 data "$own_image" "$BENCH/own.bin" 1
hears gw-1 "want kind=1 object=$own_pieces"
say gw-1 data "$own_pieces" "$OWN_TABLE" 0
hears sensor-03 "token=$TOKEN status=1 offset=4096 size=4096 end=8192"
got sensor-03 "$BENCH/own.bin"
title "a full disk: the broker starts anew in the middle of a download"
restart # of the manifest nothing is left, and the node has it already
gateway
talk sensor-03 serin/1/dev/sensor-03/block
rm "$BENCH/depot/manifests/$own_manifest"
ask sensor-03 "$own_image" 4096 4096 4096
hears gw-1 "want kind=1 object=$own_image offset=4096"
hears gw-1 "want kind=1 object=$own_manifest offset=0"
say gw-1 data "$own_image" "$BENCH/own.bin" 1
say gw-1 data "$own_manifest" "$BENCH/cloud/manifests/$own_manifest" 0
hears gw-1 "want kind=1 object=$own_pieces"
say gw-1 data "$own_pieces" "$OWN_TABLE" 0
hears sensor-03 "token=$TOKEN status=1 offset=4096 size=4096 end=8192"
got sensor-03 "$BENCH/own.bin"
hush sensor-03

title "faults: the broker is killed at each of its points at a site"
for point in plugin.want.said plugin.have.heard plugin.park.served plugin.block.sent; do
    rm -f "$WHOLE" "$PART"
    restart $point:1
    gateway
    talk sensor-01 serin/1/dev/sensor-01/block
    ask sensor-01 "$image" 0 4096 4096
    part 0 8192
    say gw-1 part "$image" 1500001 fresh 0 8192 2>/dev/null || true
    expect_killed broker 10
    gone
    site_start
    gateway
    talk sensor-01 serin/1/dev/sensor-01/block
    say gw-1 part "$image" 1500001 fresh 0 8192
    settle gw-1
    ask sensor-01 "$image" 0 4096 4096
    hears sensor-01 "token=$TOKEN status=1 offset=0 size=4096"
    got sensor-01 "$BENCH/image.bin"
done

title "a download while the depot is being filled"
restart
gateway
(
    sleep 0.3
    for ((at = 0; at < 1500001; at += 102400)); do
        end=$((at + 102400 < 1500001 ? at + 102400 : 1500001))
        part $at $end
        echo "part $image 1500001 more $at $end" >&"${INPUT[gw-1]}"
        sleep 0.1
    done
) &
filler=$!
for id in sensor-02 sensor-03; do
    "$PROBE" fetch "$BROKER_PORT" "$BENCH/pki" $id "$image" "$BENCH/out-$id" 16384 65536 >"$BENCH/log/fetch-$id.log" 2>&1 &
    PID[fetch-$id]=$!
done
for id in sensor-02 sensor-03; do
    wait "${PID[fetch-$id]}" || fail "$id did not get the image: $(cat "$BENCH/log/fetch-$id.log")"
    unset "PID[fetch-$id]"
    cmp -s "$BENCH/image.bin" "$BENCH/out-$id" || fail "the image of $id is not byte-identical"
    ok "$id: $(cat "$BENCH/log/fetch-$id.log")"
done
wait $filler
hush gw-1
stop broker

printf '\n%d checks passed\n' "$CHECKS"
