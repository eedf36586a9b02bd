#!/usr/bin/env bash
# The bootloader's verification of P-256 (adapters/wolfcrypt/src/wolfcrypt_sp.c) against plain arithmetic, compiled for the host from the same
# sources as the board's.
#
#   p256.sh BUILD_FOLDER     one that preset `mcu` has configured, with wolfSSL's sources
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
sources=$(sed -n 's/^SERIN_BOARD_SOURCES:PATH=//p' "$1/CMakeCache.txt")
folder=$(mktemp -d "${TMPDIR:-/tmp}/serin-p256.XXXXXX")
trap 'rm -rf "$folder"' EXIT
# What nothing calls of sp_c32.c needs more of wolfCrypt: it is left out by the linker. Its shifts into the sign are wolfCrypt's own.
"${CC:-cc}" -std=c11 -O2 -fno-strict-aliasing -w -ffunction-sections -fdata-sections -Wl,--gc-sections -DWOLFSSL_USER_SETTINGS -DSP_WORD_SIZE=32 \
    -I"$root/device/ports/mps2/settings" -I"$sources/wolfssl" -I"$root/adapters/wolfcrypt/include" -I"$root/core/include" \
    "$root/tests/board/p256.c" "$root/adapters/wolfcrypt/src/wolfcrypt_sp.c" "$sources/wolfssl/wolfcrypt/src/sha256.c" "$root/core/src/bytes.c" "$root/core/src/proof.c" \
    -o "$folder/p256"
python3 "$root/tests/board/p256_cases.py" >"$folder/cases"
"$folder/p256" <"$folder/cases"
# A verdict that is wrong is told.
sed '1s/1$/0/;t;1s/0$/1/' "$folder/cases" | "$folder/p256" >/dev/null && { echo "p256: a planted verdict was not told"; exit 1; }
exit 0
