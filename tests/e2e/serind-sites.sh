#!/usr/bin/env bash
# serind and gateways that the test plays itself, through a real broker with the plugin: adoption, claims, moves, refusal, holds,
# and kills of serind at each point between hearing a batch and acknowledging it.
. "$(dirname "$0")/lib.sh"
bench_begin serind-sites
"$SERIN" pki init "$BENCH/pki" --product "$PRODUCT" --devices sensor-01 --gateways gw-1,gw-2 >"$BENCH/log/pki.log" ||
    fail "serin pki init"
broker_start
ADOPTION=approve serind_config
serind_start
WORDS=$E2E_SOURCE/tests/e2e/tools/gateway_words.py
export GATEWAY_BATCHES=$BENCH/batches

# as GW COMMAND…: mosquitto_pub or mosquitto_sub with the gateway's certificate.
as() {
    local gw=$1 program=$2
    shift 2
    "$program" -h localhost -p "$BROKER_PORT" --cafile "$BENCH/pki/ca.pem" --cert "$BENCH/pki/gateways/$gw.pem" \
        --key "$BENCH/pki/gateways/$gw.key" -i "$gw" "$@"
}
# A broker knows a client by its name: each word that a gateway says throws its listener out, which comes back to its session.
listen() { # GW
    # The shell takes its listener with it: one in the foreground would outlive it.
    spawn "acks-$1" bash -c 'trap "kill \$! 2>/dev/null; exit" TERM; while :; do "$@" & wait $!; sleep 0.1; done' -- mosquitto_sub -h localhost -p "$BROKER_PORT" \
        --cafile "$BENCH/pki/ca.pem" --cert "$BENCH/pki/gateways/$1.pem" --key "$BENCH/pki/gateways/$1.key" -i "$1" -c -q 1 \
        -t "serin/1/gw/$1/acks" -F %x
}
say() { # GW reports|status WORDS…
    local gw=$1 topic=$2
    shift 2
    "$WORDS" "$@" >"$BENCH/payload"
    as "$gw" mosquitto_pub -c -q 1 -t "serin/1/gw/$gw/$topic" -f "$BENCH/payload" || fail "$gw cannot publish on $topic"
}
acked_raw() { # GW: all that came
    grep -v '[^0-9a-f]' "$BENCH/log/acks-$1.log" | "$WORDS" acks
}
acked() { # GW NODE STATUS NUMBER: among all that came
    acked_raw "$1" | grep -qx "$2 $3 $4"
}
via() { [ "$(device_json "$1" | jq -r .gateway)" = "$2" ]; }
alarm() { "$SERIN" status --json | jq -e --arg t "$1" '.alarms | map(select(startswith($t))) | length == 1'; }
quiet() { ! alarm "$1"; }
listen gw-1
listen gw-2

title "Adoption"
say gw-1 reports batch 1 n-1=1 n-2=1
wait_for 10 "n-1 waits" acked gw-1 n-1 pending 0
waiting() { # GW or "", ids as JSON: those that are listed, and as many as the status counts
    [ "$("$SERIN" device list --enrolment pending ${1:+--gateway "$1"} --json | jq -c '[.devices[].id]')" = "$2" ] &&
        [ "$("$SERIN" status --json | jq .pending)" -eq "$(jq length <<<"$2")" ]
}
waiting "" '["n-1","n-2"]' || fail "who waits: $("$SERIN" device list) $("$SERIN" status --json)"
"$SERIN" status | grep -q "^waiting .* 2 for 'serin device approve'" || fail "$("$SERIN" status)"
via n-1 gw-1 || fail "$(device_json n-1)"
"$SERIN" device approve n-1 >/dev/null || fail "approve"
wait_for 10 "n-1 is asked for its report, through its gateway" acked gw-1 n-1 resend 0
say gw-1 reports batch 2 n-1=1
wait_for 10 "n-1 is stored" acked gw-1 n-1 stored 1
GATEWAY_BATCHES='' acked_raw gw-1 | grep -qx 'batch 2' || fail "a batch of one report that is stored is not acknowledged as a whole"
waiting gw-1 '["n-2"]' || fail "$("$SERIN" device list)"
[ "$("$SERIN" device approve --gateway gw-1)" = "n-2: enrolled" ] || fail "approve --gateway"
waiting "" '[]' || fail "$("$SERIN" device list)"

title "A gateway that speaks for another's node"
say gw-2 reports batch 1 n-1=9
wait_for 10 "it is refused" acked gw-2 n-1 refused 0
via n-1 gw-1 || fail "the claim moved the device: $(device_json n-1)"
alarm "gateway gw-2 speaks for devices that are not its own" >/dev/null || fail "$("$SERIN" status)"
[ "$("$SERIN" gateway show gw-2 --json | jq -c '[.nodes, .claims.count, .claims.device]')" = '[0,1,"n-1"]' ] ||
    fail "$("$SERIN" gateway show gw-2 --json)"
"$SERIN" device move n-1 --to gw-2 >/dev/null || fail "move"
wait_for 10 "it is asked for its report at its new place" acked gw-2 n-1 resend 0
quiet "gateway gw-2 speaks" >/dev/null || fail "the alarm still stands"
say gw-2 reports batch 2 n-1=2
wait_for 10 "its account began anew" acked gw-2 n-1 stored 2
say gw-1 reports batch 3 n-1=9
wait_for 10 "the old gateway is refused" acked gw-1 n-1 refused 0
status=0
"$SERIN" device move n-1 --to gw-9 2>/dev/null || status=$?
[ $status -eq 6 ] || fail "a move to a gateway that nobody knows ended with $status"
"$SERIN" audit | grep -q 'from gateway gw-1 to gateway gw-2' || fail "the move is not in the audit log"

title "A gateway cannot speak as another, nor as a device"
"$WORDS" batch 9 n-2=9 >"$BENCH/payload"
as gw-1 mosquitto_pub -c -q 1 -t serin/1/gw/gw-2/reports -f "$BENCH/payload" || true
as gw-1 mosquitto_pub -c -q 1 -t serin/1/dev/n-1/report -f "$BENCH/payload" || true
sleep 1
[ "$("$SERIN" gateway show gw-2 --json | jq .batches.number)" -eq 2 ] || fail "gw-1 spoke as gw-2"

title "Refused, and allowed again"
"$SERIN" gateway refuse gw-2 >/dev/null || fail "refuse"
say gw-2 reports batch 3 n-1=3
sleep 1
! acked gw-2 n-1 stored 3 || fail "a refused gateway is heard"
"$SERIN" gateway allow gw-2 >/dev/null || fail "allow"
say gw-2 reports batch 4 n-1=3
wait_for 10 "it is heard again" acked gw-2 n-1 stored 3
[ "$("$SERIN" gateway show gw-2 --json | jq .batches.lost)" -eq 1 ] || fail "$("$SERIN" gateway show gw-2 --json)"

title "A site that holds"
say gw-1 status status gw-1 4
wait_for 10 "the hold is an alarm" alarm "gateway gw-1 holds lamp stable: 4 of its nodes failed the release"
"$SERIN" gateway list
"$SERIN" gateway show gw-1
say gw-1 status status gw-1 2
wait_for 75 "it ends, after a minute at least" quiet "gateway gw-1 holds"

title "Pages"
page() { curl -s -H "Authorization: Bearer $(cat "$SERIN_TOKEN_FILE")" "$SERIN_SERVER/v1/$1" | jq -c "$2"; }
[ "$(page 'gateways?limit=1' '[.gateways[0].id, .next]')" = '["gw-1","gw-1"]' ] || fail "$(page 'gateways?limit=1' .)"
[ "$(page 'gateways?after=gw-1' '[.gateways[0].id, .next]')" = '["gw-2",null]' ] || fail "$(page 'gateways?after=gw-1' .)"
[ "$(page 'gateways/gw-1' '[.devices[].id, .next]')" = '["n-2",null]' ] || fail "$(page gateways/gw-1 .)"
[ "$("$SERIN" device list --gateway gw-2 --json | jq -c '[.devices[].id]')" = '["n-1"]' ] || fail "device list --gateway"

title "A site is adopted"
mapfile -t nodes < <(seq -f 'm-%g' 10 49)
say gw-1 reports batch 4 "${nodes[@]/%/=1}"
wait_for 10 "m-49 waits" acked gw-1 m-49 pending 0
stop serind
serind_start
[ "$("$SERIN" status --json | jq .pending)" -eq 40 ] || fail "after a restart: $("$SERIN" status --json)"
"$SERIN" device refuse m-10 m-11 >/dev/null || fail "refuse"
waiting gw-1 "$(printf '%s\n' "${nodes[@]:2}" | jq -cR . | jq -cs .)" || fail "$("$SERIN" device list)"
[ "$("$SERIN" device approve --gateway gw-1 | grep -c enrolled)" -eq 38 ] || fail "approve --gateway"
waiting "" '[]' || fail "$("$SERIN" status --json)"
[ "$("$SERIN" device list --enrolment refused --json | jq -c '[.devices[].id]')" = '["m-10","m-11"]' ] || fail "refused"

title "Nodes are online as their gateway is"
gone() { [ "$("$SERIN" gateway show gw-1 --json | jq .online)" = false ]; }
listener=$(ps -o pid= --ppid "${PID[acks-gw-1]}")
kill_hard acks-gw-1
kill $listener || true
wait_for 10 "gw-1 is offline" gone
listed=$("$SERIN" device list --json | jq '[.devices[] | select(.online)] | length')
[ "$listed" -le 1 ] || fail "$listed devices are online, of which one is behind gw-2"
[ "$("$SERIN" status --json | jq .online)" -eq "$listed" ] || fail "$listed are online: $("$SERIN" status --json)"

title "serind killed between a batch and its acks"
number=10
for point in serind.batch.heard serind.report.before_commit serind.report.after_commit; do
    stop serind
    SERIND_FAULT=$point:1 serind_start
    say gw-2 reports batch $number n-1=$number
    expect_killed serind 20
    serind_start
    via n-1 gw-2 || fail "$point: $(device_json n-1)"
    say gw-2 reports batch $((number + 1)) n-1=$number # it resends what was not acknowledged
    wait_for 15 "$point: n-1 is stored" acked gw-2 n-1 stored "$number"
    number=$((number + 10))
    note "$point"
done
[ "$("$SERIN" gateway list --json | jq -c '[.gateways[] | [.id, .nodes]]')" = '[["gw-1",41],["gw-2",1]]' ] ||
    fail "$("$SERIN" gateway list --json)"
note "done"
