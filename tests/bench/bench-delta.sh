#!/usr/bin/env bash
# How large deltas are beside those of other programs, what making and applying one costs, and what the decoder takes on a board.
# Every figure is measured in this run; each patch is applied, and what comes out is compared.
#
#   scripts/bench delta [FOLDER]     pairs of images: FOLDER/NAME/old.bin and new.bin; default $SERIN_FIRMWARE
#       --short                      three pairs, and without the other programs but bsdiff
#       --pair NAME,NAME             some of them
#       --json                       the figures as JSON on standard output
#       --no-build                   use SERIN_BIN as it is; otherwise preset release is built
#
# Without a folder of pairs, or where it is absent, nothing is measured, the reason is printed, and the exit status is 0.
# Sizes of patches are those of whole files. The geometric means are over best and small divided by bsdiff.
#
# Exit status: 0 every figure is as it must be, or skipped; 1 not every one; 2 usage.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() { sed -n '2,14s/^# \{0,1\}//p' "$0"; }
wrong() {
    printf 'bench delta: %s (try --help)\n' "$*" >&2
    exit 2
}
folder=${SERIN_FIRMWARE-} short= names= json= build=yes
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --short) short=yes ;;
    --json) json=yes ;;
    --no-build) build= ;;
    --pair)
        [ $# -ge 2 ] || wrong "$1 needs a value"
        names=${2//,/ }
        shift
        ;;
    -*) wrong "there is no option '$1'" ;;
    *) folder=$1 ;;
    esac
    shift
done
skip() {
    printf 'bench delta: skipped: %s\n' "$1" >&2
    [ -z "$json" ] || jq -n --arg reason "$1" '{skipped: $reason}'
    exit 0
}
[ -n "$folder" ] || skip "no folder of firmware pairs was given, and SERIN_FIRMWARE is not set"
[ -d "$folder" ] || skip "there is no folder $folder"
pairs=()
for pair in "$folder"/*/; do
    [ -f "$pair/old.bin" ] && [ -f "$pair/new.bin" ] || continue
    name=$(basename "$pair")
    [ -z "$names" ] || [[ " $names " == *" $name "* ]] || continue
    pairs+=("$name")
done
[ ${#pairs[@]} -gt 0 ] || skip "$folder has no pairs${names:+ of these names}"
# Three of a kind each: every fourth, so that all architectures are among them where the names tell them.
if [ -n "$short" ] && [ ${#pairs[@]} -gt 3 ]; then
    pairs=("${pairs[0]}" "${pairs[${#pairs[@]} / 2]}" "${pairs[-1]}")
fi

if [ -n "$build" ]; then
    serin_install
    cd "$SERIN_ROOT"
    cmake --preset release >/dev/null
    serin_build release serin
    SERIN_BIN=$SERIN_ROOT/build/release/bin
fi
serin=${SERIN_BIN:?a folder with serin}/serin
[ -x "$serin" ] || wrong "--no-build needs SERIN_BIN, a folder with serin"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
TIMEFORMAT=%U

size() { stat -c %s "$1"; }
user() { # user COMMAND…: its seconds of processor time; what it says goes nowhere
    { time "$@" >/dev/null 2>&1; } 2>&1
}

printf '%-26s %9s %9s %8s %8s %6s %8s %6s %6s %6s %7s\n' pair new bsdiff best small ratio xdelta3 zstd s MiB apply >&2
rows=$work/rows failed=
: >"$rows"
for name in "${pairs[@]}"; do
    old=$folder/$name/old.bin new=$folder/$name/new.bin
    bsdiff "$old" "$new" "$work/bsdiff"
    xdelta=0 zstd=0
    if [ -z "$short" ]; then
        xdelta3 -e -9 -f -s "$old" "$new" "$work/xdelta3"
        zstd -q -19 --long=27 -f --patch-from="$old" "$new" -o "$work/zstd" 2>/dev/null
        xdelta=$(size "$work/xdelta3") zstd=$(size "$work/zstd")
    fi
    # The peak of memory by the kernel's count, of the dearer of both.
    seconds=$({ python3 -c '
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
use = resource.getrusage(resource.RUSAGE_CHILDREN)
print("%.2f %.1f" % (use.ru_utime + use.ru_stime, use.ru_maxrss / 1024))' "$serin" delta make "$old" "$new" -o "$work/best"; })
    read -r seconds mib <<<"$seconds"
    "$serin" delta make "$old" "$new" -o "$work/small" --ram 8k >/dev/null
    rm -f "$work/out-best" "$work/out-small"
    applied=$(user "$serin" delta apply "$old" "$work/best" -o "$work/out-best")
    "$serin" delta apply "$old" "$work/small" -o "$work/out-small" >/dev/null
    cmp -s "$work/out-best" "$new" && cmp -s "$work/out-small" "$new" || {
        printf '%s: what comes out is not the new image\n' "$name" >&2
        failed=yes
    }
    printf '%s %s %s %s %s %s %s %s %s %s\n' "$name" "$(size "$new")" "$(size "$work/bsdiff")" "$(size "$work/best")" \
        "$(size "$work/small")" "$xdelta" "$zstd" "$seconds" "$mib" "$applied" >>"$rows"
    tail -1 "$rows" | awk '{ printf "%-26s %9d %9d %8d %8d %6.3f %8d %6d %6.2f %6.1f %7.2f\n", $1, $2, $3, $4, $5, $4 / $3, $6, $7, $8, $9, $10 }' >&2
done

# What the decoder takes on a board: text by the cross compiler; and on one in QEMU, which applies two patches of a pair, what
# it executes, its state, and its deepest stack.
text=0 ram_small=0 ram_best=0 per_byte=0
if command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null; then
    board=(arm-none-eabi-gcc -mcpu=cortex-m3 -mthumb -Os -std=c11 -ffreestanding -I"$SERIN_ROOT/core/include" -ffunction-sections
        -DSERIN_CRC32_SMALL)
    for source in "$SERIN_ROOT"/core/src/delta*.c; do
        object=$work/$(basename "$source" .c)
        "${board[@]}" -c "$source" -o "$object.o"
        [[ $source == *checkpoint* ]] || text=$((text + $(arm-none-eabi-size "$object.o" | awk 'NR == 2 { print $1 }')))
    done
    checkpoint=$(arm-none-eabi-size "$work/delta_checkpoint.o" | awk 'NR == 2 { print $1 }')
    pair=${pairs[0]}
    [[ " ${pairs[*]} " != *" thumb-gateway-fix-early "* ]] || pair=thumb-gateway-fix-early
    on_board() { # on_board RAM: instructions, bytes made, state, stack
        "$serin" delta make "$folder/$pair/old.bin" "$folder/$pair/new.bin" -o "$work/board" --ram "$1" >/dev/null
        "${board[@]}" -nostartfiles -Wl,--gc-sections -T "$SERIN_ROOT/tests/bench/delta_board.ld" -DSERIN_PATCH="\"$work/board\"" \
            -DSERIN_OLD="\"$(realpath "$folder/$pair/old.bin")\"" -DSERIN_NEW="\"$(realpath "$folder/$pair/new.bin")\"" \
            -o "$work/board.elf" "$SERIN_ROOT/tests/bench/delta_board.c" "$work"/delta*.o "$SERIN_ROOT/core/src/crc32.c" -lc -lgcc
        timeout 300 qemu-system-arm -M mps2-an385 -nographic -monitor none -semihosting-config enable=on,target=native \
            -icount shift=0 -kernel "$work/board.elf" 2>&1
    }
    for ram in 8k 16k; do
        read -r executed made state stack < <(on_board $ram) || true
        [[ $executed =~ ^[0-9]+$ ]] || {
            printf 'board: %s: %s\n' "$pair" "$executed" >&2
            failed=yes
            continue
        }
        [ $ram = 8k ] && ram_small=$((state + stack)) || ram_best=$((state + stack))
        per_byte=$((executed / made))
        printf 'board (Cortex-M3 in QEMU), %s, %s: %d instructions a byte, state %d, stack %d\n' "$pair" $ram $per_byte "$state" "$stack" >&2
    done
    printf 'board (Cortex-M3, -Os): text %d, and %d for checkpoints\n' "$text" "$checkpoint" >&2
else
    printf 'board: not measured, as there is no arm-none-eabi-gcc, or no qemu-system-arm\n' >&2
fi

figures=$(awk '
    { best += log($4 / $3); small += log($5 / $3); n++
      worst = $4 / $3 > worst ? $4 / $3 : worst; worst = $5 / $3 > worst ? $5 / $3 : worst
      seconds = $8 > seconds ? $8 : seconds; mib = $9 > mib ? $9 : mib
      if ($1 == "thumb-gateway-fix-early") fix = $4 }
    END { printf "%.4f %.4f %.4f %.2f %.1f %d\n", exp(best / n), exp(small / n), worst, seconds, mib, fix }' "$rows")
read -r best small worst seconds mib fix <<<"$figures"
judge() { # judge WHAT FIGURE MUST
    local verdict=ok
    awk -v figure="$2" -v must="$3" 'BEGIN { exit !(figure <= must) }' || verdict=MISSED failed=yes
    printf '%-44s %10s  must be at most %-8s %s\n' "$1" "$2" "$3" "$verdict" >&2
}
judge "geometric mean, best / bsdiff" "$best" 0.46
judge "geometric mean, small / bsdiff" "$small" 0.52
judge "worst pair, either / bsdiff" "$worst" 1.05
[ "$fix" -eq 0 ] || judge "thumb-gateway-fix-early, best, bytes" "$fix" 700
judge "making the worst pair, seconds of processor" "$seconds" 5
judge "making the worst pair, MiB" "$mib" 64
if [ "$text" -gt 0 ]; then
    judge "text of the decoder, bytes" "$text" 8192
    judge "RAM of the decoder, small, bytes" "$ram_small" 8192
    judge "RAM of the decoder, best, bytes" "$ram_best" 16384
fi
if [ -n "$json" ]; then
    jq -Rn --argjson best "$best" --argjson small "$small" --argjson worst "$worst" --argjson text "$text" \
        --argjson ram_small "$ram_small" --argjson ram_best "$ram_best" --argjson per_byte "$per_byte" '{
        pairs: [inputs | split(" ") | {name: .[0]} + ([["new", "bsdiff", "best", "small", "xdelta3", "zstd", "seconds", "mib", "apply_seconds"],
            (.[1:] | map(tonumber))] | transpose | map({(.[0]): .[1]}) | add)],
        best: $best, small: $small, worst: $worst, text: $text, ram_small: $ram_small, ram_best: $ram_best,
        instructions_per_byte: $per_byte}' "$rows"
fi
[ -z "$failed" ]
