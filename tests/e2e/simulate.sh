#!/usr/bin/env bash
# A rehearsal, as an operator does it on a laptop without a network: a good release completes, one that always crashes halts after a
# handful, one that fails behind a single gateway is told from a bad image, slow trouble is met in a soak; what chance was involved
# in is replayed to the byte.
set -euo pipefail
: "${SERIN_BIN:?the folder of the programs, such as build/asan/bin}"
SERIN=$SERIN_BIN/serin
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BENCH=$(mktemp -d "${TMPDIR:-/tmp}/serin-simulate.XXXXXX")
trap 'rm -rf "$BENCH"' EXIT
cd "$BENCH"
note() { printf '   %s\n' "$*"; }
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    tail -n 40 ./*.out ./*.err >&2 || true
    exit 1
}
# simulate NAME ARGUMENTS…: the result in NAME.out, complaints in NAME.err, the exit status in $status. No server, no token, no home.
simulate() {
    local name=$1
    shift
    status=0
    env -u SERIN_SERVER -u SERIN_TOKEN_FILE HOME=/nowhere "$SERIN" simulate "$@" >"$name.out" 2>"$name.err" || status=$?
    if grep -q -E 'Sanitizer|runtime error' "$name.err"; then fail "$name: a sanitizer complains"; fi
}
of() { jq -r "$2" <"$1.out"; }

cat >policy.yaml <<'YAML'
name: spring
product: lamp
channel: stable
releases: [{version: 2.4.0}]
stages:
  - {percent: 5, soak: 6h}
  - {percent: 30, soak: 6h}
  - {percent: 100, soak: 2h}
YAML

simulate good policy.yaml --devices 300 --gateways 6 --seed 11 --json --expect completed --timeline good.csv
[ "$status" -eq 0 ] || fail "the good release: status $status"
[ "$(of good .broken)" = null ] && [ "$(of good .still_on_it)" = 300 ] || fail "the good release did not reach everyone"
[ "$(of good '.stages | length')" -eq 3 ] || fail "there were not three stages"
[ "$(of good '[.stages[] | .ended_ms] | . == sort')" = true ] || fail "the stages did not end in their order"
note "a good release: $(of good '"\(.confirmed) of \(.devices) confirmed after \(.ended_ms / 3600000 | floor) h, \(.uplink_bytes) bytes up, \(.site_bytes) at sites"')"
grep -q ',completed,' good.csv || fail "the time line does not come to the end"

printf 'image: [{fault: crash, percent: 100}]\n' >crash.yaml
simulate crash policy.yaml --devices 300 --gateways 6 --seed 12 --scenario crash.yaml --json --expect halted
[ "$status" -eq 0 ] || fail "the crash loop: status $status"
[ "$(of crash .exposed)" -le 8 ] || fail "a release that always crashes was exposed to $(of crash .exposed)"
[ "$(of crash .still_on_it)" = 0 ] || fail "somebody is still on it"
note "a crash loop: $(of crash '"\(.exposed) exposed, halted \(.halted_ms - .first_fail_ms) ms after the first failure: \(.why)"')"

printf 'image: [{fault: no_confirm, percent: 100, sites: [2]}]\n' >site.yaml
simulate site policy.yaml --devices 300 --gateways 6 --seed 13 --scenario site.yaml --json
[ "$status" -eq 0 ] || fail "the sick site: status $status"
[ "$(of site '.state == "paused" and (.why | test("behind gateway g0*2, 0 of [1-9]")) and .exposed <= 30')" = true ] ||
    fail "the sick site was not told from a bad image: $(of site .why)"
note "a sick site: $(of site '"\(.state): \(.why)"')"

printf 'image: [{fault: regress, percent: 60, after: 2h}]\n' >slow.yaml
simulate slow policy.yaml --devices 300 --gateways 6 --seed 14 --scenario slow.yaml --json
[ "$status" -eq 0 ] || fail "slow trouble: status $status"
[ "$(of slow .state)" = halted ] && [ "$(of slow .stage)" -eq 1 ] || fail "slow trouble did not halt in its first soak: $(of slow .state)"
note "slow trouble: $(of slow '"\(.exposed) exposed: \(.why)"')"

cat >storm.yaml <<'YAML'
fleet: {offline: 5, power_cuts_per_year: 500}
links: {drop: 2, duplicate: 2, reorder: 2, corrupt: 0.5, downloads: {cut: 30, at: 80}}
weather: [{from: 1h, for: 3h, offline: 10, drop: 5}]
events:
  - {at: 10m, event: gateway_crash, percent: 30, for: 1m}
  - {at: 20m, event: serind_crash, for: 5m}
  - {at: 40m, event: serind_restore, back: 30m, for: 2m}
  - {at: 1h, event: broker_restart, for: 30s}
  - {at: 2h, event: broker_old, back: 90m, for: 30s}
  - {at: 3h, event: stale_cache, gateway: 1, for: 1h}
YAML
simulate storm policy.yaml --devices 300 --gateways 6 --seed 15 --scenario storm.yaml --json
[ "$status" -eq 0 ] || fail "the storm: status $status"
[ "$(of storm .broken)" = null ] || fail "an invariant broke in the storm"
[ "$(of storm '[.befallen.dropped, .befallen.corrupted, .befallen.cuts, .befallen.events.broker_old] | min > 0')" = true ] || fail "not all of the storm came"
note "a storm: $(of storm '"\(.state), \(.confirmed) confirmed, \(.befallen.dropped) messages lost, \(.befallen.power_cuts) power cuts"')"

# What is replayed is the same to the byte: also by the command that the result itself names.
cp storm.out first.out
read -r -a words <<<"$(of storm .replay)"
[ "${words[0]} ${words[1]}" = "serin simulate" ] || fail "the result names no command: ${words[*]}"
simulate storm "${words[@]:2}" --json
cmp -s first.out storm.out || fail "the command that the result names does something else"
note "replayed: $(of storm .digest)"

# Each example of the scenarios' page comes to an end, and no invariant breaks in it.
awk '/^```yaml$/ { file = sprintf("example-%02d.yaml", ++n); next } /^```$/ { file = ""; next } file != "" { print > file }' \
    "$ROOT/docs/spec/scenario.md"
examples=(example-*.yaml)
[ ${#examples[@]} -ge 12 ] || fail "the page has only ${#examples[@]} examples"
for example in "${examples[@]}"; do
    simulate example policy.yaml --devices 80 --gateways 4 --seed 16 --scenario "$example" --json
    [ "$status" -eq 0 ] || fail "$example: status $status"
    [ "$(of example .broken)" = null ] || fail "$example: an invariant broke"
done
note "${#examples[@]} examples of the page"
