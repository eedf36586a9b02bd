#!/usr/bin/env bash
# Runs docs/tour.md as a newcomer would, every block in one shell, on free ports and in a folder of its own, and looks at what
# it showed.
. "$(dirname "$0")/lib.sh"
bench_begin tour
sed -n '/^```sh$/,/^```$/p' "$E2E_SOURCE/docs/tour.md" | grep -v '^```' |
    sed -e "s/18883/$BROKER_PORT/g; s/18884/$(free_port)/g; s/18470/$API_PORT/g; s|\$(mktemp -d /tmp/serin-tour.XXXXXX)|$BENCH/tour|g" \
        -e "s|\$SRC/build/dev/bin|$SERIN_BIN|g; s|\$SRC/build/dev/lib/serin_plugin.so|$SERIN_PLUGIN|g" \
        -e "s|^/usr/sbin/mosquitto|LD_PRELOAD=$(sanitizer_library) ASAN_OPTIONS=detect_leaks=0 &|" >"$BENCH/tour.bash"
[ "$(grep -c serin "$BENCH/tour.bash")" -gt 20 ] || fail "the blocks of docs/tour.md were not found"
# At the end whatever the tour started is gone, as it says itself.
(cd "$E2E_SOURCE" && timeout 120 bash -e "$BENCH/tour.bash") >"$BENCH/log/tour.log" 2>&1 || [ $? -eq 143 ] || {
    cat "$BENCH/log/tour.log" "$BENCH"/tour/*.log
    fail "the tour ended with an error"
}
grep -q -E '^completed stage 2/2' "$BENCH/log/tour.log" || { cat "$BENCH/log/tour.log"; fail "2.0.0 did not complete"; }
grep -q -E 'halted: (1 of 1|2 of 2) resolved failed' "$BENCH/log/tour.log" || { cat "$BENCH/log/tour.log"; fail "3.0.0 did not halt"; }
# The rehearsal: a good release completes, and one of which a tenth crashes does not, with all invariants held.
grep -q '^lamp/stable: completed in stage 2 of 2' "$BENCH/log/tour.log" || fail "the rehearsal of 2.0.0 did not complete"
grep -q '^lamp/stable: halted in stage 1 of 2' "$BENCH/log/tour.log" || fail "the rehearsal of a bad release did not halt"
[ "$(grep -c '^invariants: [0-9]* held$' "$BENCH/log/tour.log")" -eq 2 ] || fail "the rehearsals did not check their invariants"
grep -q 'ended with status 4' "$BENCH/log/tour.log" || fail "rollout watch did not end with status 4"
grep -q -E 'sensor-03 .* 2\.0\.0 .* gw-1' "$BENCH/log/tour.log" || { cat "$BENCH/log/tour.log"; fail "the node behind gw-1 is not on 2.0.0"; }
# Version 3 was offered to one device, or to two where the first in rank is the one behind gw-1; afterwards all run version 2.
audit=$(sed -n 's/.*rollout 2: stage 1 of 2: offered to \([0-9]*\) of 3 devices.*/\1/p' "$BENCH/log/tour.log")
devices=$(awk '/^DEVICE /{ rows = "" } /^sensor-/{ rows = rows $0 "\n" } END { printf "%s", rows }' "$BENCH/log/tour.log")
case $audit in
1) ;;
2)
    grep -q 'rollout 2: stage 1: 1 more device.* gateway gw-1' "$BENCH/log/tour.log" || fail "two devices were offered 3.0.0 without a reason"
    grep -q '^sensor-03 .* rolled_back ' <<<"$devices" || grep -q '^sensor-03 .* cancelled ' <<<"$devices" ||
        fail "two were offered 3.0.0, but not the one behind gw-1: $devices"
    ;;
*) fail "3.0.0 was offered to '$audit' devices" ;;
esac
grep -q "population 3: $audit offered" "$BENCH/log/tour.log" || fail "rollout show does not say that $audit were offered it"
[ "$(grep -c ' 2\.0\.0 ' <<<"$devices")" -eq 3 ] || fail "not all are on 2.0.0 after the halt: $devices"
grep -q ' rolled_back ' <<<"$devices" || fail "nobody rolled back: $devices"
note "3.0.0 was offered to $audit of 3"
note "$(grep -c . "$BENCH/log/tour.log") lines shown, as the page promises"
