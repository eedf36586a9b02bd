#!/usr/bin/env bash
# The network of the board mps2-an385 in QEMU against a real Mosquitto with TLS and client certificates: LAN9118, lwIP with DHCP, TLS by
# wolfSSL, the MQTT client. Prints text, heap and stack.
#
#   network.sh BUILD_FOLDER     one that preset `mcu` has configured, with mps2-network-probe built
#   KEEP=1                      keeps the folder of the test
set -euo pipefail
build=$(cd "$1" && pwd) root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
probe=$build/bin/mps2-network-probe
declare -A PID=()

bench=$(mktemp -d "${TMPDIR:-/tmp}/serin-board-network.XXXXXX")
finish() {
    local status=$? name
    trap - EXIT
    for name in "${!PID[@]}"; do
        kill -KILL "${PID[$name]}" 2>/dev/null || true
        wait "${PID[$name]}" 2>/dev/null || true
    done
    [ "$status" -eq 0 ] || tail -n 20 "$bench"/*.log >&2
    [ -n "${KEEP-}" ] && echo "kept: $bench" || rm -rf "$bench"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM
fail() {
    echo "FAILED: $*" >&2
    exit 1
}
wait_for() { # SECONDS WHAT COMMAND…
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "gave up waiting until $what"
        sleep 0.2
    done
}
stop() {
    kill "${PID[$1]}" 2>/dev/null || true
    wait "${PID[$1]}" 2>/dev/null || true
    unset "PID[$1]"
}
free_port() {
    local port
    for _ in $(seq 100); do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return; }
    done
    fail "no free port"
}

# ---- a CA, a broker's certificate, a device's; and another CA with the same ----

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
authority() { # NAME
    key "$bench/$1.key"
    openssl req -x509 -key "$bench/$1.key" -subj "/CN=$1" -days 2 -out "$bench/$1.pem"
}
certificate() { # NAME CA SUBJECT EXTENSION
    key "$bench/$1.key"
    openssl req -new -key "$bench/$1.key" -subj "$3" |
        openssl x509 -req -CA "$bench/$2.pem" -CAkey "$bench/$2.key" -CAcreateserial -days 2 -extfile <(echo "$4") \
            -out "$bench/$1.pem" 2>>"$bench/openssl.log"
}
authority ca
authority other
certificate broker ca /CN=broker subjectAltName=DNS:broker.test,DNS:localhost
certificate sensor ca /CN=sensor-01 ""
certificate test ca /CN=test ""
certificate stranger other /CN=sensor-01 ""

port=$(free_port)
cat >"$bench/mosquitto.conf" <<CONF
listener $port 127.0.0.1
cafile $bench/ca.pem
certfile $bench/broker.pem
keyfile $bench/broker.key
require_certificate true
use_identity_as_username true
allow_anonymous false
max_inflight_messages 0
max_queued_messages 0
connection_messages true
CONF
[ "$(id -u)" -ne 0 ] || echo "user root" >>"$bench/mosquitto.conf"
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
broker_start() {
    "$(command -v mosquitto || echo /usr/sbin/mosquitto)" -c "$bench/mosquitto.conf" >>"$bench/broker.log" 2>&1 &
    PID[broker]=$!
    wait_for 10 "the broker listens" listens
}

# ---- the board, and the other side ----

# The image's own place is RAM at 0x20200000, and the processor starts by the vectors at 0: a copy of them lies there.
board_start() {
    : >"$bench/uart.log"
    qemu-system-arm -M mps2-an385,memory-backend=fl -object "memory-backend-file,id=fl,size=16M,mem-path=$bench/flash.bin,share=on" \
        -nic user,model=lan9118,restrict=off -display none -monitor none -serial "file:$bench/uart.log" \
        -device "loader,file=$probe.elf" -device "loader,file=$probe.bin,addr=0,force-raw=on" >>"$bench/qemu.log" 2>&1 &
    PID[board]=$!
}
credentials() { # NAME CA SERVER-NAME
    rm -f "$bench/flash.bin"
    "$root/device/ports/mps2/tools/credentials.py" "$bench/flash.bin" --broker "10.0.2.2:$port" --name "$3" --ca "$bench/$2.pem" \
        --certificate "$bench/$1.pem" --key "$bench/$1.key"
}
client() { # TOOL ARGUMENTS…
    local tool=$1
    shift
    ${EXEC-} "$tool" -h localhost -p "$port" --cafile "$bench/ca.pem" --cert "$bench/test.pem" --key "$bench/test.key" "$@"
}
listen() {
    : >"$bench/up.log"
    EXEC=exec client mosquitto_sub -q 1 -t probe/up >>"$bench/up.log" 2>&1 &
    PID[up]=$!
}
heard() { grep -qFx -- "$1" "$bench/up.log"; }
count_is() { [ "$(grep -c "$2" "$bench/up.log")" -ge "$1" ]; }
says() { client mosquitto_pub -q 1 -t probe/down -m "$1"; }
said() { grep -qF -- "$1" "$bench/uart.log"; }
answer() { # FILE: what the board must answer to it
    python3 -c 'import sys, zlib; b = open(sys.argv[1], "rb").read(); print(f"got {len(b):08x} {zlib.crc32(b):08x}")' "$1"
}

broker_start
listen
credentials sensor ca broker.test
board_start
wait_for 30 "the board says hello" heard "hello 00000001"
grep -q "as probe (.* u'sensor-01')" "$bench/broker.log" || fail "the broker does not know the board by its certificate"

# Messages of all sizes up to the inbox come whole; a larger one is skipped.
for size in 1 100 1395 1396 1460 4085 4096 4097 5000; do
    head -c "$size" /dev/urandom >"$bench/message"
    client mosquitto_pub -q 1 -t probe/down -f "$bench/message"
    wait_for 10 "$size bytes are answered" heard "$(answer "$bench/message")"
done
# A burst, larger than the window of TCP and the controller's FIFO.
head -c 3000 /dev/zero | tr '\0' x >"$bench/message"
before=$SECONDS
for _ in $(seq 200); do cat "$bench/message" && echo; done | client mosquitto_pub -q 1 -t probe/down -l
wait_for 60 "200 messages of a burst are answered" count_is 200 "$(answer "$bench/message")"
burst=$((SECONDS - before))
[ "$(grep -c "$(answer "$bench/message")" "$bench/up.log")" -eq 200 ] || fail "a message came twice"
! said untold || fail "the board lost an answer"

# No buffer is left for what comes: frames are dropped, and sent again.
says full
head -c 1000 /dev/urandom >"$bench/message"
client mosquitto_pub -q 1 -t probe/down -f "$bench/message"
wait_for 20 "a message is answered that found no buffer" heard "$(answer "$bench/message")"

# It leaves and comes back; nothing is left of a connection that is over.
says leave
wait_for 10 "the board is back" count_is 2 "hello 00000001"
says figures
wait_for 10 "the figures come" count_is 1 figures
for round in 3 4 5 6; do
    says leave
    wait_for 10 "the board is back" count_is $round "hello 00000001"
done
says figures
wait_for 10 "the figures come again" count_is 2 figures
[ "$(grep figures "$bench/up.log" | cut -d' ' -f2 | sort -u | wc -l)" -eq 1 ] || fail "a connection leaks heap: $(grep figures "$bench/up.log")"

# After a reset nothing repeats itself, so that the new connection is not taken for the old one: the second time both are the first of
# their boots.
for boot in 2 3; do
    before=$SECONDS
    says reset
    wait_for 10 "the board is back after a reset" heard "hello 0000000$boot"
    reset=$((SECONDS - before))
done
# The power goes; the broker goes.
stop board
board_start
wait_for 15 "the board is back after its power was off" heard "hello 00000004"
stop up
stop broker
wait_for 10 "the board sees that the broker is gone" said lost
broker_start
listen
wait_for 15 "the board is back at the broker" heard "hello 00000004"
# It stops answering, for longer than the board waits: nobody ends the connection but the board.
: >"$bench/uart.log"
kill -STOP "${PID[broker]}"
wait_for 20 "the board gives a silent broker up" said "lost"
kill -CONT "${PID[broker]}"
wait_for 20 "the board is back at the broker that was silent" said connected
wait_for 10 "it says so" count_is 2 "hello 00000004"
says figures
wait_for 10 "the figures come" count_is 1 figures
read -r _ _ peak stack <<<"$(grep figures "$bench/up.log")"
stop board

# Whom it does not take: wolfSSL's words are ASN_NO_SIGNER_E and DOMAIN_NAME_MISMATCH. Who is not taken: an alert.
refuses() { # WHAT WHY CREDENTIALS…
    credentials "${@:3}"
    board_start
    wait_for 15 "$1" said "tls $2"
    ! said connected || fail "the board connected, though $1"
    stop board
}
refuses "another CA signed the broker's certificate" 000000bc sensor other broker.test
refuses "the broker has another name" 00000142 sensor ca another.test
refuses "another CA signed the board's certificate" 00000139 stranger ca broker.test

printf 'board network: text %d bytes; heap of TLS %d at the most; stack %d; 200 × 3000 bytes in %d s; back %d s after a reset\n' \
    "$("${SIZE:-arm-none-eabi-size}" "$probe.elf" | awk 'NR == 2 { print $1 }')" $((16#$peak)) $((16#$stack)) "$burst" "$reset"
