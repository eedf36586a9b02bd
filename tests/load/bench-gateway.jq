# The table of scripts/bench gateway, from the figures of its measurements.
#
# Each measurement: what the cloud's broker logged of the gateway's publishes (told), what the gateway counted itself
# (counted), bytes on the cable (wire), peak memory, and the result of serin-load where its nodes were the site's.

def by($name): map(select(.name == $name)) | first;
def round3: . * 1000 | round | . / 1000;
def n($kind): .told[$kind].bytes // 0;
def pad($width): tostring | (" " * ([$width - length, 0] | max)) + .;
def padr($width): tostring | . + (" " * ([$width - length, 0] | max));
def size: if . % 1024 == 0 then "\(. / 1024) MiB" else "\(.) KiB" end;

# Every byte of MQTT payload between the gateway and the cloud, both ways. Blocks alone below the objects: then the counting is
# wrong, not the site good.
def payload: .told.down_bytes + .told.up_bytes;
def payload_ratio: payload / .object_bytes;
def counted_all: n("block") >= .object_bytes;
# A short run gets beside that half a second of the link for its cut, and a second for its herd: on so small an image either weighs
# much, and a machine that is busy with other things must not fail it. What goes wrong costs whole objects.
def ratio_limit($ratio; $short): if $short and .cut_s > 0 then $ratio + .rate_kbit * 1000 / 8 / 2 / .object_bytes else $ratio end;
# A cut that came late was none at 80 %; a busy machine may have been slow to see it.
def cut_in_time($short): .cut_s == 0 or $short or .cut_at_bytes < .object_bytes * 0.9;
def per_100: if .counted.transitions > 0 then .told.up_words * 100 / .counted.transitions else null end;
def held_ms: .load.last_held_ms - .load.first_accepted_ms;
def time_limit($time; $short): if $short then $time + 1000 / held_ms else $time end; # of one node's measurement
# What the time of a short run takes in from others is as long as the run: a machine that has other work judges no time, and no
# number of batches, which is one of time. An hour's bench is not excused.
def busy($short): $short and (.busy_percent // 0) > 25;
def title: "\(.nodes) \(.kind), \(.image_kib | size), \(if .rate_kbit == 0 then "full speed" else "\(.rate_kbit) kbit/s" end)" +
    (if .cut_s > 0 then ", cut \(.cut_s) s at \(.cut_at_bytes * 100 / .object_bytes | floor) %" else "" end);

def row($what; $value; $limit; $ok): {what: $what, value: $value, limit: $limit, ok: $ok};

def kinds: ["block", "get", "reports", "acks", "status", "directive"];
def rest: payload - ([kinds[] as $kind | n($kind)] | add);
def rank: {"full-agents": 1, "full-nodes": 2, "cut-agents": 3, "cut-nodes": 4, "one": 5, "all": 6}[.name];

def bytes_line($title; $objects; $payload; $parts; $ratio; $blocks):
    "  \($title | padr(52)) \($objects | pad(8)) \($payload | pad(8)) =" +
    ([$parts, [8, 7, 9, 7, 8, 12, 5]] | transpose | map(.[1] as $width | " \(.[0] | pad($width))") | add) +
    " \($ratio | pad(10)) \($blocks | pad(17))";

sort_by(rank) as $all
| [ ($all[] | select(.name | test("^(full|cut)-"))
       | ratio_limit($ratio; $short) as $most
       | row("MQTT payload on the uplink ÷ object bytes: \(title)"; payload_ratio | round3; $most | round3;
             counted_all and cut_in_time($short) and payload_ratio <= $most)),
    (if ($all | by("one")) and ($all | by("all")) then
       (($all | by("all") | held_ms) / ($all | by("one") | held_ms)) as $value
       | ($all | by("one") | time_limit($time; $short)) as $most
       | row("last of \($all | by("all") | .nodes) nodes holds the image ÷ one node alone: " +
             ($all | by("one") | "\(.image_kib | size), \(.rate_kbit) kbit/s");
             $value | round3; $most | round3;
             if ($all | map(select(.name == "one" or .name == "all")) | any(busy($short))) then null else $value <= $most end)
     else empty end),
    ($all[] | select(.kind == "nodes" and .nodes > 1)
       | row("gateway's peak memory in KiB: \(title)"; .memory.gateway_kib; $kib;
             if $sanitized then null else .memory.gateway_kib <= $kib end)),
    ($all[] | select(.nodes > 1 and per_100 != null)
       | row("uplink messages per 100 transitions: \(title)"; per_100 | round3;
             if .nodes >= 20 then $messages else null end;
             if .nodes >= 20 and (busy($short) | not) then per_100 <= $messages else null end))
  ] as $rows
| ([ "\("What was to be shown" | padr(99)) \("value" | pad(8)) \("limit" | pad(7))",
     ($rows[] | "  \(.what | padr(97)) \(.value | pad(8)) \(.limit // "-" | pad(7))  \(if .ok == null then "not judged" elif .ok then "ok" else "FAILED" end)"),
     "",
     "MQTT payload on the uplink in bytes, both ways, as the cloud's broker logged it",
     bytes_line(""; "objects"; "payload"; ["blocks ▼", "gets ▲", "reports ▲", "acks ▼", "status ▲", "directives ▼", "rest"];
                "÷ objects"; "blocks ÷ objects"),
     ($all[] | bytes_line(title; .object_bytes; payload; [(kinds[] as $kind | n($kind)), rest];
                          payload_ratio | round3; n("block") / .object_bytes | round3)),
     "  Objects: manifest, piece table and image. A block's payload is its data and about 30 bytes of head.",
     "",
     "Bytes on the cable: payload, and what MQTT (topic and heads), TLS (22 bytes a record), TCP, IP and Ethernet (66 a packet) add",
     "  \("" | padr(52)) \("down ▼" | pad(9)) \("up ▲" | pad(9)) \("both ÷ objects" | pad(16))",
     ($all[] | "  \(title | padr(52)) " + (if .wire == null then "not measured: no cable" else
        "\(.wire.down_bytes | pad(9)) \(.wire.up_bytes | pad(9)) " +
        "\((.wire.down_bytes + .wire.up_bytes) / .object_bytes | round3 | pad(16))" end)),
     "",
     "Time, memory, messages up (without requests for blocks)" +
        if any($all[]; busy($short)) then "; others had \([$all[].busy_percent // 0] | max) % of the machine" else "" end,
     "  \("" | padr(52)) \("all hold it" | pad(12)) \("all confirmed" | pad(14)) " +
        "\("gateway" | pad(10)) \("its broker" | pad(11)) \("reports" | pad(8)) \("status" | pad(7)) \("transitions" | pad(12))",
     ($all[] | "  \(title | padr(52)) \(if .load then "\(held_ms / 100 | round / 10) s" else "-" end | pad(12)) " +
        "\(if .load then "\((.load.last_confirmed_ms - .load.first_accepted_ms) / 100 | round / 10) s" else "\(.seconds) s" end | pad(14)) " +
        "\("\(.memory.gateway_kib) KiB" | pad(10)) \("\(.memory.site_broker_kib) KiB" | pad(11)) \(.told.reports.messages // 0 | pad(8)) " +
        "\(.told.status.messages // 0 | pad(7)) \(.counted.transitions | pad(12))")
   ] | join("\n")) as $text
| {rows: $rows, measurements: $all, text: $text}
