# A real site to measure: the cloud's broker and serind here; the site's Mosquitto, serin-gateway and nodes in a network
# namespace of their own; between them one cable, which can be slow and can be cut. Sourced by scripts/bench after
# tests/e2e/lib.sh, never run.
#
#   cable_up / cable_down        the namespace and its veth pair, before and after a measurement; need root
#   cable_rate RATE              both directions shaped by tc tbf ("64kbit")
#   cable_cut / cable_mend
#   site_begin NAME IDS          folder, keys, cloud and site, running; nodes are up to the caller
#   site_mark / site_figures     what crossed the uplink between the two, as JSON
#
# Without a cable (CABLE empty) everything runs on loopback: no shaping, no cut, no bytes on the wire.

CABLE=
CLOUD_IP=127.0.0.1
IN_SITE=()
GATEWAY=gw-1

# ---- the cable ----

# Two names that no other run has, and a /30 of the addresses that are kept for benchmarks (RFC 2544).
cable_up() {
    local try net
    CABLE=sv$$
    unshare -n true 2>/dev/null || return 1
    # A process holds the namespace, which therefore needs no name, no mount and no cleaning up.
    unshare -n sleep 7200 </dev/null >/dev/null 2>&1 &
    NAMESPACE=$!
    for try in $(seq 50); do
        [ "$(readlink /proc/self/ns/net)" = "$(readlink "/proc/$NAMESPACE/ns/net")" ] || break
        sleep 0.1
    done
    for try in $(seq 0 50); do
        net=$((($$ + try * 7919) % 32768 * 4))
        CLOUD_IP=198.$((18 + net / 65536)).$((net / 256 % 256)).$((net % 256 + 1))
        SITE_IP=198.$((18 + net / 65536)).$((net / 256 % 256)).$((net % 256 + 2))
        ip -o -4 addr show | grep -q " inet $CLOUD_IP/" || break
    done
    ip link add "${CABLE}c" type veth peer name "${CABLE}s" netns "$NAMESPACE" &&
        ip addr add "$CLOUD_IP/30" dev "${CABLE}c" && ip link set "${CABLE}c" up || return 1
    IN_SITE=(nsenter -t "$NAMESPACE" -n)
    "${IN_SITE[@]}" ip link set lo up
    "${IN_SITE[@]}" ip addr add "$SITE_IP/30" dev "${CABLE}s"
    "${IN_SITE[@]}" ip link set "${CABLE}s" up
    # One packet is one packet: otherwise the counters would see large ones with one header.
    ip link set "${CABLE}c" gso_max_segs 1 2>/dev/null || true
    "${IN_SITE[@]}" ip link set "${CABLE}s" gso_max_segs 1 2>/dev/null || true
}

cable_down() {
    [ -n "$CABLE" ] || return 0
    ip link del "${CABLE}c" 2>/dev/null || true
    kill "$NAMESPACE" 2>/dev/null && wait "$NAMESPACE" 2>/dev/null || true
    CABLE= CLOUD_IP=127.0.0.1 IN_SITE=()
}

cable_rate() {
    tc qdisc replace dev "${CABLE}c" root tbf rate "$1" burst 2kb latency 400ms
    "${IN_SITE[@]}" tc qdisc replace dev "${CABLE}s" root tbf rate "$1" burst 2kb latency 400ms
}

cable_cut() { ip link set "${CABLE}c" down; }
cable_mend() { ip link set "${CABLE}c" up; }

# wire DIRECTION: bytes on the cable so far; down is towards the site.
wire() {
    local counter=tx_bytes
    [ "$1" = down ] || counter=rx_bytes
    if [ -n "$CABLE" ]; then cat "/sys/class/net/${CABLE}c/statistics/$counter"; else echo null; fi
}

# ---- cloud and site ----

# A broker with the plugin, from one of the delivered configurations; everything it sends and receives is in its log.
# broker_spawn NAME CONF ADDRESS PORT DEPOT PREFIX…
broker_spawn() {
    local name=$1 from=$2 address=$3 port=$4 depot=$5 library
    shift 5
    mkdir -p "$BENCH/$name/state" "$BENCH/$name/data"
    sed -e "s|^listener .*|listener $port $address|" -e "s|@PKI@|$BENCH/pki|g" -e "s|@PLUGIN@|$SERIN_PLUGIN|g" \
        -e "s|@DEPOT@|$depot|g" -e "s|@STATE@|$BENCH/$name/state|g" -e "s|@DATA@|$BENCH/$name/data|g" \
        -e "s|@GATEWAY@|$GATEWAY|g" -e "s|@ACL@|$E2E_SOURCE/configs/mosquitto.acl|g" "$E2E_SOURCE/configs/$from" >"$BENCH/$name.conf"
    [ "$name" != cloud ] || echo "log_type debug" >>"$BENCH/$name.conf"
    # Started by root, the broker would give up its rights and could not read the keys.
    [ "$(id -u)" -ne 0 ] || echo "user root" >>"$BENCH/$name.conf"
    library=$(sanitizer_library)
    spawn "$name" "$@" env ${library:+LD_PRELOAD=$library} ASAN_OPTIONS=detect_leaks=0 \
        "$(command -v mosquitto || echo /usr/sbin/mosquitto)" -c "$BENCH/$name.conf"
    wait_for 10 "the broker of the $name listens" "$@" bash -c "exec 3<>/dev/tcp/$address/$port"
}

# What is not named here is as delivered: batch_delay, beats, status, reconnections (docs/serin-gateway.md).
gateway_config() {
    mkdir -p "$BENCH/gateway" "$BENCH/site-depot"
    cat >"$BENCH/gateway.yaml" <<YAML
gateway: $GATEWAY
fleets:
  - {product: $PRODUCT, channel: $CHANNEL}
root_key: $BENCH/pki/keys/root.pub
data: $BENCH/gateway/data
control_socket: $BENCH/gateway/control
uplink:
  uri: ssl://$CLOUD_IP:$BROKER_PORT
  ca: $BENCH/pki/ca.pem
  certificate: $BENCH/pki/gateways/$GATEWAY.pem
  key: $BENCH/pki/gateways/$GATEWAY.key
site:
  uri: ssl://127.0.0.1:$SITE_PORT
  ca: $BENCH/pki/ca.pem
  certificate: $BENCH/pki/gateways/$GATEWAY.pem
  key: $BENCH/pki/gateways/$GATEWAY.key
depot:
  path: $BENCH/site-depot
  budget: 64MiB
${BATCH_DELAY:+relay: {batch_delay: $BATCH_DELAY\}}
YAML
}

gateway_json() { "$SERIN_BIN/serin-gateway" status --config "$BENCH/gateway.yaml" --json; }
gateway_is() { gateway_json | jq -e "$1"; }

# site_begin NAME IDS: IDS are the devices, with commas.
site_begin() {
    bench_begin "$1"
    SITE_PORT=$(free_port)
    "$SERIN" pki init "$BENCH/pki" --product "$PRODUCT" --devices "$2" --gateways "$GATEWAY" \
        --broker-name "$CLOUD_IP" >"$BENCH/log/pki.log" || fail "serin pki init"
    broker_spawn cloud mosquitto.conf "$CLOUD_IP" "$BROKER_PORT" "$BENCH/depot"
    serind_config
    sed -i "s|ssl://127.0.0.1:$BROKER_PORT|ssl://$CLOUD_IP:$BROKER_PORT|" "$BENCH/serind.yaml"
    serind_start
    gateway_config
    broker_spawn site mosquitto-site.conf 127.0.0.1 "$SITE_PORT" "$BENCH/site-depot" "${IN_SITE[@]}"
    spawn gateway "${IN_SITE[@]}" "$SERIN_BIN/serin-gateway" run --config "$BENCH/gateway.yaml"
    wait_for 20 "the gateway has both connections" gateway_is '.uplink_connected and .site_connected'
}

# ---- what crosses the uplink ----

# Every publish between the cloud's broker and the gateway as that broker logged it, so counted apart from the gateway: by
# topic, how many and how many bytes of payload. up_words: messages up that are no requests for blocks.
uplink_told() {
    tail -n "+$1" "$BENCH/log/cloud.log" | sed -nE \
        -e "s/.*: Sending PUBLISH to $GATEWAY \(.*'serin\/1\/([^']*)', \.\.\. \(([0-9]+) bytes\)\)/down \1 \2/p" \
        -e "s/.*: Received PUBLISH from $GATEWAY \(.*'serin\/1\/([^']*)', \.\.\. \(([0-9]+) bytes\)\)/up \1 \2/p" |
        awk '
            { n = split($2, part, "/"); kind = part[1] == "gw" || part[1] == "dev" ? part[n] : part[1]
              count[kind]++; bytes[kind] += $3; of[$1] += $3; words += $1 == "up" && kind != "get" }
            END { printf "{\"down_bytes\":%d,\"up_bytes\":%d,\"up_words\":%d", of["down"], of["up"], words
                  for (k in count) printf ",\"%s\":{\"messages\":%d,\"bytes\":%d}", k, count[k], bytes[k]
                  print "}" }'
}

log_line() { wc -l <"$BENCH/log/cloud.log"; }

site_mark() {
    MARK_LINE=$(($(log_line) + 1)) MARK_DOWN=$(wire down) MARK_UP=$(wire up)
    MARK_GATEWAY=$(gateway_json)
}

peak_kib() { sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/${PID[$1]}/status"; }

site_figures() {
    jq -n --argjson told "$(uplink_told "$MARK_LINE")" --argjson before "$MARK_GATEWAY" --argjson after "$(gateway_json)" \
        --argjson down "$(wire down)" --argjson up "$(wire up)" --argjson down0 "$MARK_DOWN" --argjson up0 "$MARK_UP" \
        --argjson gateway "$(peak_kib gateway)" --argjson broker "$(peak_kib site)" '
        def delta(f): ($after | f) - ($before | f);
        {told: $told,
         wire: (if $down == null then null else {down_bytes: ($down - $down0), up_bytes: ($up - $up0)} end),
         counted: {fetched_bytes: delta(.fetched_bytes), refetched_bytes: delta(.refetched_bytes),
                   sent_bytes: delta(.uplink_sent), got_bytes: delta(.uplink_got),
                   messages: delta(.uplink_messages), transitions: delta(.transitions)},
         memory: {gateway_kib: $gateway, site_broker_kib: $broker}}'
}
