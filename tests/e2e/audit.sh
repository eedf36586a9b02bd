#!/usr/bin/env bash
# The audit log's chain with the real serind and the real command: over kills, torn lines and rotations it holds; whatever is
# altered, removed, moved or cut off is found, by the command and by serind itself.
. "$(dirname "$0")/lib.sh"
bench_begin audit
pki 1
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
bundle 2.0.0 "$SERIN_BIN/apps/app_v2"
serind_config
log=$BENCH/audit.log

start() {
    spawn serind "$SERIN_BIN/serind" --config "$BENCH/serind.yaml"
    wait_for 15 "serind listens" port_open "$API_PORT"
}
killed() {
    kill -KILL "${PID[serind]}"
    wait "${PID[serind]}" 2>/dev/null || true
    unset "PID[serind]"
}
# A few lines: a command, a refusal.
act() {
    "$SERIN" publish "$BENCH/bundles/1.0.0.serin" >/dev/null || fail "publish"
    "$SERIN" rollout pause 99 >/dev/null 2>&1 && fail "a rollout that is not there was paused"
    "$SERIN" publish "$BENCH/bundles/2.0.0.serin" >/dev/null || fail "publish"
}
# Lines that other tests count on: rollouts that are made, paused and halted.
rollout_lines() {
    local id
    policy 1.0.0 "supersede: true"
    id=$("$SERIN" rollout create --policy "$BENCH/policy-1.0.0.yaml" --json | jq .id) || fail "create"
    "$SERIN" rollout pause "$id" --reason "a test" >/dev/null || fail "pause"
    "$SERIN" rollout halt "$id" --reason "a test" >/dev/null || fail "halt"
}
holds() { "$SERIN" audit verify "$@" >"$BENCH/out" 2>&1 || fail "audit verify $*: $(cat "$BENCH/out")"; }
# broken TEXT FILES…: exit status 4, and a line that begins so.
broken() {
    local text=$1 status=0
    shift
    "$SERIN" audit verify "$@" >"$BENCH/out" 2>&1 || status=$?
    [ $status -eq 4 ] || fail "audit verify $* ended with $status: $(cat "$BENCH/out")"
    grep -q -- "$text" "$BENCH/out" || fail "'$text' is not in: $(cat "$BENCH/out")"
}
chain_alarm() { "$SERIN" status --json | jq -e '.alarms | map(test("audit log")) | any' >/dev/null; }
no_chain_alarm() { ! chain_alarm; }

title "A log and its head"
start
act
rollout_lines
holds --whole --live "$log"
note "$(head -1 "$BENCH/out")"
head=$("$SERIN" audit head)
[ "$head" = "$("$SERIN" audit head --json | jq -r .head)" ] || fail "two heads"
line=$(tail -1 "$log")
[ "${head#*:}" = "$({ printf 'serin/audit/1\0'; printf '%s' "${line%,\"hash\":*}"; } | sha256sum | cut -c1-64)" ] ||
    fail "the last line has not the hash that the specification tells"
"$SERIN" audit --json | jq -es 'map(.seq) == [range(1; length + 1)]' >/dev/null || fail "seq does not grow by one"

title "Kills, whenever they come"
for i in 1 2 3 4 5 6; do
    (for _ in 1 2 3 4 5; do "$SERIN" rollout pause 99; act; done) >/dev/null 2>&1 &
    sleep "0.$i"
    killed
    wait $! || true
    start
    no_chain_alarm || fail "a kill raised an alarm: $("$SERIN" status --json | jq -c .alarms)"
done
holds --whole --live "$log"
holds --head "$head" "$log"
note "$(head -1 "$BENCH/out")"

title "A line that a crash tore"
killed
printf '{"time":"2026-01-31T12:00:00.000Z","act' >>"$log"
broken "torn: the file ends within a line" "$log"
start
no_chain_alarm || fail "a torn line raised an alarm"
tail -8 "$log" | grep -q '"what":"torn".*left 39 bytes.*"unchained":{"size":39' || fail "the torn line is not said"
act
holds --whole --live "$log"
grep -q "^torn  *1 places" "$BENCH/out" || fail "the tear is not told of: $(cat "$BENCH/out")"

title "Rotation"
mv "$log" "$log.1"
kill -HUP "${PID[serind]}"
rollout_lines
wait_for 5 "a new log" test -s "$log"
holds --whole --live "$log.1" "$log"
holds "$log"
grep -q "^begins  *at seq .*, chained to $("$SERIN" audit verify --json "$log.1" | jq -r .head)" "$BENCH/out" ||
    fail "the files are not joined: $(cat "$BENCH/out")"
cat "$log.1" "$log" | "$SERIN" audit verify - --whole >/dev/null || fail "standard input"
broken "oldest first" "$log" "$log.1"
broken "removed: the files begin with seq" --whole "$log"
broken "removed: the files end with seq" --live "$log.1"

title "Tampering with a copy"
copy=$BENCH/copy.log
count=$(wc -l <"$log")
[ "$count" -ge 6 ] || fail "only $count lines"
sed '3s/serind\|operator/nobody/' "$log" >"$copy"
broken "copy.log:3: altered: .*; seq .* missing" "$copy"
sed 3d "$log" >"$copy"
broken "copy.log:3: removed: seq .* missing before this line" "$copy"
{ sed -n 1,2p "$log" && sed -n 4p "$log" && sed -n 3p "$log" && sed -n '5,$p' "$log"; } >"$copy"
broken "copy.log:4: reordered: seq" "$copy"
{ sed -n 1,3p "$log" && sed -n '3,$p' "$log"; } >"$copy"
broken "copy.log:4: reordered: seq .* stands here again" "$copy"
head -n -2 "$log" >"$copy"
holds "$copy"
broken "removed: the files end with seq" --live "$copy"
broken "removed: the files end with seq" --head "$("$SERIN" audit head)" "$copy"
sed 's/,"act$/,"ack/' "$log.1" >"$copy"
broken "copy.log:.*: altered: the line has not the hash of its bytes$" "$copy"
sed '/,"act$/d' "$log.1" >"$copy"
broken "copy.log:.*: removed: the bytes that it vouches for are missing before this line" "$copy"

title "Tampering while serind is stopped"
stop serind
cp "$log" "$BENCH/good.log"
sed -i '$d' "$log"
start
wait_for 5 "serind says that the end was removed" chain_alarm
"$SERIN" status --json | jq -e '.alarms | map(test("its end was removed")) | any' >/dev/null || fail "not that alarm"
broken "removed: seq .* missing before this line" "$log"
killed
sed '2s/seq/sec/' "$BENCH/good.log" >"$log"
start
wait_for 5 "serind says that a line was altered" chain_alarm
"$SERIN" status --json | jq -e '.alarms | map(test("not as it was written: altered")) | any' >/dev/null || fail "not that alarm"
kill -HUP "${PID[serind]}"
wait_for 5 "SIGHUP ends the alarm" no_chain_alarm
stop serind
rm "$log"
start
wait_for 5 "serind says that the file is new" chain_alarm
act
holds "$log"

title "A log of before there were hashes"
stop serind
rm -rf "$BENCH/data" "$BENCH/depot"
sed 's/,"seq":[0-9]*,"prev":.*/}/; s/,"unchained":{[^}]*}//' "$log.1" >"$log"
old=$(wc -l <"$log")
broken "unchained: no line has a hash" "$log"
start
no_chain_alarm || fail "an old log raised an alarm"
act
holds --whole --live "$log"
grep -q "^unchained  *$old lines, before the chain begins at .*audit.log:$((old + 1))" "$BENCH/out" ||
    fail "the old lines are not told of: $(cat "$BENCH/out")"
sed -i '2s/a/b/' "$log"
broken "audit.log:1: altered" "$log"
stop serind
note "done"
