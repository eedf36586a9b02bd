#!/usr/bin/env bash
# board.sensor: serin-sensor on the emulated board, from the factory to an update: provisioned, booted by the bootloader, connected by TLS to a
# real broker with the plugin, which knows it by its certificate; a release by serind, through a power cut in the middle of the download.
#
#   sensor.sh BOARD_BUILD_FOLDER       with SERIN_BIN and SERIN_PLUGIN as every end-to-end test (tests/e2e/lib.sh)
set -euo pipefail
board=$(cd "$1" && pwd)/bin root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/tests/e2e/lib.sh"
bench_begin sensor
pki 1
broker_start
serind_start
flash=$BENCH/devices/flash.bin

# Releases of an image that the bootloader copies to where it is linked for.
image() { # VERSION FILE
    bundle "$1" "$2" --load-address 0x20200000 --entry 0x20200000
    publish "$1"
}
image 1.0.0 "$board/serin-sensor.bin"
{ cat "$board/serin-sensor.bin"; head -c 1200000 /dev/urandom; } >"$BENCH/image-2"
image 2.0.0 "$BENCH/image-2"

title "The factory"
"$SERIN_BIN/mps2-flash" "$flash" --id sensor-01 --product "$PRODUCT" --channel "$CHANNEL" --root "$BENCH/pki/keys/root.pub" \
    --trust "$BENCH/pki/trust.bin" --bundle "$BENCH/bundles/1.0.0.serin" || fail "mps2-flash"
"$root/device/ports/mps2/tools/credentials.py" "$flash" --broker "10.0.2.2:$BROKER_PORT" --name localhost --ca "$BENCH/pki/ca.pem" \
    --certificate "$BENCH/pki/devices/sensor-01.pem" --key "$BENCH/pki/devices/sensor-01.key"

# The board's clock follows its instructions, so that a busy host makes no watchdog bite.
board_start() {
    : >"$BENCH/log/board.log"
    spawn qemu qemu-system-arm -M mps2-an385,memory-backend=fl -icount shift=3 \
        -object "memory-backend-file,id=fl,size=16M,mem-path=$flash,share=on" -nic user,model=lan9118 -display none -monitor none \
        -serial "file:$BENCH/log/board.log" -kernel "$board/mps2-bootloader.elf"
}
said() { grep -qF -- "$1" "$BENCH/log/board.log"; }

title "It boots and connects"
board_start
wait_for 60 "serind knows the board" device_runs sensor-01 1.0.0

title "A release, and a power cut in its download"
# A board without a clock waits after a reset for the next renewal of the lease, so that is short.
policy 2.0.0 "stages:" "  - {percent: 50, soak: 1s}" "  - {percent: 100, soak: 1s}" "patience: 60s" "deadline: 240s" "lease: 1m"
id=$(rollout 2.0.0)
until said downloading; do alive qemu || fail "QEMU has ended"; done
sleep 0.1
kill_hard qemu
! said staged || fail "the download was over before the power went"
board_start
wait_for 120 "the board has confirmed the release" device_is sensor-01 confirmed 2.0.0
books_hold sensor-01 2.0.0
wait_for 60 "the rollout is complete" rollout_is "$id" completed
! grep -aF 'serin: refused' "$BENCH/log/broker.log" || fail "the plugin refused what the board said"
note "confirmed, and the rollout is complete"
