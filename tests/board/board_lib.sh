# The bench of the emulated board beside Linux agents: sensor-01 is the board, hardware 2; sensor-02 and sensor-03 are serin-agents, hardware 1.
# Sourced by bash with BOARD, the build folder of preset `mcu`; needs what tests/e2e/lib.sh needs, which it is an extension of.
board_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$board_root/tests/e2e/lib.sh"
BOOTLOADER=$BOARD/bin/mps2-bootloader.elf
LINUX="sensor-02 sensor-03"
WINDOW=60s

# Broker, serind, and all three devices from the factory with version 1.0.0; the board runs IMAGE, and has no power yet.
board_bench() { # NAME IMAGE
    bench_begin "$1"
    FLASH=$BENCH/devices/flash.bin
    pki 3
    broker_start
    serind_start
    release 1.0.0 "$2"
    factory 1.0.0
    local id
    for id in $LINUX; do
        # Patient, as an emulator beside them takes a processor.
        agent_config "$id"
        sed -i 's/^  watchdog: .*/  watchdog: 30s/' "$BENCH/devices/$id/agent.yaml"
        provision "$id" 1.0.0
        agent_start "$id"
    done
}

# release VERSION IMAGE [serin pack options…]: two bundles, VERSION.serin for Linux and board-VERSION.serin.
release() {
    local version=$1 image=$2
    shift 2
    bundle "$version" "$SERIN_BIN/apps/app_v2"
    # The bootloader copies the image to where it is linked for.
    "$SERIN" pack --product "$PRODUCT" --version "$version" --image "$image" --key "$BENCH/pki/keys/release.key" --hw 2 \
        --channels "$CHANNEL" --load-address 0x20200000 --entry 0x20200000 -o "$BENCH/bundles/board-$version.serin" "$@" \
        >>"$BENCH/log/pack.log" || fail "serin pack board-$version"
}

# The board as it leaves its line: what the flash holds is written anew.
factory() { # VERSION
    "$SERIN_BIN/mps2-flash" "$FLASH" --id sensor-01 --product "$PRODUCT" --channel "$CHANNEL" --hardware 2 \
        --root "$BENCH/pki/keys/root.pub" --trust "$BENCH/pki/trust.bin" --bundle "$BENCH/bundles/board-$1.serin" || fail "mps2-flash"
    "$board_root/device/ports/mps2/tools/credentials.py" "$FLASH" --broker "10.0.2.2:$BROKER_PORT" --name localhost --ca "$BENCH/pki/ca.pem" \
        --certificate "$BENCH/pki/devices/sensor-01.pem" --key "$BENCH/pki/devices/sensor-01.key"
}

# Power on. The board's clock follows its instructions, so that a busy host makes no watchdog bite.
board_start() {
    : >"$BENCH/log/uart.log"
    spawn board qemu-system-arm -M mps2-an385,memory-backend=fl -icount shift=3 \
        -object "memory-backend-file,id=fl,size=16M,mem-path=$FLASH,share=on" -nic user,model=lan9118 -display none -monitor none \
        -serial "file:$BENCH/log/uart.log" -kernel "$BOOTLOADER"
}
board_said() { grep -qaF -- "$1" "$BENCH/log/uart.log"; }

# rollout_of VERSION [serin policy lines…]: publishes both bundles, rolls them out to everyone, and prints the rollout's id.
rollout_of() {
    local version=$1 name
    shift
    {
        printf 'name: release-%s\nproduct: %s\nchannel: %s\nreleases:\n' "$version" "$PRODUCT" "$CHANNEL"
        for name in "1 $version" "2 board-$version"; do
            publish "${name#* }"
            printf '  - {manifest: %s, hardware: %s}\n' "$("$SERIN" inspect "$BENCH/bundles/${name#* }.serin" --json | jq -r .manifest_id)" "${name% *}"
        done
        printf '%s\n' "stages: [{percent: 100, soak: 1s}]" "patience: 120s" "deadline: 10m" "$@"
    } >"$BENCH/policy-$version.yaml"
    rollout "$version"
}
linux_runs() { # VERSION
    local id
    for id in $LINUX; do device_is "$id" confirmed "$1" || return 1; done
}
board_shows() { device_json sensor-01 | jq -e "$@"; }

# By the books the board confirmed the version, through each state once.
board_confirmed() { # VERSION
    board_shows --arg v "$1" '.version == $v and .state == "confirmed" and any(.attempts[]; .version == $v and (.transitions | map(.state)) ==
        ["pending", "downloading", "verifying", "staged", "trial", "confirmed"])' >/dev/null ||
        fail "the board on $1: $(board_shows -c '{state, version, attempts: [.attempts[] | {version, states: [.transitions[].state]}]}')"
}

# A board without a clock waits after a reset for a directive that is new to it, before it starts a trial, commits or mirrors: for the next
# renewal of the lease, or as here for what an operator does. Where the channel has no rollout any more, one of the Linux agents gives it news.
fresh() { # ROLLOUT
    "$SERIN" rollout pause "$1" >/dev/null && "$SERIN" rollout resume "$1" >/dev/null || fail "pause and resume of rollout $1"
}
linux_rollout() { # VERSION: soaks for an hour
    bundle "$1" "$SERIN_BIN/apps/app_v1"
    publish "$1"
    policy "$1" "    hardware: 1" "stages: [{percent: 100, soak: 1h}]"
    rollout "$1"
}

# flip OFFSET…: in the flash, while the power is off, a bit of each byte.
flip() {
    python3 - "$FLASH" "$@" <<'PYTHON'
import sys

with open(sys.argv[1], "r+b") as flash:
    for place in map(int, sys.argv[2:]):
        flash.seek(place)
        byte = flash.read(1)[0]
        flash.seek(place)
        flash.write(bytes([byte ^ 4]))
PYTHON
}
