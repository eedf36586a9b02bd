#!/usr/bin/env bash
# board.sensor: serin-sensor on the emulated board, from the factory to an update: provisioned, booted by the bootloader, connected by TLS to a
# real broker with the plugin, which knows it by its certificate. It takes a release from serind, in a rollout beside Linux agents, while QEMU is
# killed at 20 named points from the first directive to the mirror: it always comes back, fetches on where it was, and the rollout completes.
# Prints what the image weighs and how deep its stack was.
#
#   sensor.sh BOARD_BUILD_FOLDER       with SERIN_BIN and SERIN_PLUGIN as every end-to-end test (tests/e2e/lib.sh)
set -euo pipefail
BOARD=$(cd "$1" && pwd)
. "$(dirname "${BASH_SOURCE[0]}")/board_lib.sh"
STACK_BOUND=8192
image=$BOARD/bin/serin-sensor-faulty # no fault is written into it; it alone can be stopped at points
board_bench sensor "$image.bin"

# Power on, watched (board.py); with a point until the power goes there.
lives=0
life() { # [--until POINT[:COUNT]]
    lives=$((lives + 1))
    LIFE=life-$(printf %02d "$lives")
    : >"$BENCH/log/uart.log"
    spawn "$LIFE" env TMPDIR="$BENCH" python3 "$board_root/tests/board/board.py" "$FLASH" --bootloader "$BOOTLOADER" --image "$image.elf" --log "$BENCH/log/uart.log" "$@"
}
cut_at() { # POINT[:COUNT]: a point that is not passed fails the test
    local status=0
    [ -n "${PID[$LIFE]-}" ] || life --until "$1"
    wait_gone "${PID[$LIFE]}" 900 || fail "the board never passed $1"
    wait "${PID[$LIFE]}" || status=$?
    unset "PID[$LIFE]"
    [ $status -eq 0 ] || fail "QEMU ended before it passed $1"
}

title "From the factory, and a release"
# Its tail differs from what the factory wrote into both slots; the rest is in place already.
{ cat "$image.bin" && head -c 65536 /dev/urandom; } >"$BENCH/image-2.0.0"
release 2.0.0 "$BENCH/image-2.0.0" --counter 1 --confirm-tries 8
life --until agent.directive.stored
wait_for 60 "serind knows all three" known_devices 3
wait_for 20 "the board runs 1.0.0, of which it has two copies" board_shows '.version == "1.0.0" and .redundancy == "mirrored"'
id=$(rollout_of 2.0.0)
cut_at agent.directive.stored

title "The power goes again and again"
for point in agent.accepted agent.download.started agent.slot.invalidated agent.piece.written:3 agent.piece.journaled:5 agent.downloaded \
    agent.verified agent.staged; do
    cut_at "$point"
done
fresh "$id"
for point in agent.armed boot.counting boot.jump agent.trial.started agent.confirmed.before agent.confirmed.booted agent.confirmed.after; do
    cut_at "$point"
done
life --until agent.commit.before
wait_for 60 "rollout $id is complete" rollout_is "$id" completed
linux_runs 2.0.0 >/dev/null || fail "the Linux agents do not run 2.0.0"
cut_at agent.commit.before
next=$(linux_rollout 3.0.0)
for point in agent.commit.after agent.mirror.invalidated agent.mirror.sealed; do
    fresh "$next"
    cut_at "$point"
done
fresh "$next"
life --until agent.never
mirrored() { board_shows '.redundancy == "mirrored" and .floor == 1 and .slot == "B"'; }
wait_for 60 "both slots hold 2.0.0, and its counter is the floor" mirrored
board_confirmed 2.0.0
rollout_json "$id" | jq -e '.tally.confirmed == 3 and .tally.failed == 0' >/dev/null || fail "$(rollout_json "$id" | jq -c .tally)"
! grep -aF 'serin: refused' "$BENCH/log/broker.log" || fail "the plugin refused what the board said"
alive "$LIFE" || fail "the power went at a point that no program has"
stop "$LIFE"

python3 - "$BENCH"/log/life-*.log <<'PYTHON' || fail "verified bytes were asked for again"
import collections
import sys

AGAIN_MAX = 4096 + 4096  # a window, and the piece that was under way
had, table, failed = collections.defaultdict(set), [], False
for path in sys.argv[1:]:
    lines = [line.split() for line in open(path) if line.split()[0] in ("boot", "ask", "at")]
    asked = collections.defaultdict(set)
    for _, name, offset, length in (words for words in lines if words[0] == "ask"):
        asked[name].update(range(int(offset), int(offset) + int(length)))
    again = sum(len(places & had[name]) for name, places in asked.items())
    for name, places in asked.items():
        had[name] |= places
    boots = [" ".join(words[1:]) for words in lines if words[0] == "boot"]
    for row in table:
        row[1] = row[1] or boots[:1]  # the power may go before it has come back
    if table:
        table[-1][2] = again
    table.append([f"{lines[-1][1]}, {lines[-1][2]}", [], 0])
print(f"   {'point, time that it was passed':34} {'came back in slot, after':26} bytes asked for again")
for point, (boot,), again in table[:-1]:
    failed |= again > AGAIN_MAX
    print(f"   {point:34} {boot:26} {again:6}{'   TOO MANY' if again > AGAIN_MAX else ''}")
print(f"   {len(table) - 1} cuts")
sys.exit(1 if failed or len(table) - 1 != 20 else 0)
PYTHON

title "What it takes"
read -r text data bss _ < <("${SIZE:-arm-none-eabi-size}" "$BOARD/bin/serin-sensor.elf" | tail -n 1)
stack=$(sed -n 's/^stack //p' "$BENCH"/log/life-*.log | sort -n | tail -n 1)
heap=$(sed -n 's/^heap //p' "$BENCH"/log/life-*.log | sort -n | tail -n 1)
note "serin-sensor: text $text bytes; RAM $((data + bss)) bytes, heap $heap, stack at its deepest $stack (at most $STACK_BOUND)"
[ "$stack" -gt 0 ] && [ "$stack" -le "$STACK_BOUND" ] || fail "the stack of $stack bytes"
