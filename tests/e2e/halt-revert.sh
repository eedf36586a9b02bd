#!/usr/bin/env bash
# Back by itself. 2.0.0 confirms and breaks later; the rollout halts, and since its policy says `on_halt: revert`, serind takes the
# devices back to the stable 1.0.0 in steps, whatever they ran, and nobody is left behind; the fixed release then begins with the
# devices that the bad one touched. serind is killed between the halt and what follows it. Where all who took the bad one rolled back by
# themselves there is no way back. Where one device has committed a security counter above the stable release's, serind says why
# it does not, and the devices stay.
. "$(dirname "$0")/lib.sh"
bench_begin halt-revert
pki 13
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
bundle 2.0.0 "$SERIN_BIN/apps/app_v6" --counter 1
bundle 3.0.0 "$SERIN_BIN/apps/app_v2" --counter 1
bundle 3.5.0 "$SERIN_BIN/apps/app_v3" --counter 1
bundle 4.0.0 "$SERIN_BIN/apps/app_v6" --counter 5
broker_start
serind_start
for i in $(seq -w 1 12); do
    provision "sensor-$i" 1.0.0
    agent_start "sensor-$i"
done
wait_for 60 "twelve devices are known" known_devices 12
quick="stages: [{percent: 50, soak: 1s}, {percent: 100, soak: 1s}]"
versions() { "$SERIN" device list --json | jq -c '[.devices[].version] | group_by(.) | map({(.[0]): length}) | add'; }

title "1.0.0 is the stable release"
publish 1.0.0
policy 1.0.0 "$quick"
id=$(rollout 1.0.0)
wait_for 60 "1.0.0 is stable" rollout_is "$id" completed

title "2.0.0 breaks after confirming: halted, and a rollout back takes its place, which asks nobody for approval"
publish 2.0.0
policy 2.0.0 "stages: [{percent: 50, soak: 30s}, {percent: 100, soak: 1s, approval: true}]" "on_halt: revert"
stop serind
SERIND_FAULT=serind.halt.before_publish:1 serind_start # killed once the halt is committed: what follows a halt is not forgotten
bad=$(rollout 2.0.0)
expect_killed serind 60
serind_start
wait_for 60 "rollout $bad is halted" rollout_is "$bad" halted
note "$(rollout_json "$bad" | jq -r .why)"
reverted() { rollout_json "$bad" | jq -e '.reverted_by != null'; }
wait_for 10 "serind takes it back" reverted
back=$(rollout_json "$bad" | jq .reverted_by)
touched=$(rollout_json "$bad" | jq .tally.accepted)
[ "$touched" -ge 2 ] || fail "only $touched devices were touched"
rollout_json "$back" | jq -e --arg n "release-2.0.0-revert" '.name == $n and .revert and .on_halt == "hold" and
    .releases[0].version == "1.0.0"' >/dev/null || fail "$(rollout_json "$back")"
rollout_json "$back" | jq -e 'all(.stages[]; .approval == false)' >/dev/null || fail "it waits for approval: $(rollout_json "$back" | jq -c .stages)"
"$SERIN" rollout show "$bad" | grep -q "reverted: rollout $back takes its devices back" || fail "$("$SERIN" rollout show "$bad")"
rollout_json "$bad" | jq -e --argjson b "$back" '.replaced_by == $b and .test.resolved > 0 and .test.failed > 0 and
    ([.gates[].gate] | index("failures") != null and index("boot_success") != null)' >/dev/null ||
    fail "the evidence of the halt is gone: $(rollout_json "$bad" | jq -c '[.replaced_by, .test, .gates]')"
wait_for 120 "everyone is back on 1.0.0, by the books" rollout_is "$back" completed
all_on() { [ "$(versions)" = "{\"$1\":12}" ]; }
wait_for 10 "everyone runs 1.0.0" all_on 1.0.0
for i in $(seq -w 1 12); do
    state=$(device_json "sensor-$i" | jq -r .state)
    case $state in confirmed | idle | rejected) ;; *) fail "sensor-$i is $state" ;; esac
done
rollout_json "$back" | jq -e '.tally.confirmed == 12 and .tally.failed == 0' >/dev/null || fail "$(rollout_json "$back" | jq -c .tally)"
note "$touched touched, rollout $back: $(rollout_json "$back" | jq -c .tally)"
[ "$("$SERIN" rollout list --json | jq '.rollouts | length')" -eq 3 ] || fail "more rollouts than 1.0.0, 2.0.0 and the way back"

title "The fixed 3.0.0 begins with those that 2.0.0 touched"
first=$("$SERIN" device list --json | jq -r '.devices[].id' | while read -r id; do
    device_json "$id" | jq -r 'select(any(.attempts[]?; .version == "2.0.0")) | .id'; done | sort | tr '\n' ' ')
publish 3.0.0
policy 3.0.0 "stages: [{count: $(wc -w <<<"$first"), soak: 1h}, {percent: 100, soak: 1s}]" "from: $bad"
id=$(rollout 3.0.0)
wait_for 60 "its first stage soaks" rollout_is "$id" soaking
now=$("$SERIN" device list --json | jq -r '.devices[] | select(.version == "3.0.0") | .id' | sort | tr '\n' ' ')
[ "$now" = "$first" ] || fail "2.0.0 touched $first, 3.0.0 began with $now"
"$SERIN" rollout advance "$id" >/dev/null
wait_for 60 "3.0.0 is stable" rollout_is "$id" completed

title "3.5.0 crashes at start and is rolled back by itself: there is nobody to take back, and no alarm of it"
publish 3.5.0
policy 3.5.0 "stages: [{count: 1, soak: 30s}, {percent: 100, soak: 1s}]" "on_halt: revert"
bad=$(rollout 3.5.0)
wait_for 60 "rollout $bad is halted" rollout_is "$bad" halted
nobody() { rollout_json "$bad" | jq -e '.reverted_by == null and (.revert_why | test("^nobody runs it"))'; }
wait_for 10 "serind says that there is nobody" nobody
all_on 3.0.0 || fail "not everyone runs 3.0.0: $(versions)"
"$SERIN" rollout show "$bad" | grep -q 'not reverted: nobody runs it' || fail "$("$SERIN" rollout show "$bad")"
"$SERIN" status --json | jq -e 'all(.alarms[]; test("stay on it") | not)' >/dev/null || fail "an alarm: $("$SERIN" status --json | jq -c .alarms)"
[ "$(grep -c '"what":"revert".*none is made: nobody' "$BENCH/audit.log")" -eq 1 ] || fail "no line in the audit log, or several"

title "4.0.0 breaks too, but one device that runs it has committed a counter above that of 3.0.0: nobody is taken back"
provision sensor-13 4.0.0 # from the factory: whatever the cohort, it runs what is halted
agent_start sensor-13
wait_for 30 "thirteen devices are known" known_devices 13
publish 4.0.0
policy 4.0.0 "stages: [{percent: 50, soak: 30s}, {percent: 100, soak: 1s}]" "on_halt: revert"
bad=$(rollout 4.0.0)
wait_for 60 "rollout $bad is halted" rollout_is "$bad" halted
refused() { rollout_json "$bad" | jq -e '.reverted_by == null and (.revert_why | test("^1 device committed .* sensor-13 is at 5"))'; }
wait_for 10 "serind says why not" refused
note "$(rollout_json "$bad" | jq -r .revert_why)"
"$SERIN" rollout show "$bad" | grep -q 'not reverted: 1 device committed' || fail "$("$SERIN" rollout show "$bad")"
"$SERIN" status --json | jq -e 'any(.alarms[]; test("stay on it: 1 device committed"))' >/dev/null ||
    fail "no alarm: $("$SERIN" status --json | jq -c .alarms)"
grep -q '"what":"revert".*refused, the devices stay' "$BENCH/audit.log" || fail "no line in the audit log"
stop serind
serind_start # it neither forgets why nor tries anew
refused >/dev/null || fail "after a restart: $(rollout_json "$bad" | jq -c '[.reverted_by, .revert_why]')"
"$SERIN" status --json | jq -e 'any(.alarms[]; test("stay on it: 1 device committed"))' >/dev/null || fail "the alarm is gone"
[ "$(grep -c '"what":"revert".*refused' "$BENCH/audit.log")" -eq 1 ] || fail "it was decided anew"
note "done"
