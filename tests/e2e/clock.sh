#!/usr/bin/env bash
# Signed time (docs/spec/directive.md, section 6): serind's clock was a day ahead when it signed, and is set right. Signed time stays a
# day ahead, also over kills and hours in which serind is away, so that no lease ends by it; an alarm says so, and what is not known; the
# next release arrives.
. "$(dirname "$0")/lib.sh"
bench_begin clock
pki 1
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
bundle 2.0.0 "$SERIN_BIN/apps/app_v2"
bundle 2.1.0 "$SERIN_BIN/apps/app_v2"
shim=$SERIN_BIN/../lib/libserin_clock_set.so
[ -f "$shim" ] || fail "no $shim"
day=86400
set_clock() { echo "$1" >"$BENCH/clock.new" && mv "$BENCH/clock.new" "$BENCH/clock"; }
serind_up() {
    LD_PRELOAD=$shim SERIN_CLOCK=$BENCH/clock ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0 serind_start "$@"
}
alarm() { "$SERIN" status --json | jq -e --arg t "$1" '.alarms | map(test($t)) | any'; }
no_alarm() { ! alarm "$1"; }
# Whole minutes may just be over.
ahead() { alarm "signed time is ($1) ahead of this machine.s clock"; }

title "The clock is a day ahead, and a release is signed by it"
set_clock $day
broker_start
serind_up
provision sensor-01 1.0.0
agent_start sensor-01
wait_for 30 "the device is known" known_devices 1
publish 2.0.0
policy 2.0.0 "stages: [{percent: 100, soak: 1s}]"
id=$(rollout 2.0.0)
wait_for 60 "2.0.0 is stable" rollout_is "$id" completed
no_alarm 'signed time' >/dev/null || fail "an alarm while nothing is ahead of the clock"

title "It is set right: signed time stays ahead, over kills and two hours away too"
set_clock 0
wait_for 20 "the alarm says by how much" ahead '24 h 0 min|23 h 59 min'
wait_for 5 "and that there is nothing to do" alarm 'directives stay valid'
sleep 2 # the clock that was set is kept within a second or so
for hours in 2 4 6; do
    kill_hard serind
    set_clock $((hours * 3600))
    serind_up
    wait_for 20 "signed time has gone on meanwhile" ahead '24 h 0 min|23 h 59 min'
    wait_for 5 "and nothing is missing" alarm 'directives stay valid'
done

title "It is set back while serind is away: how long that was is not known until it is right again"
stop serind
set_clock $((5 * 3600))
serind_up
wait_for 20 "the alarm says what is not known" alarm 'how long serind was away is not known'
set_clock $((7 * 3600))
wait_for 20 "what is missing is made up for" ahead '24 h 0 min|23 h 59 min'
wait_for 5 "and nothing is missing" alarm 'directives stay valid'

title "An operator says how long it was, and the next release arrives"
stop serind
serind_up --signed-ahead 7200
wait_for 20 "signed time is further ahead" ahead '26 h 0 min|25 h 59 min'
publish 2.1.0
policy 2.1.0 "stages: [{percent: 100, soak: 1s}]"
id=$(rollout 2.1.0)
wait_for 60 "2.1.0 is stable" rollout_is "$id" completed
note "done"
