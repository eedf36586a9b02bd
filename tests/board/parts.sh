#!/usr/bin/env bash
# What the portable parts of a board's image weigh on a Cortex-M3 (gcc -Os, sections collected): the codec as an agent uses it, and the
# MQTT client; and how deep the codec's calls go, by a painted stack on an emulated board. Fails where one has outgrown its bound.
#
#   tests/board/parts.sh SOURCE_ROOT BUILD_FOLDER NANOPB      NANOPB: nanopb's sources (pb_common.c), as scripts/fetch-board-sources brings them
set -euo pipefail
root=$(cd "$1" && pwd) build=$2 nanopb=$3
[ -f "$nanopb/pb_common.c" ] || { echo "parts: $nanopb has no pb_common.c"; exit 1; }
mkdir -p "$build"
build=$(cd "$build" && pwd)
ports=$root/device/ports
cc=(arm-none-eabi-gcc -mcpu=cortex-m3 -mthumb -Os -std=c11 -ffunction-sections -fdata-sections)
link=("${cc[@]}" -nostartfiles --specs=nano.specs --specs=nosys.specs -Wl,--gc-sections -Wl,--no-warn-rwx-segments)
include=(-I"$root/core/include" -I"$root/device/include" -I"$ports/nanopb/include" -I"$ports/mqtt/include" -I"$build/generated")
cd "$build"
rm -rf codec mqtt stack generated
mkdir -p codec mqtt stack generated
nanopb_generator.py --quiet --error-on-unmatched -I "$root/proto" -f "$ports/nanopb/serin.options" -D generated "$root/proto/serin.proto"
"${cc[@]}" "${include[@]}" -DPB_NO_ERRMSG -isystem "$nanopb" -I"$ports/nanopb/src" -c \
    "$nanopb"/pb_{common,decode,encode}.c generated/serin.pb.c "$ports"/nanopb/src/*.c "$root"/core/src/*.c
mv ./*.o codec/
"${cc[@]}" "${include[@]}" -c "$ports"/mqtt/src/*.c
mv ./*.o mqtt/

# Everything that one table, or all that the client offers, reaches.
"${link[@]}" -Wl,-e,serin_nanopb_agent -Wl,-Map,codec.map codec/*.o -o codec.elf 2>codec.log || { cat codec.log; exit 1; }
roots=()
for name in init connect publish subscribe step deadline_ms disconnect close connected counted; do
    roots+=("-Wl,-u,serin_mqtt_client_$name")
done
"${link[@]}" "${roots[@]}" -Wl,-e,serin_mqtt_client_step -Wl,-Map,mqtt.map mqtt/{client,output,intake}.o -o mqtt.elf 2>mqtt.log || { cat mqtt.log; exit 1; }

arm-none-eabi-size mqtt/agent_link.o >agent_link.size

# The stack: each call once, on the largest payloads, beside a painted stack.
python3 - "$root/tests/vectors/v1/wire" >payloads.h <<'PYTHON'
import pathlib
import sys

for name in ("envelope-large", "directive-large", "trust_payload-signed", "ack-large", "block-data", "hold-large", "report-large", "beat-large",
             "get-large"):
    data = (pathlib.Path(sys.argv[1]) / f"{name}.bin").read_bytes()
    print(f"static const unsigned char {name.split('-')[0]}_payload[] = {{{', '.join(map(str, data))}}};")
PYTHON
"${cc[@]}" "${include[@]}" -I. -c "$root/tests/board/codec_stack.c" -o stack/codec_stack.o
"${link[@]}" -Wl,-e,start -T "$root/tests/board/codec_stack.ld" stack/codec_stack.o codec/*.o -o codec_stack.elf 2>stack.log || { cat stack.log; exit 1; }
timeout 60 qemu-system-arm -M mps2-an385 -nographic -semihosting -kernel codec_stack.elf </dev/null >stack.txt 2>&1 || true

python3 - <<'PYTHON'
import collections
import re
import sys

GROUPS = [  # (what, object files, bound in bytes)
    ("codec", "codec.map", [("nanopb's runtime", r"pb_(common|decode|encode)\.o", 5120), ("generated descriptors", r"serin\.pb\.o", 1536),
                            ("the codec itself", r"(npb|nanopb_agent|\w+_codec)\.o", 3072), ("bounds and ids of core", r"\w+\.o", 1792)]),
    ("MQTT client", "mqtt.map", [("the client", r"(client|intake|output)\.o", 3840)]),
]
failed = False


def say(text, size, bound):
    global failed
    failed = failed or size > bound
    print(f"{text:44} {size:6} bytes (at most {bound}){'   TOO LARGE' if size > bound else ''}")


for part, name, groups in GROUPS:
    sizes = collections.Counter()
    text = open(name).read()
    for section in re.finditer(r"^ \.(?:text|rodata|data|bss)(?:\.\S+)?\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S+)$",
                               text[text.index("Linker script and memory map"):], re.M):
        if "libc" not in section.group(2) and "libgcc" not in section.group(2):
            sizes[section.group(2).split("/")[-1]] += int(section.group(1), 16)
    if not sizes:
        sys.exit(f"parts: nothing in {name}")
    for what, pattern, bound in groups:
        names = [n for n in sizes if re.fullmatch(pattern, n)]
        if not names:
            sys.exit(f"parts: no {what} in {name}")
        say(f"{part}: {what}", sum(sizes.pop(n) for n in names), bound)
    if sizes:
        sys.exit(f"parts: of no group: {', '.join(sizes)}")
say("MQTT client: the agent's link on it", int(open("agent_link.size").read().split()[-6]), 1024)

depths = dict(re.findall(r"^(\w+ \w+) (\d+)$", open("stack.txt").read(), re.M))
if len(depths) != 12:
    sys.exit(f"parts: the emulated board said: {open('stack.txt').read()!r}")
of_agents = {call: int(depth) for call, depth in depths.items() if call not in ("decode report", "decode beat", "decode get")}
for where, calls in (("an agent's calls", of_agents), ("all calls", {c: int(d) for c, d in depths.items()})):
    deepest = max(calls, key=calls.get)
    say(f"codec: stack of {where} ({deepest})", calls[deepest], 1280)
sys.exit(1 if failed else 0)
PYTHON
