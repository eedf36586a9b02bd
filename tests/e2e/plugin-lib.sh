# What the tests of the plugin share: certificates with any role, and clients of the broker. Sourced behind lib.sh, never run.

# A function at the end of a pipe runs in this shell, so that its checks count.
shopt -s lastpipe
PROBE=$SERIN_BIN/plugin_probe

# ---- certificates, in the layout of `serin pki init`, with roles that it does not give ----

certificate() { # FILE-BASE SUBJECT [EXTENSION]
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>>"$BENCH/log/pki.log"
    openssl req -new -key "$1.key" -subj "$2" 2>>"$BENCH/log/pki.log" |
        openssl x509 -req -CA "$BENCH/pki/ca.pem" -CAkey "$BENCH/pki/ca.key" -CAcreateserial -days 2 \
            -extfile <(echo "${3-}") -out "$1.pem" 2>>"$BENCH/log/pki.log"
}
# plugin_pki ID[=OU]…: a CA, the broker's certificate, and one for each identity.
plugin_pki() {
    local who
    mkdir -p "$BENCH/pki/devices"
    openssl ecparam -name prime256v1 -genkey -noout -out "$BENCH/pki/ca.key"
    openssl req -x509 -key "$BENCH/pki/ca.key" -subj "/CN=Test CA" -days 2 -out "$BENCH/pki/ca.pem"
    certificate "$BENCH/pki/broker" "/CN=localhost" "subjectAltName=DNS:localhost,IP:127.0.0.1"
    for who in "$@"; do
        case $who in
        *=*) certificate "$BENCH/pki/devices/${who%%=*}" "/CN=${who%%=*}/OU=${who#*=}" ;;
        *) certificate "$BENCH/pki/devices/$who" "/CN=$who" ;;
        esac
    done
}

# ---- talking to the broker ----

# The client id is a lie on purpose: the broker must go by the certificate. With EXEC=exec a client in the background is the
# process that its number names.
client() { # TOOL ID ARGUMENTS…
    local tool=$1 id=$2
    shift 2
    ${EXEC-} "$tool" -h 127.0.0.1 -p "$BROKER_PORT" --cafile "$BENCH/pki/ca.pem" --cert "$BENCH/pki/devices/$id.pem" \
        --key "$BENCH/pki/devices/$id.key" -i "${CLIENT_ID:-liar}" "$@"
}
payload() { "$PROBE" payload "$@"; }

CHECKS=0
ok() {
    CHECKS=$((CHECKS + 1))
    [ -z "${VERBOSE-}" ] || note "$*"
}

# accepts ID QOS RETAIN TOPIC <PAYLOAD · refuses REASON ID QOS RETAIN TOPIC <PAYLOAD
# By MQTT 5 the broker tells about QoS 1. QoS 0 is judged by the plugin's line in the log, which names topic and reason.
publish() { # ID QOS RETAIN TOPIC
    cat >"$BENCH/payload"
    local from=(-f "$BENCH/payload")
    [ -s "$BENCH/payload" ] || from=(-n)
    client mosquitto_pub "$1" -V mqttv5 -q "$2" ${3:+-r} -t "$4" "${from[@]}" 2>&1
}
refusals() { grep -c 'serin: refused' "$BENCH/log/broker.log" || true; }
accepts() {
    local before output
    before=$(refusals)
    output=$(publish "$@") || true
    sync_broker
    [ -z "$output" ] || fail "publish by $1 on $4: $output"
    [ "$(refusals)" -eq "$before" ] || fail "publish by $1 on $4 was refused: $(tail -1 "$BENCH/log/broker.log")"
    ok "accepted: $4 by $1"
}
refuses() {
    local reason=$1 before output
    shift
    before=$(refusals)
    output=$(publish "$@") || true
    sync_broker
    [ "$(refusals)" -gt "$before" ] || fail "publish by $1 on $4 was not refused: $output"
    grep 'serin: refused' "$BENCH/log/broker.log" | tail -1 | grep -qF -- "$reason" ||
        fail "publish by $1 on $4: expected \"$reason\", got $(grep 'serin: refused' "$BENCH/log/broker.log" | tail -1)"
    [ "$2" -eq 0 ] || [[ $output == *"Not authorized"* ]] || fail "publish by $1 on $4: the client was told: $output"
    ok "refused: $4 by $1: $reason"
}
# A round trip through the broker's one thread: what was sent before it has been dealt with.
sync_broker() { CLIENT_ID=probe client mosquitto_pub "${SYNC_ID:-sensor-03}" -V mqttv5 -q 1 -t sync -n >/dev/null 2>&1 || true; }

# subscribes VERDICT ID FILTER
subscribes() {
    local output
    output=$(client mosquitto_sub "$2" -t "$3" -E -W 5 -d 2>&1) || true
    case $output in
    *"Subscribed (mid: 1): 128"*) [ "$1" = denied ] ;;
    *"Subscribed (mid: 1):"*) [ "$1" = allowed ] ;;
    *) fail "subscription of $2 to $3: $output" ;;
    esac || fail "subscription of $2 to $3 should be $1: $output"
    ok "subscription $1: $3 by $2"
}
# delivers ID TOPIC FILE: what is retained on the topic reaches the client, byte for byte.
delivers() {
    client mosquitto_sub "$1" -t "$2" -C 1 -W 3 -N >"$BENCH/delivered" 2>/dev/null || fail "nothing retained on $2 for $1"
    cmp -s "$BENCH/delivered" "$3" || fail "another message than expected on $2 for $1"
    ok "delivered: $2 to $1"
}
