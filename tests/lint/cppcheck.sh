#!/usr/bin/env bash
# lint.cppcheck: warnings, performance and portability over everything but tests and generated code.
#
#   cppcheck.sh SOURCE_ROOT BUILD_FOLDER              the short form, of scripts/check: as hosts compile it, and core and device as bootloaders do
#   cppcheck.sh SOURCE_ROOT BUILD_FOLDER --long       the long form, of scripts/lint: every combination of what #ifdef asks for, twice the time
#   cppcheck.sh SOURCE_ROOT BUILD_FOLDER --planted    the short form on a planted fault, which must be named
set -euo pipefail
root=$1 build=$2 form=${3:-}
# What is suppressed, and why: headers of libraries are not ours to judge, and unknown macros of theirs neither; the
# ops tables make functions look as if they could take const.
check() { # CACHE OPTION…
    local cache=$build/cppcheck/$1
    shift
    mkdir -p "$cache"
    cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr --std=c11 -j 2 \
        --cppcheck-build-dir="$cache" --suppress=missingIncludeSystem --suppress=unknownMacro \
        --suppress="*:*.pb-c.*" --suppress="*:/usr/include/*" \
        -I "$root/core/include" -I "$root/device/include" -I "$root/orchestrator/include" -I "$root/host/include" -I "$root/gateway/include" -I "$root/sim/include" "$@"
}
# Nearly every file includes a header that asks for these; without a compiler that defines the one, and with the other, nothing of hosts is built.
hosts=(-D__GNUC__=12 -DSERIN_FAULT_POINTS=1 -DSERIN_PROGRAM_VERSION='""')
bootloader=(-D__GNUC__=12 -DSERIN_CRC32_SMALL -DSERIN_RECLOG_HEADS=0u -DSERIN_FLASH_UNIT=4u -DSERIN_FLASH_SECTOR=4096u -DSERIN_FLASH_PORT=board_flash
    -DSERIN_CRYPTO_PORT=serin_wolfcrypt_sp)
shipped=("$root"/core "$root"/device "$root"/orchestrator "$root"/broker-plugin "$root"/host "$root"/adapters "$root"/gateway "$root"/sim "$root"/cli)
case $form in
--planted)
    mkdir -p "$build/cppcheck"
    planted=$build/cppcheck/planted.c
    echo 'int planted(void); int planted(void) { int pair[2] = {1, 2}; return pair[2]; }' >"$planted"
    for options in hosts bootloader; do
        declare -n chosen=$options
        said=$(check planted "${chosen[@]}" "$planted" 2>&1) && { echo "cppcheck: the planted fault was not found"; exit 1; }
        grep -q arrayIndexOutOfBounds <<<"$said" || { echo "cppcheck: the planted fault was not named: $said"; exit 1; }
    done
    exit 0
    ;;
--long) check long "${shipped[@]}" ;;
*)
    check hosts "${hosts[@]}" "${shipped[@]}"
    check bootloader "${bootloader[@]}" "$root/core/src" "$root/device/src"
    ;;
esac
echo "cppcheck: quiet"
