#!/usr/bin/env bash
# What a product says beside Serin, with the configuration as delivered: each device publishes on telemetry/ID, its own, and nowhere else,
# whatever user name or client id it claims; who may read it does, and nobody else does.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
bench_begin telemetry
# shellcheck source=tests/e2e/plugin-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/plugin-lib.sh"
plugin_pki sensor-01 sensor-02 telemetry serind=serind gw-1=gateway
broker_start

title "Who listens"
listen() { # ID
    EXEC="exec stdbuf -oL" client mosquitto_sub "$1" -d -q 1 -t 'telemetry/#' -t other -F 'heard %t %p' >"$BENCH/log/$1.txt" 2>&1 &
    PID[$1]=$!
}
everyone="telemetry sensor-02 serind gw-1"
for who in $everyone; do listen "$who"; done
for who in $everyone; do wait_for 10 "$who has subscribed" grep -q '^Subscribed' "$BENCH/log/$who.txt"; done
heard() { sed -n 's/^heard //p' "$BENCH/log/$1.txt"; }

title "Who may say what"
says() { # VERDICT ID QOS TOPIC PAYLOAD OPTION…
    local output verdict=$1 id=$2 qos=$3 topic=$4 payload=$5
    shift 5
    output=$(client mosquitto_pub "$id" -V mqttv5 -q "$qos" -t "$topic" -m "$payload" "$@" 2>&1) || true
    case $verdict:$output in
    allowed: | denied:*"Not authorized"*) ok "$verdict: $topic by $id" ;;
    *) fail "$id on $topic should be $verdict: ${output:-taken}" ;;
    esac
}
says allowed sensor-01 1 telemetry/sensor-01 21.4
says allowed sensor-01 0 telemetry/sensor-01 21.5
says denied sensor-01 1 telemetry/sensor-02 forged
says denied sensor-01 1 telemetry/sensor-02 forged -u sensor-02 -P x
CLIENT_ID=sensor-03 says denied sensor-01 1 telemetry/sensor-03 forged
says denied sensor-01 1 telemetry/sensor-01/x deeper
says denied sensor-01 1 telemetry/ nobody
says denied sensor-01 1 telemetry/telemetry forged
says denied sensor-01 1 other x
says denied sensor-01 1 serin/1/dev/sensor-02/beat x
CLIENT_ID=liar-2 says allowed sensor-01 1 telemetry/sensor-01 21.6

title "Who hears it"
wait_for 10 "the last value came" eval 'heard telemetry | grep -q 21.6'
[ "$(heard telemetry | xargs)" = "telemetry/sensor-01 21.4 telemetry/sensor-01 21.5 telemetry/sensor-01 21.6" ] || fail "heard: $(heard telemetry)"
for who in sensor-02 serind gw-1; do [ -z "$(heard "$who")" ] || fail "$who hears: $(heard "$who")"; done
# Last, as a second connection under the same name ends the listener's.
for who in serind telemetry gw-1 sensor-02; do says denied "$who" 1 telemetry/sensor-01 forged; done
note "$CHECKS verdicts; one reader, who heard three values of one device"
