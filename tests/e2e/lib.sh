# The bench of the end-to-end tests and of scripts/demo: a real broker with the plugin, a real serind, real agents, on
# loopback, in one temporary folder with free ports. Sourced, never run.
#
# bench_begin NAME          makes the folder; everything ends and vanishes when the script exits
# pki / broker / serind / agent …  start and stop the processes; each is killed by its own pid only
#
# Needs SERIN_BIN (folder of the programs) and SERIN_PLUGIN (the plugin's file).

set -euo pipefail

: "${SERIN_BIN:?the folder of the programs, such as build/asan/bin}"
: "${SERIN_PLUGIN:?the plugin, such as build/asan/lib/serin_plugin.so}"
E2E_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SERIN=$SERIN_BIN/serin
PRODUCT=${PRODUCT:-lamp}
CHANNEL=${CHANNEL:-stable}
declare -A PID=()

note() { printf '   %s\n' "$*"; }
title() { printf '\n── %s\n' "$*"; }
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    [ -n "${BENCH-}" ] && [ -d "$BENCH" ] && bench_tail >&2
    exit 1
}

# The last lines of every log, for a failure far from a terminal.
bench_tail() {
    local log
    for log in "$BENCH"/log/*.log; do
        [ -s "$log" ] || continue
        printf -- '---- %s\n' "${log##*/}"
        tail -n "${BENCH_TAIL:-15}" "$log"
    done
}

bench_begin() {
    BENCH=$(mktemp -d "${TMPDIR:-/tmp}/serin-$1.XXXXXX")
    mkdir -p "$BENCH"/{log,depot,data,broker,plugin,devices,bundles}
    trap bench_end EXIT
    trap 'exit 130' INT TERM
    BROKER_PORT=$(free_port)
    API_PORT=$(free_port)
    export SERIN_SERVER=http://127.0.0.1:$API_PORT SERIN_TOKEN_FILE=$BENCH/data/token
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
}

bench_end() {
    local status=$? name
    trap - EXIT
    for name in "${!PID[@]}"; do
        kill -TERM "${PID[$name]}" 2>/dev/null || true
        kill -CONT "${PID[$name]}" 2>/dev/null || true # one that a test froze
    done
    for name in "${!PID[@]}"; do
        wait_gone "${PID[$name]}" 100 || kill -KILL "${PID[$name]}" 2>/dev/null || true
        wait "${PID[$name]}" 2>/dev/null || true
    done
    # A sanitizer's report fails the test wherever it was written.
    if grep -l -E 'ERROR: (Address|Leak|Thread)Sanitizer|runtime error:' "$BENCH"/log/*.log 2>/dev/null; then
        grep -h -A 20 -E 'ERROR: (Address|Leak|Thread)Sanitizer|runtime error:' "$BENCH"/log/*.log | head -60 >&2
        [ "$status" -ne 0 ] || status=1
    fi
    if [ -n "${BENCH_KEEP-}" ]; then
        note "kept: $BENCH"
    else
        rm -rf "$BENCH"
    fi
    exit "$status"
}

# A port that nothing listens on now. Two runs side by side draw from their own random sequence.
free_port() {
    local port
    for _ in $(seq 100); do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
            echo "$port"
            return 0
        }
    done
    fail "no free port found"
}

# wait_gone PID TENTHS: until the process has ended.
wait_gone() {
    local i
    for ((i = 0; i < $2; i++)); do
        kill -0 "$1" 2>/dev/null || return 0
        [ "$(ps -o stat= -p "$1" 2>/dev/null | cut -c1)" = Z ] && return 0
        sleep 0.1
    done
    return 1
}

# wait_for SECONDS WHAT COMMAND…: until the command succeeds, or fail naming WHAT.
wait_for() {
    local seconds=$1 what=$2 end
    shift 2
    end=$((SECONDS + seconds))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "gave up after $seconds s waiting until $what"
        sleep 0.2
    done
}

# spawn NAME COMMAND…: a background process with its log in log/NAME.log.
spawn() {
    local name=$1
    shift
    "$@" >>"$BENCH/log/$name.log" 2>&1 &
    PID[$name]=$!
}

alive() {
    [ -n "${PID[$1]-}" ] && kill -0 "${PID[$1]}" 2>/dev/null && [ "$(ps -o stat= -p "${PID[$1]}" | cut -c1)" != Z ]
}

# stop NAME: SIGTERM and wait; its exit status must be 0.
stop() {
    local status=0
    kill -TERM "${PID[$1]}" 2>/dev/null || true
    wait_gone "${PID[$1]}" 100 || fail "$1 does not end on SIGTERM"
    wait "${PID[$1]}" 2>/dev/null || status=$?
    unset "PID[$1]"
    [ $status -eq 0 ] || fail "$1 ended with status $status on SIGTERM"
}

# kill_hard NAME: SIGKILL, as a power cut.
kill_hard() {
    kill -KILL "${PID[$1]}" || fail "$1 was not running"
    wait "${PID[$1]}" 2>/dev/null || true
    unset "PID[$1]"
}

# expect_killed NAME SECONDS: the process was killed by its fault point; a fault that did not fire fails the test.
expect_killed() {
    local status=0
    wait_gone "${PID[$1]}" $(($2 * 10)) || fail "the fault point of $1 did not fire within $2 s"
    wait "${PID[$1]}" 2>/dev/null || status=$?
    unset "PID[$1]"
    [ $status -eq 137 ] || fail "$1 ended with status $status, not by its fault point"
}

# ---- the actors ----

# pki COUNT: certificates for sensor-01 … sensor-COUNT.
pki() {
    local ids
    ids=$(seq -f 'sensor-%02g' -s, "$1")
    "$SERIN" pki init "$BENCH/pki" --product "$PRODUCT" --devices "$ids" >"$BENCH/log/pki.log" ||
        fail "serin pki init"
}

broker_start() {
    local conf=$BENCH/mosquitto.conf library=
    sed -e "s|@PORT@|$BROKER_PORT|g" -e "s|@PKI@|$BENCH/pki|g" -e "s|@PLUGIN@|$SERIN_PLUGIN|g" \
        -e "s|@DEPOT@|$BENCH/depot|g" -e "s|@STATE@|$BENCH/plugin|g" -e "s|@DATA@|$BENCH/broker|g" -e "s|@ACL@|$E2E_SOURCE/configs/mosquitto.acl|g" \
        ${BROKER_ADDRESS:+-e "s|^\(listener .*\) 127.0.0.1$|\1 $BROKER_ADDRESS|"} "$E2E_SOURCE/configs/mosquitto.conf" >"$conf"
    # Started by root, the broker would give up its rights and could not read the keys of the test.
    [ "$(id -u)" -ne 0 ] || echo "user root" >>"$conf"
    library=$(sanitizer_library)
    spawn broker env ${library:+LD_PRELOAD=$library} ASAN_OPTIONS=detect_leaks=0 \
        SERIN_FAULT="${BROKER_FAULT-}" "$(command -v mosquitto || echo /usr/sbin/mosquitto)" -c "$conf"
    wait_for 10 "the broker listens" port_open "$BROKER_PORT"
}

# The sanitizer's runtime, where the plugin was built with one: mosquitto itself was not.
sanitizer_library() {
    ldd "$SERIN_PLUGIN" 2>/dev/null | sed -n 's/.*=> \(.*lib[at]san\.so[^ ]*\).*/\1/p' | head -1
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

serind_config() {
    cat >"$BENCH/serind.yaml" <<YAML
data: $BENCH/data
depot: $BENCH/depot
audit: $BENCH/audit.log
brokers:
  - uri: ssl://127.0.0.1:$BROKER_PORT
    ca: $BENCH/pki/ca.pem
    certificate: $BENCH/pki/serind.pem
    key: $BENCH/pki/serind.key
director_key: $BENCH/pki/keys/director.key
trust: [$BENCH/pki/trust.bin]
root_keys: [$BENCH/pki/keys/root.pub]
api:
  listen: 127.0.0.1:$API_PORT
  token_file: $BENCH/data/token
enrolment: ${ENROLMENT:-auto}
adoption: ${ADOPTION:-auto}
store_size: ${STORE_SIZE:-64MiB}
YAML
}

serind_start() {
    [ -f "$BENCH/serind.yaml" ] || serind_config
    spawn serind env SERIN_FAULT="${SERIND_FAULT-}" "$SERIN_BIN/serind" --config "$BENCH/serind.yaml" "$@"
    wait_for 15 "serind is connected" serind_connected
}

serind_connected() { "$SERIN" status --json | jq -e '.connected == true'; }

# bundle VERSION FILE [serin pack options…]: bundles/VERSION.serin
bundle() {
    local version=$1 image=$2
    shift 2
    "$SERIN" pack --product "$PRODUCT" --version "$version" --image "$image" \
        --key "$BENCH/pki/keys/release.key" --hw 1-3 --channels "$CHANNEL" \
        --confirm-window "${WINDOW:-6s}" --confirm-tries 3 \
        -o "$BENCH/bundles/$version.serin" "$@" >>"$BENCH/log/pack.log" || fail "serin pack $version"
}

publish() { "$SERIN" publish "$BENCH/bundles/$1.serin" >>"$BENCH/log/publish.log" || fail "serin publish $1"; }

# agent_config ID: devices/ID/agent.yaml
agent_config() {
    local dir=$BENCH/devices/$1
    mkdir -p "$dir"
    cat >"$dir/agent.yaml" <<YAML
device:
  id: $1
  product: $PRODUCT
  channel: ${AGENT_CHANNEL:-$CHANNEL}
  hardware: ${AGENT_HARDWARE:-1}
broker:
  uri: ssl://127.0.0.1:${AGENT_BROKER_PORT:-$BROKER_PORT}
  ca: $BENCH/pki/ca.pem
  certificate: $BENCH/pki/devices/$1.pem
  key: $BENCH/pki/devices/$1.key
  reconnect_min: 100ms
  reconnect_max: 1s
root_key: $BENCH/pki/keys/root.pub
flash:
  file: $dir/flash.bin
  size: ${AGENT_FLASH:-1MiB}
  sector: 4KiB
  write_unit: 8
control_socket: $dir/control
application:
  exec: ${AGENT_EXEC:-true}
  watchdog: 2s
confirm:
  needs_directive: true
  auto: ${AGENT_AUTO:-false}
beat: ${AGENT_BEAT:-2s}
download:
  block: ${AGENT_BLOCK:-4KiB}
  window: 4
  timeout: 2s
report:
  retry_min: 500ms
  retry_max: 2s
YAML
}

# provision ID VERSION: a factory-fresh device.
provision() {
    [ -f "$BENCH/devices/$1/agent.yaml" ] || agent_config "$1"
    "$SERIN_BIN/serin-agent" provision --config "$BENCH/devices/$1/agent.yaml" \
        --bundle "$BENCH/bundles/$2.serin" --trust "$BENCH/pki/trust.bin" >>"$BENCH/log/$1.log" 2>&1 ||
        fail "serin-agent provision $1"
}

agent_start() {
    spawn "$1" env SERIN_FAULT="${AGENT_FAULT-}" \
        "$SERIN_BIN/serin-agent" run --config "$BENCH/devices/$1/agent.yaml"
}

# ---- questions ----

device_json() { "$SERIN" device show "$1" --json; }
device_is() { device_json "$1" | jq -e --arg s "$2" --arg v "$3" '.state == $s and .version == $v'; }
device_runs() { device_json "$1" | jq -e --arg v "$2" '.version == $v'; }
known_devices() { [ "$("$SERIN" device list --json | jq '.devices | length')" -eq "$1" ]; }
rollout_json() { "$SERIN" rollout show "$1" --json; }
rollout_is() { rollout_json "$1" | jq -e --arg s "$2" '.state == $s'; }

# policy VERSION [yaml lines…]: policies/VERSION.yaml with short soaks
policy() {
    local version=$1
    shift
    {
        cat <<YAML
name: release-$version
product: $PRODUCT
channel: $CHANNEL
releases:
  - version: $version
YAML
        if [ $# -gt 0 ]; then printf '%s\n' "$@"; else
            cat <<YAML
stages:
  - {percent: 1, soak: ${SOAK:-1s}}
  - {percent: 10, soak: ${SOAK:-1s}}
  - {percent: 50, soak: ${SOAK:-1s}}
  - {percent: 100, soak: ${SOAK:-1s}}
patience: 60s
deadline: 120s
YAML
        fi
    } >"$BENCH/policy-$version.yaml"
}

# rollout VERSION: creates it and prints its id.
rollout() {
    "$SERIN" rollout create --policy "$BENCH/policy-$1.yaml" --json | jq -e '.id' ||
        fail "serin rollout create for $1"
}

# padded APP VERSION SIZE: bundles/VERSION.serin of a program with random bytes behind it, so that a download takes a while.
padded() {
    local image=$BENCH/image-$2
    { cat "$SERIN_BIN/apps/$1"; head -c "$3" /dev/urandom; } >"$image"
    bundle "$2" "$image"
}

# image_size VERSION
image_size() { "$SERIN" inspect "$BENCH/bundles/$1.serin" --json | jq .image_size; }

# books_hold ID VERSION: the device confirmed the version through every state, each once.
books_hold() {
    local json
    json=$(device_json "$1")
    jq -e --arg v "$2" '.version == $v and .state == "confirmed" and (.attempts[-1].transitions | map(.state)) ==
        ["pending","downloading","verifying","staged","trial","confirmed"]' <<<"$json" >/dev/null ||
        fail "$1 on $2: $(jq -c '{state, version, last: .attempts[-1]}' <<<"$json")"
}

# relayed: bytes that the relay named "relay" has brought to its device, closed connections only.
relayed() { sed -n 's/^relayed \([0-9]*\) bytes$/\1/p' "$BENCH/log/relay.log" | tail -1; }
