# Sites for the bench of lib.sh: a gateway each, with a Mosquitto and plugin of its own. Sourced after lib.sh, never run.
#
#   site_begin gw-1          folders and a free port; SITE_PORT[gw-1] is where its nodes connect
#   site_start gw-1          its broker and its gateway
#   node sensor-03 gw-1      the configuration of an agent behind it

declare -A SITE_PORT=()

# pki_sites COUNT GATEWAY…: certificates for so many sensors and these gateways, all of one CA.
pki_sites() {
    local ids count=$1
    shift
    ids=$(seq -f 'sensor-%02g' -s, "$count")
    "$SERIN" pki init "$BENCH/pki" --product "$PRODUCT" --devices "$ids" --gateways "$(IFS=,; echo "$*")" \
        ${PKI_BROKER_NAME:+--broker-name "$PKI_BROKER_NAME"} >"$BENCH/log/pki.log" || fail "serin pki init with gateways"
}

site_begin() {
    mkdir -p "$BENCH/site/$1"/{depot,broker,plugin}
    SITE_PORT[$1]=$(free_port)
}

site_dir() { echo "$BENCH/site/$1"; }

# site_broker_spawn GW: the process alone, from configs/mosquitto-site.conf. SITE_BROKER_FAULT names a fault point; of root
# SITE_USER is whom it becomes.
site_broker_spawn() {
    local gw=$1 dir library conf
    dir=$(site_dir "$gw") library=$(sanitizer_library) conf=$dir/mosquitto.conf
    sed -e "s|@PORT@|${SITE_PORT[$gw]}|g" -e "s|@PKI@|$BENCH/pki|g" -e "s|@PLUGIN@|$SERIN_PLUGIN|g" \
        -e "s|@DEPOT@|$dir/depot|g" -e "s|@STATE@|$dir/plugin|g" -e "s|@DATA@|$dir/broker|g" -e "s|@GATEWAY@|$gw|g" \
        -e "s|@ACL@|$dir/mosquitto.acl|g" \
        "$E2E_SOURCE/configs/mosquitto-site.conf" >"$conf"
    install -m 644 "$E2E_SOURCE/configs/mosquitto.acl" "$dir/mosquitto.acl" # where SITE_USER reads it
    [ "$(id -u)" -ne 0 ] || echo "user ${SITE_USER:-root}" >>"$conf"
    spawn "broker-$gw" ${SITE_PREFIX-} env ${library:+LD_PRELOAD=$library} ASAN_OPTIONS=detect_leaks=0 \
        SERIN_FAULT="${SITE_BROKER_FAULT-}" "$(command -v mosquitto || echo /usr/sbin/mosquitto)" -c "$conf"
}

# site_broker_start GW: as broker_start.
site_broker_start() {
    site_broker_spawn "$1"
    wait_for 10 "the broker of $1 listens" ${SITE_PREFIX-} "$E2E_SOURCE/tests/e2e/tools/port_open" "${SITE_PORT[$1]}"
}

# gateway_config GW: UPLINK, UPLINK_PORT (a relay), GATEWAY_RATE, GATEWAY_BUDGET and the like change it.
gateway_config() {
    local gw=$1 dir
    dir=$(site_dir "$gw")
    cat >"$dir/gateway.yaml" <<YAML
gateway: $gw
fleets: [{product: $PRODUCT, channel: $CHANNEL}]
root_key: $BENCH/pki/keys/root.pub
data: $dir/data
control_socket: $dir/control
uplink:
  uri: ${UPLINK:-ssl://127.0.0.1:${UPLINK_PORT:-$BROKER_PORT}}
  ca: $BENCH/pki/ca.pem
  certificate: $BENCH/pki/gateways/$gw.pem
  key: $BENCH/pki/gateways/$gw.key
  reconnect_min: 100ms
  reconnect_max: 1s
${GATEWAY_RATE:+  rate: $GATEWAY_RATE
}${GATEWAY_HOURS:+  hours: ["$GATEWAY_HOURS"]
}site:
  uri: ssl://127.0.0.1:${SITE_PORT[$gw]}
  ca: $BENCH/pki/ca.pem
  certificate: $BENCH/pki/gateways/$gw.pem
  key: $BENCH/pki/gateways/$gw.key
  reconnect_min: 100ms
  reconnect_max: 1s
depot:
  path: $dir/depot
  budget: ${GATEWAY_BUDGET:-64MiB}
  scrub: ${GATEWAY_SCRUB:-1d}
relay:
  batch_delay: ${GATEWAY_DELAY:-300ms}
  beats: ${GATEWAY_BEATS:-2s}
  status: 1s
  resend: 2s
YAML
}

# gateway_start GW: GATEWAY_FAULT names a fault point.
gateway_start() {
    local gw=$1 dir
    dir=$(site_dir "$gw")
    [ -f "$dir/gateway.yaml" ] || gateway_config "$gw"
    spawn "$gw" ${SITE_PREFIX-} env SERIN_FAULT="${GATEWAY_FAULT-}" "$SERIN_BIN/serin-gateway" run --config "$dir/gateway.yaml"
}

site_start() {
    site_broker_start "$1"
    gateway_start "$1"
    wait_for 15 "$1 answers" gateway_json "$1"
}

gateway_json() { "$SERIN_BIN/serin-gateway" status --socket "$(site_dir "$1")/control" --json; }
# gw GW FILTER: one value of its status.
gw() { gateway_json "$1" | jq -e -r "$2" || fail "the status of $1 has no $2"; }
# gw_is GW FILTER: a condition on its status holds.
gw_is() { gateway_json "$1" | jq -e "$2"; }

# node ID GW: the configuration of an agent that knows the site's broker only.
node() { AGENT_BROKER_PORT=${SITE_PORT[$2]} agent_config "$1"; }

# objects_bytes VERSION: manifest, piece table and image, as a fill brings them.
objects_bytes() {
    local size manifest
    size=$(image_size "$1")
    manifest=$("$SERIN" inspect "$BENCH/bundles/$1.serin" --json | jq -r .manifest_id)
    echo $((size + 32 * ((size + 4095) / 4096) + $(stat -c %s "$BENCH/depot/manifests/$manifest")))
}

# relay_start NAME CUT_BYTES OUTAGE_MS: a relay before the cloud's broker; sets UPLINK_PORT.
relay_start() {
    UPLINK_PORT=$(free_port)
    spawn "$1" "$SERIN_BIN/linkcut" "$UPLINK_PORT" "$BROKER_PORT" "$2" "$3"
    wait_for 5 "the relay $1 listens" port_open "$UPLINK_PORT"
}

# ---- a site in a network namespace of its own ----

# needs_namespaces: runs the story in a namespace, so that nothing of it touches the machine's network; or skips it.
needs_namespaces() {
    [ -z "${SITE_INSIDE-}" ] || return 0
    if ! unshare -n true 2>/dev/null || ! command -v tc >/dev/null || ! command -v iptables >/dev/null; then
        echo "SKIP: needs the right to make network namespaces, tc and iptables (run as root)"
        exit 77
    fi
    SITE_INSIDE=1 exec unshare -n "$0"
}

# namespace_begin: the site's namespace, joined to ours by the cable cloud0 (10.86.0.1) to site0 (10.86.0.2). Sets SITE_PREFIX,
# which runs a command in it, UPLINK, and BROKER_ADDRESS.
namespace_begin() {
    local i
    ip link set lo up
    unshare -n sleep 900 </dev/null >/dev/null 2>&1 &
    PID[namespace]=$!
    SITE_PREFIX="nsenter -t ${PID[namespace]} -n"
    for ((i = 0; i < 50; i++)); do
        [ "$(readlink /proc/self/ns/net)" = "$(readlink "/proc/${PID[namespace]}/ns/net")" ] || break
        sleep 0.1
    done
    ip link add cloud0 type veth peer name site0 netns "${PID[namespace]}"
    ip addr add 10.86.0.1/30 dev cloud0
    ip link set cloud0 up
    $SITE_PREFIX sh -c 'ip link set lo up; ip addr add 10.86.0.2/30 dev site0; ip link set site0 up'
    BROKER_ADDRESS=0.0.0.0 PKI_BROKER_NAME=10.86.0.1 UPLINK=ssl://10.86.0.1:$BROKER_PORT
}

# agent_inside ID: as agent_start, in the site's namespace.
agent_inside() {
    spawn "$1" $SITE_PREFIX "$SERIN_BIN/serin-agent" run --config "$BENCH/devices/$1/agent.yaml"
}
