#!/usr/bin/env bash
# The flow of a rollout in an operator's hands: a start time, a window that opens later, an approval, a device that fails and
# tries again when it is told to, a stage that is held for want of proof and goes on when an operator says so, and requests that
# are refused with what to do instead. Two channels side by side: what waits on one does not delay the other.
. "$(dirname "$0")/lib.sh"
bench_begin flow
pki 5
CHANNEL=stable,beta bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
CHANNEL=stable,beta bundle 2.0.0 "$SERIN_BIN/apps/app_v2"
CHANNEL=stable,beta bundle 3.0.0 "$SERIN_BIN/apps/app_v5" # it never confirms by itself: this test does, or does not
broker_start
serind_start
for i in 1 2 3 4 5; do
    AGENT_CHANNEL=$([ "$i" -le 2 ] && echo stable || echo beta) agent_config "sensor-0$i"
    provision "sensor-0$i" 1.0.0
    agent_start "sensor-0$i"
done
wait_for 30 "five devices are known" known_devices 5
publish 2.0.0
publish 3.0.0
confirm() { # ID: the application's word, until the agent takes it
    python3 - "$BENCH/devices/$1/control" <<'PY'
import socket, sys
control = socket.socket(socket.AF_UNIX)
control.settimeout(2)
control.connect(sys.argv[1])
control.sendall(b"confirm\n")
sys.exit(0 if control.recv(64).startswith(b"ok") else 1)
PY
}
trials() { [ "$(grep -c 'app v5 started slot=. trial=1' "$BENCH/log/$1.log")" -gt "${2:-0}" ]; }
confirms() { # ID [TRIALS]: once it runs the image on trial, after so many earlier trials
    wait_for 40 "$1 is on trial" trials "$1" "${2:-0}"
    wait_for 5 "$1 confirms" confirm "$1"
}
refused() { # WORDS COMMAND…: exit status 4, and the words
    local words=$1 status=0
    shift
    "$SERIN" rollout "$@" >"$BENCH/out" 2>&1 || status=$?
    [ $status -eq 4 ] || fail "rollout $* ended with $status: $(cat "$BENCH/out")"
    grep -q "$words" "$BENCH/out" || fail "rollout $* said: $(cat "$BENCH/out")"
    note "$(cat "$BENCH/out")"
}

title "stable: 2.0.0 waits for its window, which opens with the next minute"
[ "$(date +%-S)" -lt 50 ] || sleep 11 # the minute must not end before the rollout is made
next=$(date -u -d "+1 minute" +%H:%M) until=$(date -u -d "+10 minutes" +%H:%M)
policy 2.0.0 "stages: [{percent: 50, soak: 1s}, {percent: 100, soak: 1s, approval: true}]" \
    "windows: [{from: \"$next\", to: \"$until\"}]"
window=$(rollout 2.0.0)
rollout_json "$window" | jq -e '.state == "awaiting" and .stage == 0 and .closed and .next_edge != null' >/dev/null ||
    fail "$(rollout_json "$window")"
"$SERIN" rollout show "$window" | grep -q 'hours  closed, the next window opens' || fail "$("$SERIN" rollout show "$window")"

title "beta: 3.0.0 starts at its time; one of three devices does not confirm, and the stage is held"
start=$(date -u -d "+3 seconds" +%Y-%m-%dT%H:%M:%SZ)
CHANNEL=beta policy 3.0.0 "stages: [{percent: 100, soak: 1s}]" "start: $start" \
    "gates: {boot_success: {min_percent: off}, rollbacks: {max_percent: off}}"
id=$(rollout 3.0.0)
rollout_is "$id" awaiting >/dev/null || fail "it did not wait for $start"
"$SERIN" rollout show "$id" | grep -q "hours  not before $start" || fail "$("$SERIN" rollout show "$id")"
refused "is not paused: " resume "$id"
for i in 4 5; do confirms "sensor-0$i"; done
[ "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \> "$start" ] || fail "devices started before $start"
wait_for 60 "the stage is held" rollout_is "$id" awaiting
rollout_json "$id" | jq -e '.held and .attempt == 1 and .tally.confirmed == 2 and .tally.failed == 1 and
    (.why | startswith("held"))' >/dev/null || fail "$(rollout_json "$id")"
note "$(rollout_json "$id" | jq -r .why)"
device_is sensor-03 rolled_back 1.0.0 >/dev/null || fail "$(device_json sensor-03)"

title "It tries again, and confirms: its failure stays on record, so that an operator has to let the release go on"
earlier=$(grep -c 'app v5 started slot=. trial=1' "$BENCH/log/sensor-03.log")
"$SERIN" rollout retry "$id" --reason "the line was noisy" >/dev/null || fail "retry"
rollout_json "$id" | jq -e '.attempt == 2' >/dev/null || fail "$(rollout_json "$id")"
confirms sensor-03 "$earlier"
wait_for 30 "its confirmation is known" device_is sensor-03 confirmed 3.0.0
tried() { rollout_json "$id" | jq -e '.tally.confirmed == 3 and .tally.failed == 0'; }
wait_for 10 "the books show it" tried
device_json sensor-03 | jq -e '[.attempts[] | [.attempt, .state]] | sort == [[1, "rolled_back"], [2, "confirmed"]]' >/dev/null ||
    fail "$(device_json sensor-03 | jq -c '[.attempts[] | [.attempt, .state]]')"
device_json sensor-04 | jq -e '[.attempts[].attempt] == [1]' >/dev/null || fail "sensor-04, which was well, tried again"
sleep 2
rollout_json "$id" | jq -e '.held and .state == "awaiting"' >/dev/null || fail "it went on by itself: $(rollout_json "$id")"
"$SERIN" rollout advance "$id" --reason "seen" >/dev/null || fail "advance"
wait_for 10 "3.0.0 is stable on beta" rollout_is "$id" completed
refused "is completed: " retry "$id"

title "stable: the window opens, the second stage waits for approval"
stage() { rollout_json "$window" | jq -e --argjson n "$1" --arg s "$2" '.stage == $n and .state == $s'; }
wait_for 70 "the second stage asks" stage 1 awaiting
"$SERIN" rollout show "$window" | grep -q "stage 2 waits for 'serin rollout advance'" || fail "$("$SERIN" rollout show "$window")"
rollout_json "$window" | jq -e '(.held | not) and (.closed | not) and (.approved | not) and .tally.confirmed == 1' >/dev/null || fail "$(rollout_json "$window")"
"$SERIN" rollout advance "$window" >/dev/null || fail "advance"
wait_for 60 "2.0.0 is stable" rollout_is "$window" completed
for words in 'policy sha256' '"what":"command".*retry: the line was noisy' '"what":"refused".*is not paused'; do
    grep -q -- "$words" "$BENCH/audit.log" || fail "the audit log has no '$words'"
done
note "done"
