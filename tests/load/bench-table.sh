#!/usr/bin/env bash
# The table of scripts/bench judges: figures within their limits pass, and each one that is planted beyond its limit fails its own
# row and no other.
set -euo pipefail
table=$(dirname "$0")/bench-gateway.jq
good=$(jq -n '
    def one($name; $kind; $nodes; $rate; $cut; $held):
        {name: $name, kind: $kind, nodes: $nodes, object_bytes: 100000, rate_kbit: $rate, cut_s: $cut,
         cut_at_bytes: (if $cut > 0 then 80000 else null end), seconds: 70,
         load: (if $kind == "nodes" then {first_accepted_ms: 1000, last_held_ms: (1000 + $held), last_confirmed_ms: 90000} else null end),
         told: {down_bytes: 104000, up_bytes: 3000, block: {messages: 30, bytes: 100500}, get: {messages: 5, bytes: 300}},
         wire: {down_bytes: 110000, up_bytes: 5000},
         counted: {fetched_bytes: 100000, refetched_bytes: 0, sent_bytes: 3000, got_bytes: 104000, messages: 30, transitions: 1800},
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
    jq -e "$3" <<<"$2" >/dev/null || { echo "$1: $(jq -c '[.[] | select(.ok != true)]' <<<"$2")" && fails=$((fails + 1)); }
}
# planted WHAT CHANGE ROW: the change makes exactly the rows fail whose name has ROW in it.
planted() {
    expect "$1" "$(judge "$(jq "$2" <<<"$good")")" "[.[] | select(.ok == false) | .what] | length == 1 and (first | contains(\"$3\"))"
}

expect "good figures" "$(judge "$good")" '[.[] | select(.ok == false)] == [] and ([.[] | select(.ok)] | length) == 7'
planted "an object and a tenth" '.[0].told.block.bytes = 110000' "300 nodes, full speed"
planted "less than an object" '.[1].told.block.bytes = 99999' "30 agents, 64 kbit/s, cut 10 s at 80 %"
planted "no block at all" 'del(.[1].told.block)' "30 agents, 64 kbit/s"
planted "a slow herd" '.[3].load.last_held_ms = 1000 + 70000 * 1.2' "last of 300 nodes"
planted "a fat gateway" '.[3].memory.gateway_kib = 32769' "peak memory in KiB: 300 nodes, 64"
planted "a talkative gateway" '.[0].counted.messages = 91' "messages per 100 transitions: 300 nodes, full"
expect "memory under a sanitizer" "$(judge "$(jq '.[3].memory.gateway_kib = 99999' <<<"$good")" true)" '[.[] | select(.ok == false)] == []'
expect "a cut of a short run" "$(judge "$(jq '.[1].told.block.bytes = 116000' <<<"$good")" false true)" '[.[] | select(.ok == false)] == []'
expect "two cuts' worth of it" "$(judge "$(jq '.[1].told.block.bytes = 122000' <<<"$good")" false true)" '[.[] | select(.ok == false)] | length == 1'
[ $fails -eq 0 ] || exit 1
echo "the table judges"
