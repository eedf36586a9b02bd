#!/usr/bin/env bash
# board.faults: releases that no board should run, each in a rollout by serind beside Linux agents: 3.0.0 faults in its first turn, 4.0.0
# hangs with interrupts off, so that the watchdog must end it, 5.0.0 never confirms. Each is rolled back to 2.0.0 and reported with its reason,
# the rollout halts, and the Linux agents, whose release is good, keep it. The next good release is taken all the same.
#
#   faults.sh BOARD_BUILD_FOLDER       with SERIN_BIN and SERIN_PLUGIN as every end-to-end test (tests/e2e/lib.sh)
set -euo pipefail
BOARD=$(cd "$1" && pwd)
. "$(dirname "${BASH_SOURCE[0]}")/board_lib.sh"
board_bench faults "$BOARD/bin/serin-sensor.bin"

# What a release does, by one word of its image (sensor_faulty.c); the last byte makes it another image than the one before.
faulty() { # FAULT FILE
    python3 - "$BOARD/bin" "$1" "$2" <<'PYTHON'
import pathlib
import subprocess
import sys

folder, fault, out = pathlib.Path(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])
names = subprocess.run(["arm-none-eabi-nm", folder / "serin-sensor-faulty.elf"], check=True, capture_output=True, text=True).stdout.split("\n")
place = int(next(line for line in names if line.endswith(" sensor_fault")).split()[0], 16) - 0x20200000
image = bytearray((folder / "serin-sensor-faulty.bin").read_bytes())
assert image[place:place + 4] == bytes(4)
image[place:place + 4] = fault.to_bytes(4, "little")
out.write_bytes(image)
PYTHON
}

title "2.0.0 is what everyone runs"
board_start
wait_for 60 "serind knows all three" known_devices 3
{ cat "$BOARD/bin/serin-sensor.bin" && printf 2; } >"$BENCH/image-2.0.0"
release 2.0.0 "$BENCH/image-2.0.0"
id=$(rollout_of 2.0.0)
wait_for 60 "rollout $id is complete" rollout_is "$id" completed

rolled_back() { # VERSION REASON: it runs 2.0.0, and the books say why
    board_shows --arg v "$1" --arg r "$2" '.version == "2.0.0" and .state == "rolled_back" and .reason == $r and
        any(.attempts[]; .version == $v and .reason == $r and
            (.transitions | map(.state)) == ["pending", "downloading", "verifying", "staged", "trial", "rolled_back"])'
}
fails() { # VERSION REASON FAULT WHAT [serin pack options…]
    local version=$1 reason=$2 before=$SECONDS id
    title "$version $4"
    faulty "$3" "$BENCH/image-$version"
    release "$version" "$BENCH/image-$version" "${@:5}"
    id=$(rollout_of "$version")
    wait_for 90 "$version is rolled back: $reason" rolled_back "$version" "$reason"
    wait_for 30 "rollout $id is halted" rollout_is "$id" halted
    rollout_json "$id" | jq -e --arg r "$reason" '.tally.failed == 1 and (.why | contains($r)) and
        (.failures | length == 1) and (.failures[0] | .device == "sensor-01" and .state == "rolled_back" and .reason == $r)' >/dev/null ||
        fail "rollout $id: $(rollout_json "$id" | jq -c '[.why, .tally, .failures]')"
    "$SERIN" rollout show "$id" | grep -q "sensor-01.*rolled_back.*$reason" || fail "$("$SERIN" rollout show "$id")"
    wait_for 20 "the Linux agents stay on $version" linux_runs "$version"
    note "rolled back in $((SECONDS - before)) s; rollout $id: $(rollout_json "$id" | jq -r .why)"
}
fails 3.0.0 crash 3 "faults in its first turn"
fails 4.0.0 watchdog 4 "hangs with interrupts off" --confirm-tries 1
fails 5.0.0 not_confirmed 5 "runs, and never confirms" --confirm-window 6s

title "6.0.0 is good, and taken"
{ cat "$BOARD/bin/serin-sensor.bin" && printf 6; } >"$BENCH/image-6.0.0"
release 6.0.0 "$BENCH/image-6.0.0"
id=$(rollout_of 6.0.0)
wait_for 60 "rollout $id is complete" rollout_is "$id" completed
board_confirmed 6.0.0
note "the board's counters: $(board_shows -c .counters)"
