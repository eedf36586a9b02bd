# The table of scripts/bench gateway, from the figures of its measurements.
#
# Each measurement: what the cloud's broker logged of the gateway's publishes (told), what the gateway counted itself
# (counted), bytes on the cable (wire), peak memory, and the result of serin-load where its nodes were the site's.

def by($name): map(select(.name == $name)) | first;
def round3: . * 1000 | round | . / 1000;
def n($kind; $what): .told[$kind][$what] // 0;
def pad($width): tostring | (" " * ([$width - length, 0] | max)) + .;
def padr($width): tostring | . + (" " * ([$width - length, 0] | max));

# Payload that fills the depot: blocks down. A cut loses at most what was on its way: two seconds of the link.
def object_ratio: n("block"; "bytes") / .object_bytes; # below 1 the counting is wrong, not the site good
def ratio_limit($ratio; $short): if $short and .cut_s > 0 then $ratio + .rate_kbit * 1000 / 8 * 2 / .object_bytes else $ratio end;
def all_payload: .told.down_bytes + .told.up_bytes;
def per_100: if .counted.transitions > 0 then .counted.messages * 100 / .counted.transitions else null end;
def held_ms: .load.last_held_ms - .load.first_accepted_ms;
def title: "\(.nodes) \(.kind), \(if .rate_kbit == 0 then "full speed" else "\(.rate_kbit) kbit/s" end)" +
    (if .cut_s > 0 then ", cut \(.cut_s) s at \(.cut_at_bytes * 100 / .object_bytes | floor) %" else "" end);

def row($what; $value; $limit; $ok): {what: $what, value: $value, limit: $limit, ok: $ok};

def rank: {"full-agents": 1, "full-nodes": 2, "cut-agents": 3, "cut-nodes": 4, "one": 5, "all": 6}[.name];
sort_by(rank) as $all
| [ ($all[] | select(.name | test("^(full|cut)-"))
       | ratio_limit($ratio; $short) as $most
       | row("uplink payload of objects ÷ object bytes: \(title)"; object_ratio | round3; $most | round3; object_ratio >= 1 and object_ratio <= $most)),
    (if ($all | by("one")) and ($all | by("all")) then
       (($all | by("all") | held_ms) / ($all | by("one") | held_ms))
       | row("last of \($all | by("all") | .nodes) nodes holds the image ÷ one node alone, \($all | by("one") | .rate_kbit) kbit/s";
             round3; $time; . <= $time) else empty end),
    ($all[] | select(.kind == "nodes" and .nodes > 1)
       | row("gateway's peak memory in KiB: \(title)"; .memory.gateway_kib; $kib;
             if $sanitized then null else .memory.gateway_kib <= $kib end)),
    ($all[] | select(.nodes > 1 and per_100 != null)
       | row("uplink messages per 100 transitions: \(title)"; per_100 | round3;
             if .nodes >= 20 and .cut_s == 0 then $messages else null end;
             if .nodes >= 20 and .cut_s == 0 then per_100 <= $messages else null end))
  ] as $rows
| ([ "What was to be shown" + " " * 60 + "value   limit",
     ($rows[] | "  \(.what | padr(76)) \(.value | pad(8)) \(.limit // "-" | pad(7))  \(if .ok == null then "not judged" elif .ok then "ok" else "FAILED" end)"),
     "",
     "MQTT payload on the uplink in bytes, as the cloud's broker logged it (the gateway's own count in brackets)",
     "  \("" | padr(48)) \("objects" | pad(9)) \("blocks ▼" | pad(22)) \("gets ▲" | pad(8)) \("reports ▲" | pad(10)) \("acks ▼" | pad(8)) \("rest ▲▼" | pad(8)) \("÷ objects" | pad(10))",
     ($all[] | "  \(title | padr(48)) \(.object_bytes | pad(9)) \("\(n("block"; "bytes")) [\(.counted.fetched_bytes)]" | pad(22)) \(n("get"; "bytes") | pad(8)) " +
        "\(n("reports"; "bytes") | pad(10)) \(n("acks"; "bytes") | pad(8)) \(all_payload - n("block"; "bytes") - n("get"; "bytes") - n("reports"; "bytes") - n("acks"; "bytes") | pad(8)) " +
        "\(all_payload / .object_bytes | round3 | pad(10))"),
     "  ÷ objects: all of it, both ways. A block's payload is its data and about 30 bytes of head, which the gateway does not count.",
     "",
     "Bytes on the cable: payload, and what MQTT (topic and heads), TLS (22 bytes a record), TCP, IP and Ethernet (66 a packet) add",
     "  \("" | padr(48)) \("down ▼" | pad(9)) \("up ▲" | pad(9)) \("down ÷ objects" | pad(16))",
     ($all[] | "  \(title | padr(48)) " + (if .wire == null then "not measured: no cable" else
        "\(.wire.down_bytes | pad(9)) \(.wire.up_bytes | pad(9)) \(.wire.down_bytes / .object_bytes | round3 | pad(16))" end)),
     "",
     "Time, memory, messages",
     "  \("" | padr(48)) \("all hold it" | pad(12)) \("all confirmed" | pad(14)) \("gateway" | pad(10)) \("its broker" | pad(11)) \("messages" | pad(9)) \("transitions" | pad(12))",
     ($all[] | "  \(title | padr(48)) \(if .load then "\(held_ms / 100 | round / 10) s" else "-" end | pad(12)) " +
        "\(if .load then "\((.load.last_confirmed_ms - .load.first_accepted_ms) / 100 | round / 10) s" else "\(.seconds) s" end | pad(14)) " +
        "\("\(.memory.gateway_kib) KiB" | pad(10)) \("\(.memory.site_broker_kib) KiB" | pad(11)) \(.counted.messages | pad(9)) \(.counted.transitions | pad(12))")
   ] | join("\n")) as $text
| {rows: $rows, measurements: $all, text: $text}
