#!/usr/bin/env bash
# serind's API over plain HTTP, without any broker: the token, every route with its statuses, errors with code, field and line,
# what survives a restart, and what serind refuses to start with.
. "$(dirname "$0")/lib.sh"
bench_begin serind-api
pki 1
bundle 1.0.0 "$SERIN_BIN/apps/app_v1"
bundle 2.0.0 "$SERIN_BIN/apps/app_v2"
serind_config
sed -i 's/^enrolment:.*/enrolment: approve/' "$BENCH/serind.yaml"

listening() { port_open "$API_PORT"; }
start() {
    spawn serind "$SERIN_BIN/serind" --config "$BENCH/serind.yaml"
    wait_for 15 "serind listens" listening
}

# call STATUS METHOD PATH [curl options…]: the body lands in $BENCH/body, a wrong status fails.
call() {
    local wanted=$1 method=$2 path=$3 status
    shift 3
    status=$(curl -s -o "$BENCH/body" -w '%{http_code}' -X "$method" \
        -H "Authorization: Bearer $(cat "$SERIN_TOKEN_FILE")" "$@" "$SERIN_SERVER$path") || true
    [ "$status" = "$wanted" ] || fail "$method $path gave $status, not $wanted: $(cat "$BENCH/body")"
}
# body FILTER: jq on the last answer must hold.
body() { jq -e "$1" "$BENCH/body" >/dev/null || fail "not so: $1 in $(cat "$BENCH/body")"; }
# refused STATUS TEXT [options…]: serind must end with the status and say the text.
refused_start() {
    local wanted=$1 text=$2 status=0
    shift 2
    timeout 20 "$SERIN_BIN/serind" "$@" >"$BENCH/out" 2>&1 || status=$?
    [ $status -eq "$wanted" ] || fail "serind $* ended with $status, not $wanted: $(cat "$BENCH/out")"
    grep -q "^serind: .*$text" "$BENCH/out" || fail "serind $* did not say '$text': $(cat "$BENCH/out")"
    note "$(grep '^serind: ' "$BENCH/out" | cut -c1-150)"
}

title "What serind does not start with"
refused_start 2 "config is missing"
refused_start 2 "unknown" --config "$BENCH/serind.yaml" --no-such
refused_start 3 "there" --config "$BENCH/there-is-none.yaml"
sed 's/^depot:/depott:/' "$BENCH/serind.yaml" >"$BENCH/wrong.yaml"
refused_start 3 "wrong.yaml:2: unknown key 'depott'" --config "$BENCH/wrong.yaml" --check
sed "s|keys/director[.]key|keys/release.key|" "$BENCH/serind.yaml" >"$BENCH/wrong.yaml"
refused_start 4 "does not list this serind's director key" --config "$BENCH/wrong.yaml"
sed "s|root.pub|release.pub|" "$BENCH/serind.yaml" >"$BENCH/wrong.yaml"
refused_start 4 "signed by none of the root keys" --config "$BENCH/wrong.yaml"
sed "s|listen: 127.0.0.1|listen: 0.0.0.0|" "$BENCH/serind.yaml" >"$BENCH/wrong.yaml"
refused_start 3 "no loopback address" --config "$BENCH/wrong.yaml"
# What a check finds without starting, each with the key and the file; a start finds the same before it makes anything.
rm -f "$SERIN_TOKEN_FILE"
wrong() { # SED TEXT
    sed "$1" "$BENCH/serind.yaml" >"$BENCH/wrong.yaml"
    refused_start 3 "$2" --config "$BENCH/wrong.yaml" --check
    refused_start 3 "$2" --config "$BENCH/wrong.yaml"
    [ ! -e "$SERIN_TOKEN_FILE" ] || fail "a start that was refused made the token file"
}
head -c 5000 /dev/urandom >"$BENCH/garbage"
wrong "s|listen: .*|listen: 127.0.0.1:99999|" "api.listen: '127.0.0.1:99999'"
wrong "s|keys/director[.]key|keys/none.key|" "director_key: .*none.key"
wrong "s|/pki/keys/director[.]key|/garbage|" "director_key: .*garbage"
wrong "s|^trust: .*|trust: [$BENCH/garbage]|" "trust: .*garbage is no trust record"
wrong "s|ssl://127.0.0.1:[0-9]*|ssl://127.0.0.1|" "brokers.0..uri"
wrong "s|ssl://127.0.0.1:[0-9]*|ssl://127.0.0.1:99999999|" "brokers.0..uri"
wrong "s|pki/ca.pem|garbage|" "brokers.0..ca: the file .*garbage holds no PEM"
wrong "s|pki/serind.pem|pki/none.pem|" "brokers.0..certificate: the file .*none.pem cannot be read"
wrong "s|^enrolment:|client_id: a/b\nenrolment:|" "client_id: 'a/b'"
"$SERIN_BIN/serind" --config "$BENCH/serind.yaml" --check || fail "a sound configuration is refused"

title "The token"
rm -f "$SERIN_TOKEN_FILE"
start
[ "$(stat -c %a "$SERIN_TOKEN_FILE")" = 600 ] || fail "the token file has mode $(stat -c %a "$SERIN_TOKEN_FILE")"
status=$(curl -s -o "$BENCH/body" -w '%{http_code}' "$SERIN_SERVER/v1/status")
[ "$status" = 401 ] || fail "no token gave $status"
body '.error.code == "DENIED"'
status=$(curl -s -o "$BENCH/body" -w '%{http_code}' -H "Authorization: Bearer $(tr 0-9a-f 1-9a-f0 <"$SERIN_TOKEN_FILE")" \
    "$SERIN_SERVER/v1/status")
[ "$status" = 401 ] || fail "a wrong token gave $status"
refused_start 4 "another serind has the store" --config "$BENCH/serind.yaml"
chmod 644 "$SERIN_TOKEN_FILE"
sed "s|^data:.*|data: $BENCH/data2|; s|^depot:.*|depot: $BENCH/depot2|" "$BENCH/serind.yaml" >"$BENCH/wrong.yaml"
refused_start 3 "chmod 600" --config "$BENCH/wrong.yaml"
chmod 600 "$SERIN_TOKEN_FILE"

title "Status, routes and numbers"
call 200 GET /v1/status
body '.connected == false and .devices == 0 and .online == 0 and .pending == 0 and .order == {"epoch":1,"sequence":0} and (.alarms | length) == 1'
body '.alarms[0] | startswith("not connected to ssl://")'
call 404 GET /v1/nothing
call 404 GET /v1/devices/
call 405 DELETE /v1/status
call 405 POST /v1/bundles
call 400 GET "/v1/devices?limit=0"
call 400 GET "/v1/devices?state=bad"
call 400 GET "/v1/devices?enrolment=waiting"
body '.error.message == "\u0027enrolment\u0027 must be pending, enrolled or refused"'
call 200 GET "/v1/devices?enrolment=pending"
call 400 GET '/v1/devices?limit=1001'
call 400 GET '/v1/devices?limit=x'
call 400 GET '/v1/devices?product=a%2Fb'
call 404 GET /v1/devices/nobody
call 404 POST /v1/devices/nobody/approve
call 404 POST /v1/devices/nobody/praise
call 200 GET /v1/devices
body '. == {"devices":[],"next":null}'
call 400 GET '/v1/audit?after=-1'
call 400 GET '/v1/devices?chanel=beta'
body '.error.message == "unknown query key \u0027chanel\u0027; it knows product, channel, state, enrolment, gateway, after, limit"'
call 400 GET '/v1/status?x'
body '.error.message == "unknown query key \u0027x\u0027"'

title "Gateways that nobody heard of"
call 200 GET /v1/gateways
body '. == {"gateways":[],"next":null}'
call 400 GET '/v1/gateways?limit=0'
call 404 GET /v1/gateways/gw-1
call 404 POST /v1/gateways/gw-1/refuse
call 404 POST /v1/gateways/gw-1/praise
call 404 GET '/v1/devices?gateway=gw-1'
call 404 POST /v1/devices/nobody/move --data-binary '{"to":""}'
call 400 POST /v1/devices/nobody/move --data-binary '{"to":"a/b"}'
call 400 POST /v1/devices/nobody/move

title "Bundles"
call 201 PUT /v1/bundles --data-binary "@$BENCH/bundles/1.0.0.serin"
body '.version == "1.0.0" and .product == "lamp" and .hw_min == 1 and .hw_max == 3 and .channels == ["stable"]'
call 200 PUT /v1/bundles --data-binary "@$BENCH/bundles/1.0.0.serin"
call 400 PUT /v1/bundles --data-binary "no bundle"
call 400 PUT /v1/bundles
head -c 5000 "$BENCH/bundles/2.0.0.serin" >"$BENCH/cut"
call 400 PUT /v1/bundles --data-binary "@$BENCH/cut"
size=$(stat -c %s "$BENCH/bundles/2.0.0.serin")
{ head -c $((size - 1)) "$BENCH/bundles/2.0.0.serin"; printf '\377'; } >"$BENCH/bent"
call 422 PUT /v1/bundles --data-binary "@$BENCH/bent"
body '.error.code == "DIGEST" and (.error.message | test("image piece"))'
call 413 PUT /v1/bundles -H 'Content-Length: 999999999' --data-binary x
[ -z "$(ls -A "$BENCH/depot/tmp")" ] || fail "something is left in the depot's tmp"
call 200 GET /v1/releases
body '.releases | length == 1'
call 201 PUT /v1/bundles -H 'Transfer-Encoding: chunked' --data-binary "@$BENCH/bundles/2.0.0.serin"

title "Trust"
call 200 GET /v1/trust
body '.trust[0].product == "lamp" and .trust[0].version == 1 and ([.trust[0].keys[].role] | sort) == ["director","release"]'
call 200 PUT /v1/trust --data-binary "@$BENCH/pki/trust.bin"
call 400 PUT /v1/trust --data-binary "nonsense"
keys=$BENCH/pki/keys
"$SERIN" trust make --root "$keys/root.key" --product lamp --version 2 --release "$keys/release.pub" \
    --director "$keys/release.pub" -o "$BENCH/twice.bin" 2>/dev/null && fail "one key with two roles was signed"
"$SERIN" key new "$BENCH/other.key" >/dev/null
"$SERIN" trust make --root "$keys/root.key" --product lamp --version 2 --release "$keys/release.pub" \
    --director "$BENCH/other.pub" -o "$BENCH/other.bin" >/dev/null
call 422 PUT /v1/trust --data-binary "@$BENCH/other.bin"
body '.error.code == "KEY"'
"$SERIN" trust make --root "$BENCH/other.key" --product lamp --version 3 --release "$keys/release.pub" \
    --director "$keys/director.pub" -o "$BENCH/forged.bin" >/dev/null
call 422 PUT /v1/trust --data-binary "@$BENCH/forged.bin"
"$SERIN" trust make --root "$keys/root.key" --product lamp --version 5 --release "$keys/release.pub" \
    --director "$keys/director.pub" -o "$BENCH/five.bin" >/dev/null
call 201 PUT /v1/trust --data-binary "@$BENCH/five.bin"
call 409 PUT /v1/trust --data-binary "@$BENCH/pki/trust.bin"
body '.error.code == "STALE"'

title "Rollouts"
policy 2.0.0
create() { # STATUS
    call "$1" POST /v1/rollouts --data-binary "@$BENCH/policy-${2:-2.0.0}.yaml"
}
policy 3.0.0
create 404 3.0.0
body '.error.code == "NOT_FOUND" and .error.field == "releases[0]" and .error.line == 5'
policy 2.0.1 "stages: [{percent: 10}, {percent: 5}]"
create 400 2.0.1
body '.error.code == "CONFIG" and .error.field == "stages[1].percent" and .error.line == 6'
sed 's/^channel:.*/channel: beta/' "$BENCH/policy-2.0.0.yaml" >"$BENCH/policy-beta.yaml"
create 422 beta
body '.error.code == "CHANNEL"'
sed 's/^product:.*/product: toaster/' "$BENCH/policy-2.0.0.yaml" >"$BENCH/policy-toaster.yaml"
create 404 toaster
body '.error.field == "product"'
create 201
body '.id == 1 and .state == "rolling" and .stage == 1 and .population == 0 and .publishes == 1 and .ended == null'
create 409
body '.error.code == "STATE" and (.error.message | test("supersede: true"))'
call 409 POST /v1/rollouts/1/resume
call 404 POST /v1/rollouts/1/dance
call 404 POST /v1/rollouts/7/pause
call 404 POST /v1/rollouts/x/pause
call 404 GET /v1/rollouts/99999999999999999999
call 400 POST /v1/rollouts/1/pause --data-binary '{"reason": 3}'
call 400 POST /v1/rollouts/1/pause --data-binary 'because'
call 200 POST /v1/rollouts/1/pause --data-binary '{"reason": "lunch"}'
body '.state == "paused" and .publishes == 2 and .why == "paused by an operator: lunch"'
policy 1.0.0 "supersede: true"
create 201 1.0.0
body '.id == 2 and .attempt == 1'
call 200 GET /v1/rollouts/1
body '.state == "superseded" and .failures == []'
call 409 POST /v1/rollouts/1/advance
body '.error.message | test("rollout 1 is superseded, and rollout 2 has taken its place")'
call 200 POST /v1/rollouts/2/halt --data-binary '{"reason": "a test"}'
body '.state == "halted" and (.why | test("a test"))'
sed 's/supersede/revert/; $a from: 2' "$BENCH/policy-1.0.0.yaml" >"$BENCH/policy-again.yaml"
create 201 again
body '.id == 3 and .attempt == 2'
call 200 GET /v1/rollouts
body '[.rollouts[].id] == [3,2,1] and .rollouts[0].state == "rolling"'
call 200 GET /v1/stable
body '. == {"stable":[]}'

title "After a restart"
stop serind
start
call 200 GET /v1/rollouts
body '[.rollouts[].state] == ["rolling","halted","superseded"] and .rollouts[0].publishes == 1'
call 200 GET /v1/status
body '.order == {"epoch":1,"sequence":5} and .rollouts_active == 1'
call 200 GET /v1/trust
body '.trust[0].version == 5'
call 200 GET '/v1/audit?limit=1000'
body '[.lines[] | select(.what == "command" and .actor == "operator") | .text] == ["pause: lunch", "halt: a test"]'
body '[.lines[] | select(.what == "refused")] | length >= 8'
body '[.lines[] | select(.what == "directive") | .order.sequence] == [1,2,3,4,5]'
body '[.lines[] | select(.what == "publish")] == []' # no broker ever took one
next=$(jq .next "$BENCH/body")
[ "$next" -eq "$(stat -c %s "$BENCH/audit.log")" ] || fail "next is $next, the file has $(stat -c %s "$BENCH/audit.log") bytes"
call 200 GET '/v1/audit?limit=2'
body '(.lines | length) == 2 and .lines[0].what == "start" or .lines[0].what == "trust"'
mv "$BENCH/audit.log" "$BENCH/audit.log.1"
kill -HUP "${PID[serind]}"
call 200 POST /v1/rollouts/3/abort
wait_for 5 "the audit log is made anew" grep -q abort "$BENCH/audit.log"
stop serind
note "done"
