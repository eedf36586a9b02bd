#!/usr/bin/env bash
# make_corpus.sh: writes the seeds of the fuzz targets anew from the golden vectors, good and refused; topics with one of
# each, filters, and records of the order guard. Inputs that a campaign found are kept beside them, under names of their own, and are not touched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
vectors=../vectors/v1

seed() { # seed TARGET NAME < content
    mkdir -p "corpus/$1"
    cat >"corpus/$1/$2"
}

for kind in manifest trust bundle; do
    seed "$kind" good <"$vectors/$kind.bin"
done
seed route good <"$vectors/routes.bin"
head -c -1 "$vectors/routes.bin" | seed route refused-cut
while read -r file kind _; do
    seed "$kind" "refused-${file%.bin}" <"$vectors/refused/$file"
done <"$vectors/refused.txt"

for file in "$vectors"/wire/*.bin; do
    name=$(basename "$file" .bin)
    case "$name" in
    report-*-body) ;; # not a payload of its own
    envelope-*) seed directive "wire-$name" <"$file" ;;
    *) seed "${name%%-*}" "wire-$name" <"$file" ;;
    esac
done

# What the wire's vectors say is refused, each with one thing wrong; and what Protocol Buffers let a sender do with the good ones:
# a field that nobody knows, every field twice, the end left out.
unhex() { python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$1"; }
declare -A refused
while read -r kind _ bytes _; do
    [ "$bytes" != - ] || bytes=
    [ "$kind" != envelope ] || kind=directive
    refused[$kind]=$((${refused[$kind]-0} + 1))
    unhex "$bytes" | seed "$kind" "refused-wire-$(printf %02d "${refused[$kind]}")"
done < <(grep -v '^#' "$vectors/wire/refused.txt")
for file in "$vectors"/wire/{report,ack,block,get,beat,hold}-*.bin; do
    name=$(basename "$file" .bin)
    [[ $name != *-body ]] || continue
    { cat "$file" && printf '\xf8\x07\x01\xc2\x3e\x02hi'; } | seed "${name%%-*}" "wire-$name-unknown"
    cat "$file" "$file" | seed "${name%%-*}" "wire-$name-twice"
    head -c -1 "$file" | seed "${name%%-*}" "refused-wire-$name-cut"
done

# Both codecs of the wire on the same bytes: a byte chooses the kind, in the order of tests/unit/wire_values.c.
wires=(envelope directive trust_payload report ack beat get block hold presence)
wire_kind() {
    local i
    for i in "${!wires[@]}"; do
        [ "${wires[i]}" != "$1" ] || printf "\\x$(printf %02x "$i")"
    done
}
for file in "$vectors"/wire/*.bin; do
    name=$(basename "$file" .bin) kind=${name%%-*}
    case $name in
    report-*-body) continue ;;
    directive-channel | directive-targeted) kind=envelope ;;
    esac
    { wire_kind "$kind" && cat "$file"; } | seed codecs "$name"
    { wire_kind "$kind" && cat "$file" && printf '\xf8\x07\x01\xc2\x3e\x02hi'; } | seed codecs "$name-unknown"
    { wire_kind "$kind" && cat "$file" "$file"; } | seed codecs "$name-twice"
    { wire_kind "$kind" && head -c -1 "$file"; } | seed codecs "refused-$name-cut"
done
number=0
while read -r kind _ bytes _; do
    number=$((number + 1))
    [ "$bytes" != - ] || bytes=
    { wire_kind "$kind" && unhex "$bytes"; } | seed codecs "refused-$(printf %02d "$number")"
done < <(grep -v '^#' "$vectors/wire/refused.txt")

# A byte chooses the kind, in the order of tests/unit/site_values.c.
kinds=(batch batch_items ack_batch gw_status want have have_part)
site_kind() {
    local i
    for i in "${!kinds[@]}"; do
        [ "${kinds[i]}" != "$1" ] || printf "\\x$(printf %02x "$i")"
    done
}
for file in "$vectors"/site/*.bin; do
    name=$(basename "$file" .bin)
    { site_kind "${name%%-*}" && cat "$file"; } | seed site "site-$name"
done

# A site's plugin: each word of the gateway, followed by a question, a parked request and a want about its object.
for file in "$vectors"/site/have*.bin; do
    size=$(stat -c %s "$file")
    {
        printf "\\x00\\x$(printf %02x $((size % 256)))\\x$(printf %02x $((size / 256)))"
        cat "$file"
        printf '\x01\x00\x00\x00\x00\x00\x00\x20\x00\x00\x02\x03\x00\x07\x00\x00\x10\x00\x00\x00\x40\x00\x00'
    } | seed plugin_site "site-$(basename "$file" .bin)"
done

number=0
while read -r topic; do
    number=$((number + 1))
    printf 'serin/1/%s' "$topic" | seed topic "kind-$(printf %02d "$number")"
done <<'TOPICS'
directive/lamp/stable
dev/d-7/directive
dev/d-7/report
dev/d-7/ack
dev/d-7/beat
dev/d-7/get
dev/d-7/block
gw/g-1/reports
gw/g-1/acks
gw/g-1/status
gw/g-1/get
gw/g-1/block
trust/lamp
hold/lamp
depot/have
depot/want
presence/d-7
TOPICS

number=0
while read -r filter; do
    number=$((number + 1))
    printf '%s' "$filter" | seed filter "filter-$(printf %02d "$number")"
done <<'FILTERS'
#
+/#
serin/#
serin/1/dev/me/ack
serin/1/dev/me/#
serin/1/dev/+/report
+/1/dev/+/beat
+/+/+/+/+
serin/1/directive/+/+
serin/1/directive/lamp/stable/#
serin/1/trust/+
serin/1/presence/#
serin/1/gw/+/status
serin/1/hold/lamp
serin/1/depot/+
other/#
$SYS/#
$share/g/serin/1/dev/+/report
$share/g/other/#
FILTERS

little() { # little BYTES VALUE: little-endian
    local i
    for ((i = 0; i < $1; i++)); do
        # shellcheck disable=SC2059
        printf "\\x$(printf %02x $(($2 >> (8 * i) & 255)))"
    done
}
field() { head -c "$1" <(printf '%s' "$2" && cat /dev/zero); } # field SIZE TEXT: NUL-padded
# guard_record EPOCH SEQUENCE STATE STABLE-COUNT CANDIDATE-COUNT TOPIC PAYLOAD, as broker-plugin/include/serin/plugin/guard.h
# draws it; gzip's trailer begins with the CRC.
guard_record() {
    local head
    head=$(mktemp)
    {
        printf 'SRNG' && little 2 1 && little 2 348 && little 4 "$1" && little 4 "$2" && little 1 "$3" && little 1 "$4"
        little 1 "$5" && field 5 '' && field 160 "$6" && field 64 stable && field 64 candidate && field 32 content
        little 2 ${#7} && little 2 0 && printf '%s' "$7"
    } >"$head"
    cat "$head" && gzip -c "$head" | tail -c 8 | head -c 4
    rm "$head"
}
guard_record 1 5 2 1 1 serin/1/directive/lamp/stable payload | seed guard channel
guard_record 3 4294967295 4 2 2 serin/1/dev/d-7/directive payload | seed guard halted
guard_record 0 7 1 0 0 serin/1/trust/lamp payload | seed guard trust
guard_record 1 1 1 0 0 serin/1/directive/lamp/stable '' | seed guard refused-empty
guard_record 1 1 1 0 0 serin/1/dev/d-7/report payload | seed guard refused-topic
guard_record 1 0 1 0 0 serin/1/trust/lamp payload | seed guard refused-sequence

# promised SIZE: what a stream is to become, as fuzz_inflate.c reads it.
promised() { little 1 $((($1 - 1) >> 8)) && little 1 $((($1 - 1) & 255)); }
deflated() { python3 -c 'import sys, zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))'; }
words() { python3 -c 'import sys; sys.stdout.write(("lamp stable confirmed " * 300)[:int(sys.argv[1])])' "$1"; }
{ promised 4096 && words 4096 | deflated; } | seed inflate words
{ promised 4095 && words 4096 | deflated; } | seed inflate refused-more
{ promised 4097 && words 4096 | deflated; } | seed inflate refused-less
{ promised 4096 && words 4096 | deflated && printf x; } | seed inflate refused-behind
{ promised 65536 && head -c 8000000 /dev/zero | deflated; } | seed inflate refused-bomb
{ promised 16 && printf '0123456789abcdef' | deflated; } | seed inflate short
{ promised 16 && printf '\x78\xbb\x01\x02\x03\x04\x03\x00\x00\x00\x00\x01'; } | seed inflate refused-dictionary

# Steps of the planner's fuzz target (fuzz_gateway_fill.c): a want, time, blocks, a cut, a full disk.
bytes() { printf '%b' "$(printf '\\x%s' "$@")"; }
bytes 01 10 00 00 00 00 00 10 00 0b 01 06 40 00 06 ff ff | seed gateway_fill download
bytes 00 10 00 00 06 00 00 02 50 00 07 00 00 00 00 10 00 06 ff ff 07 20 06 ff ff | seed gateway_fill table
bytes 01 10 00 00 00 00 00 10 00 06 00 01 03 09 00 00 00 0f ff 03 08 00 04 00 0f ff 06 20 00 | seed gateway_fill blocks
bytes 01 10 00 00 00 00 00 10 00 0b 00 06 10 00 08 06 10 00 08 06 ff ff 0a 10 00 06 ff ff | seed gateway_fill full-rot
bytes 01 10 00 00 00 00 00 10 00 0b 00 06 08 00 09 06 10 00 09 0b 01 06 20 00 0b 00 | seed gateway_fill refused

# The audit log's chain (fuzz_audit.c): logs as they stand, sealed here by hand, and what happens to a log.
zeros=$(printf '0%.0s' {1..64})
sealed() { # sealed SEQ PREV [MEMBERS]: a line; its hash goes to $hash
    local line='{"time":"2026-01-31T12:00:00.000Z","text":"a"'${3-}',"seq":'$1',"prev":"'$2'"'
    hash=$({ printf 'serin/audit/1\0' && printf '%s' "$line"; } | sha256sum | cut -c1-64)
    printf '%s,"hash":"%s"}\n' "$line" "$hash"
}
audit_log() { # three lines, and between the first two of them a tear
    local part='{"time":"2026-01' torn
    torn=',"unchained":{"size":16,"sha256":"'$(printf '%s' "$part" | sha256sum | cut -c1-64)'"}'
    sealed 1 "$zeros" && printf '%s\n' "$part" && sealed 2 "$hash" "$torn" && sealed 3 "$hash"
}
{ printf r && audit_log; } | seed audit log
{ printf r && audit_log | sed '$d' && audit_log | sed -n 1p; } | seed audit refused-order
{ printf r && audit_log | tr a b; } | seed audit refused-altered
{ printf r && audit_log | python3 -c 'import sys; sys.stdout.write(sys.stdin.read(300))'; } | seed audit refused-torn
{ printf r && printf '{"what":"start"}\n'; } | seed audit refused-unchained
bytes 00 05 0d 03 1e 04 05 2b 05 04 0b 05 | seed audit story
bytes 00 05 05 00 05 01 02 05 0a 05 | seed audit harm

# What a broker says to a board's client, behind three bytes of sizes (fuzz_mqtt_client.c).
accepted='20 02 00 00'
# shellcheck disable=SC2086
{
    bytes c0 ff ff $accepted 31 07 00 03 61 2f 62 68 69 32 06 00 01 63 12 34 00 | seed mqtt_client messages
    bytes 00 00 00 $accepted 90 03 00 01 01 40 02 00 02 d0 00 30 03 00 01 65 | seed mqtt_client answers
    { bytes 00 10 10 $accepted 32 ac 02 00 03 61 2f 62 00 09 && head -c 293 /dev/zero && bytes 30 03 00 01 65; } |
        seed mqtt_client skipped
    { bytes 00 ff 00 $accepted && for i in 1 2 3 4 5 6 7 8 9; do bytes 32 05 00 01 74 00 0$i; done; } | seed mqtt_client acks
    bytes 00 ff ff 20 02 00 05 | seed mqtt_client refused-connack
    bytes 00 ff ff $accepted 30 80 80 80 80 01 | seed mqtt_client refused-length
    bytes 00 ff ff $accepted 34 06 00 02 61 62 00 01 | seed mqtt_client refused-qos
    bytes 00 ff ff $accepted 30 05 00 04 61 62 63 | seed mqtt_client refused-topic
}

# Patches of a device's flash (fuzz_flash.c).
python3 flash_seeds.py corpus

# Deltas (fuzz_delta.c): the golden patches over another image than theirs, and pairs of images by edits.
for arch in none thumb xtensa riscv; do
    case $arch in none) number=0 ;; thumb) number=8 ;; xtensa) number=16 ;; riscv) number=24 ;; esac
    for backend in store small best; do
        case $backend in store) kind=0 ;; small) kind=2 ;; best) kind=4 ;; esac
        { little 1 $((number + kind)) && bytes 35 07 80 && tail -c +57 "$vectors/delta/$arch-$backend.delta"; } |
            seed delta "$arch-$backend"
    done
    { little 1 $((number + 4 + 33)) && bytes 17 09 20 3f 04 3f 04 47 03 bf 11 20 05 ff 07; } | seed delta "$arch-alone"
    { little 1 $((number + 2 + 1)) && bytes 17 09 20 3f 04 3f 04 47 03 bf 11 20 05 ff 07; } | seed delta "$arch-edits"
done
