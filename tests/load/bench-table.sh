#!/usr/bin/env bash
# The table of scripts/bench judges: figures within their limits pass, and each one that is planted beyond its limit fails its own
# row and no other.
set -euo pipefail
table=$(dirname "$0")/bench-gateway.jq
good=$(jq -n '
    def one($name; $kind; $nodes; $rate; $cut; $held):
        {name: $name, kind: $kind, nodes: $nodes, image_kib: 96, object_bytes: 100000, rate_kbit: $rate, cut_s: $cut,
         cut_at_bytes: (if $cut > 0 then 80000 else null end), seconds: 70,
         load: (if $kind == "nodes" then {first_accepted_ms: 1000, last_held_ms: (1000 + $held), last_confirmed_ms: 90000} else null end),
         told: {down_bytes: 101000, up_bytes: 3000, up_words: ($nodes * 6 / 25), block: {messages: 30, bytes: 100500},
                acks: {messages: 2, bytes: 500}, get: {messages: 5, bytes: 300}, reports: {messages: 9, bytes: 2700}},
         wire: {down_bytes: 110000, up_bytes: 5000},
         counted: {fetched_bytes: 100000, transitions: ($nodes * 6)},
         memory: {gateway_kib: 20000, site_broker_kib: 30000}};
    [one("full-nodes"; "nodes"; 300; 0; 0; 900), one("cut-agents"; "agents"; 30; 64; 10; 0),
     one("one"; "nodes"; 1; 64; 0; 70000), one("all"; "nodes"; 300; 64; 0; 72000)]')

# judge FIGURES [SANITIZED] [SHORT]: the rows.
judge() {
    jq --argjson ratio 1.05 --argjson time 1.15 --argjson kib 32768 --argjson messages 5 --argjson sanitized "${2:-false}" \
        --argjson short "${3:-false}" -f "$table" <<<"$1" | jq -c .rows
}
fails=0
# expect WHAT ROWS JQ
expect() {
    # jq is content with nothing: a table that does not come about must not pass.
    { [ -n "$2" ] && jq -e "$3" <<<"$2" >/dev/null; } || { echo "$1: $(jq -c '[.[] | select(.ok != true)]' <<<"$2")" && fails=$((fails + 1)); }
}
# planted WHAT CHANGE ROW: the change makes exactly the rows fail whose name has ROW in it.
planted() {
    expect "$1" "$(judge "$(jq "$2" <<<"$good")")" "[.[] | select(.ok == false) | .what] | length == 1 and (first | contains(\"$3\"))"
}

expect "good figures" "$(judge "$good")" '[.[] | select(.ok == false)] == [] and ([.[] | select(.ok)] | length) == 8'
# more KIND WAY: a tenth of an object more of that.
more() { echo ".told |= (.$1.bytes += 10000 | .$2_bytes += 10000)"; }
planted "a tenth of an object in blocks too many" ".[0]$(more block down)" "÷ object bytes: 300 nodes, 96 KiB, full"
planted "reports of a tenth of an object" ".[1]$(more reports up)" "÷ object bytes: 30 agents, 96 KiB, 64"
planted "acks of a tenth of an object" ".[0]$(more acks down)" "÷ object bytes: 300 nodes, 96 KiB, full"
planted "a kind that nobody knows" ".[0]$(more noise up)" "÷ object bytes: 300 nodes"
planted "less than an object" '.[1].told |= (.block.bytes = 99999 | .down_bytes = 100499)' "64 kbit/s, cut 10 s at 80 %"
planted "no block at all" 'del(.[1].told.block)' "÷ object bytes: 30 agents"
planted "a cut that came late" '.[1].cut_at_bytes = 95000' "÷ object bytes: 30 agents"
planted "a slow herd" '.[3].load.last_held_ms = 1000 + 70000 * 1.2' "last of 300 nodes"
planted "a fat gateway" '.[3].memory.gateway_kib = 32769' "peak memory in KiB: 300 nodes, 96 KiB, 64"
planted "a talkative gateway" '.[0].told.up_words = 91' "per 100 transitions: 300 nodes, 96 KiB, full"
planted "a gateway that a cut makes talkative" '.[1].told.up_words = 10' "messages per 100 transitions: 30 agents"
expect "memory under a sanitizer" "$(judge "$(jq '.[3].memory.gateway_kib = 99999' <<<"$good")" true)" '[.[] | select(.ok == false)] == []'
short() { judge "$(jq "$1" <<<"$good")" false true; }
expect "a cut of a short run" "$(short '.[1].told.down_bytes = 105900')" '[.[] | select(.ok == false)] == []'
expect "two cuts' worth of it" "$(short '.[1].told.down_bytes = 110000')" '[.[] | select(.ok == false)] | length == 1'
expect "a busy machine in a short run" "$(short '.[3].load.last_held_ms = 1000 + 70000 * 1.16')" '[.[] | select(.ok == false)] == []'
expect "a herd of a short run" "$(short '.[3].load.last_held_ms = 1000 + 70000 * 1.17')" '[.[] | select(.ok == false)] | length == 1'
busy='.[].busy_percent = 26 |'
herd='.[3].load.last_held_ms = 1000 + 70000 * 1.8'
talk='.[0].told.up_words = 200'
expect "a busy machine has no times" "$(short "$busy $herd | $talk")" '[.[] | select(.ok == false)] == []'
expect "but bytes" "$(short "$busy .[1].told.down_bytes = 110000")" '[.[] | select(.ok == false)] | length == 1'
expect "one that is not has both" "$(short ".[].busy_percent = 25 | $herd | $talk")" '[.[] | select(.ok == false)] | length == 2'
expect "who measures for minutes has both" "$(judge "$(jq "$busy $herd | $talk" <<<"$good")")" '[.[] | select(.ok == false)] | length == 2'
[ $fails -eq 0 ] || exit 1
echo "the table judges"
