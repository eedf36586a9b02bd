#!/usr/bin/env bash
# board.rot: what a board's flash loses while the power is off. A bit of the image that runs; a bit in each bank of the boot log; the whole boot
# log and a bit of the image; the whole boot log. Each time it boots what is whole, says so to serind, and writes what is lost anew from the
# other slot; then it takes the next release. With a bit of both images gone nothing boots: it says what to do, and does what it did before
# once that is done.
#
#   rot.sh BOARD_BUILD_FOLDER       with SERIN_BIN and SERIN_PLUGIN as every end-to-end test (tests/e2e/lib.sh)
set -euo pipefail
BOARD=$(cd "$1" && pwd)
. "$(dirname "${BASH_SOURCE[0]}")/board_lib.sh"
# Of the flash file (memory.h, layout.c): the two banks of the boot log; the image in each slot, behind manifest, pieces and journal.
BANK=4096 LOG=$((0x10000)) IMAGE_A=$((0x10000 + 0x9000 + 24576)) IMAGE_B=$((0x10000 + 0x184000 + 24576))
board_bench rot "$BOARD/bin/serin-sensor.bin"

title "2.0.0 runs in slot B, and stands in both"
board_start
wait_for 60 "serind knows all three" known_devices 3
{ cat "$BOARD/bin/serin-sensor.bin" && head -c 20000 /dev/urandom; } >"$BENCH/image-2.0.0"
release 2.0.0 "$BENCH/image-2.0.0" --counter 1
id=$(rollout_of 2.0.0)
wait_for 60 "rollout $id is complete" rollout_is "$id" completed
shows() { # SLOT: where it runs; the other one is a copy
    board_shows --arg s "$1" '.version == "2.0.0" and .slot == $s and .floor == 1 and .redundancy == "mirrored" and .online'
}
wait_for 60 "both slots hold 2.0.0" shows B
whole() { # OFFSET of an image
    python3 -c 'import sys
image = open(sys.argv[1], "rb").read()
flash = open(sys.argv[2], "rb")
flash.seek(int(sys.argv[3]))
sys.exit(flash.read(len(image)) != image)' "$BENCH/image-2.0.0" "$FLASH" "$1"
}
whole $IMAGE_A && whole $IMAGE_B || fail "the slots do not hold the image"

# In the last record of a bank.
newest() { # BANK
    python3 -c 'import sys
bank = open(sys.argv[1], "rb").read()[int(sys.argv[2]):][:int(sys.argv[3])]
print(int(sys.argv[2]) + len(bank.rstrip(b"\xff")) - 8)' "$FLASH" $((LOG + $1 * BANK)) $BANK
}
noise() { dd if=/dev/urandom of="$FLASH" bs=$BANK seek=$((LOG / BANK)) count=2 conv=notrunc status=none; }

rots() { # WHAT SLOT COMMAND…: the power goes, the command spoils the flash; it comes back in the slot, and mends what was spoilt
    local what=$1 slot=$2 before
    shift 2
    title "$what"
    kill_hard board
    "$@"
    before=$(board_shows -r .last_beat)
    fresh "$news"
    board_start
    came_back() { board_shows --arg b "$before" '.last_beat > $b' && shows "$slot"; }
    wait_for 60 "it runs in slot $slot, and both hold the release" came_back
    whole $IMAGE_A && whole $IMAGE_B || fail "an image is not whole"
    note "it runs in slot $slot, has said so, and both images are whole"
}
news=$(linux_rollout 2.5.0)
spoil() { flip "$1" && ! whole "$2" || fail "the image is not spoilt"; }
rots "A bit of the image that runs" A spoil $((IMAGE_B + 100)) $IMAGE_B
# The record before it tells of slot B.
rots "A bit of the newest record in both banks of the boot log" B flip "$(newest 0)" "$(newest 1)"
both() { noise && spoil $((IMAGE_A + 70000)) $IMAGE_A; }
rots "The whole boot log, and a bit of the image that would be first without it" B both
# Both images are whole, so only where the log is lost is it A.
rots "The whole boot log" A noise
"$SERIN" rollout abort "$news" >/dev/null

title "The next release"
{ cat "$BOARD/bin/serin-sensor.bin" && printf 3; } >"$BENCH/image-3.0.0"
release 3.0.0 "$BENCH/image-3.0.0" --counter 1
id=$(rollout_of 3.0.0)
wait_for 60 "rollout $id is complete" rollout_is "$id" completed
board_confirmed 3.0.0

title "A bit of both images"
kill_hard board
flip $((IMAGE_A + 100)) $((IMAGE_B + 70000))
board_start
wait_for 30 "it says that nothing boots" board_said "nothing boots: reflash"
note "$(cat "$BENCH/log/uart.log")"
kill_hard board
factory 3.0.0
board_start
back() { board_shows '.version == "3.0.0" and .online and .redundancy == "mirrored"'; }
wait_for 60 "it is back" back
