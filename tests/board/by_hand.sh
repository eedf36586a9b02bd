#!/usr/bin/env bash
# board.by_hand: types what device/ports/mps2/README.md says under "By hand", in one shell, on a free port and in a folder of its own: a reader sees
# the temperature that the emulated sensor measures. Then wrong words to the tools of the factory, each of which is named.
#
#   by_hand.sh BOARD_BUILD_FOLDER       with SERIN_BIN and SERIN_PLUGIN as every end-to-end test (tests/e2e/lib.sh)
set -euo pipefail
board=$(cd "$1" && pwd) root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/tests/e2e/lib.sh"
bench_begin board
page=$root/device/ports/mps2/README.md run=$BENCH/by-hand
sed -n '/^## By hand$/,/^## /{/^```sh$/,/^```$/p}' "$page" | grep -v '^```' >"$BENCH/typed"
[ "$(grep -c -E '^(serin|mps2-flash|qemu-system-arm|mosquitto_sub) ' "$BENCH/typed")" -eq 5 ] || fail "the commands of $page were not found"
# What builds is built; the port is another one; the plugin's sanitizers come first.
grep -v '^cmake ' "$BENCH/typed" |
    sed -e "s/18883/$BROKER_PORT/g; s|\$(mktemp -d /tmp/serin-board.XXXXXX)|$run|; s|cd \"\$RUN\"|mkdir \"\$RUN\" \\&\\& &|" \
        -e "s|\$SRC/build/dev/bin|$SERIN_BIN|; s|\$SRC/build/dev/lib/serin_plugin.so|$SERIN_PLUGIN|; s|\$SRC/build/mcu|$board|" \
        -e "s|^/usr/sbin/mosquitto|LD_PRELOAD=$(sanitizer_library) ASAN_OPTIONS=detect_leaks=0 &|" >"$BENCH/by-hand.bash"
title "As typed"
# What a command that fails leaves behind ends with the shell.
sed -i '1i trap "exit 143" TERM; trap "kill \\$(jobs -p) 2>/dev/null || true" EXIT' "$BENCH/by-hand.bash"
(cd "$root" && timeout 120 bash -e "$BENCH/by-hand.bash") >"$BENCH/log/by-hand.log" 2>&1 || {
    cat "$run"/*.log
    fail "the commands ended with an error"
}
[ "$(grep -c -E '^telemetry/s-1 2[12]\.[0-9]$' "$BENCH/log/by-hand.log")" -eq 3 ] || { cat "$run"/*.log; fail "no temperature was read"; }
! grep -F 'serin: refused' "$run/broker.log" || fail "the plugin refused what the board said"
grep -a '^telemetry' "$BENCH/log/by-hand.log" | while read -r line; do note "$line"; done

title "As mistyped"
cd "$run"
says() { # WORDS COMMAND…
    local words=$1 output status=0
    shift
    output=$("$@" 2>&1) || status=$?
    [ $status -ne 0 ] || fail "$* succeeds"
    grep -qF -- "$words" <<<"$output" || fail "$*: $output, and not: $words"
    ! grep -q -E 'Traceback|Sanitizer' <<<"$output" || fail "$*: $output"
}
flash() { "$SERIN_BIN/mps2-flash" new.bin --id s-1 --product sensor --channel stable --root pki/keys/root.pub --trust pki/trust.bin "$@"; }
tls() { "$root/device/ports/mps2/tools/credentials.py" flash.bin --broker 10.0.2.2:8883 --name localhost --ca pki/ca.pem \
    --certificate pki/devices/s-1.pem --key pki/devices/s-1.key "$@"; }
"$SERIN_BIN/serin" pack --product sensor --version 1.0.0 --image "$board/bin/mps2-hello.bin" --key pki/keys/release.key -o nowhere.serin >/dev/null
says "--id is missing" "$SERIN_BIN/mps2-flash" new.bin
says "--bundle is missing" flash
says "pack it with --load-address 0x20200000" flash --bundle nowhere.serin
says "none.serin: No such file" flash --bundle none.serin
says "the signing key is unknown" flash --bundle sensor.serin --root pki/keys/release.pub
says "--id takes 1 to 64 of" flash --bundle sensor.serin --id "s 1"
says "--hardware takes 0 to 65535" flash --bundle sensor.serin --hardware first
says "made for another product" flash --bundle sensor.serin --product lamp
[ ! -e new.bin ] || fail "a flash was written all the same"
says "ADDRESS is IPv4" tls --broker localhost:8883
says "a port is 1 to 65535" tls --broker 10.0.2.2:0
says "on none.pem: Could not open" tls --ca none.pem
says "is not the key of" tls --key pki/devices/telemetry.key
says "the flash is s-1's, and pki/devices/telemetry.pem is telemetry's" tls --certificate pki/devices/telemetry.pem --key pki/devices/telemetry.key
note "thirteen wrong words, each named"
