#!/usr/bin/env python3
"""What a gateway says and hears, for a test that plays one (docs/spec/batch.md).

  gateway_words.py batch NUMBER NODE=REPORT…   a payload for gw/<gw>/reports: of each node its report of that number
  gateway_words.py status GW FAILURES          a payload for gw/<gw>/status; held for failures above 3
  gateway_words.py acks                        hexadecimal payloads of gw/<gw>/acks, a line each, as "NODE STATUS NUMBER"

GATEWAY_BATCHES names a file: batch notes there what each held, acks reads what an ack of a whole batch stands for. Without it,
and of a batch that it does not know, such an ack is told as "batch NUMBER".
"""
import os
import sys
import zlib

PRODUCT, CHANNEL = "lamp", "stable"


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def field(number, value):
    """A field of a message: a number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value) if value else b""
    return varint(number << 3 | 2) + varint(len(value)) + value


def fixed64(number, value):
    return varint(number << 3 | 1) + value.to_bytes(8, "little")


def report(node, number):
    running = field(1, bytes([1] * 32)) + field(2, field(1, 1)) + field(5, 1)
    attempt = (field(1, bytes([1] * 32)) + field(2, 1) + field(3, field(1, 1) + field(2, 1)) + field(5, field(1, 1)) +
               field(8, field(1, 2) + field(2, 1)))
    body = (field(1, 1) + field(2, node.encode()) + field(3, PRODUCT.encode()) + field(4, CHANNEL.encode()) + field(5, 1) +
            fixed64(6, 77) + field(7, number) + field(8, running) + field(9, attempt))
    return field(1, 1) + field(2, body)


def batch(number, words):
    items = b""
    for word in words:
        node, _, told = word.partition("=")
        items += field(1, field(1, node.encode()) + field(2, 1) + field(3, report(node, int(told))))
    packed = zlib.compress(items)
    encoding, sent = (2, packed) if len(packed) < len(items) else (1, items)
    return field(1, 1) + fixed64(2, 9) + field(3, number) + field(4, encoding) + field(5, len(items)) + field(6, sent)


def note(payload, number, words):
    if "GATEWAY_BATCHES" in os.environ:
        with open(os.environ["GATEWAY_BATCHES"], "a", encoding="ascii") as notes:
            print(number, zlib.crc32(payload), *words, file=notes)


def noted(number, crc):
    """The reports of the batch that is acknowledged, or None."""
    if os.path.exists(os.environ.get("GATEWAY_BATCHES", "")):
        with open(os.environ["GATEWAY_BATCHES"], encoding="ascii") as notes:
            for line in notes:
                known = line.split()
                if known[:2] == [str(number), str(crc)]:
                    return [word.split("=") for word in known[2:]]
    return None


def status(gateway, failures):
    held = failures > 3
    fleet = (field(1, PRODUCT.encode()) + field(2, CHANNEL.encode()) + field(3, field(1, 1) + field(2, 1)) +
             field(4, 3600) + field(5, 3 if held else 1) + field(6, failures) + field(7, 3))
    if held:
        fleet += field(8, bytes([2] * 32)) + field(9, 1800000000)
    return (field(1, 1) + field(2, gateway.encode()) + fixed64(3, 9) + field(4, b"played by a test") + field(7, 2) +
            field(8, 1) + field(9, 1 << 20) + field(10, 1 << 21) + field(14, 1000) + field(15, 50) + field(24, fleet))


def fields(data):
    """The fields of a message, by number; of several the list."""
    found, at = {}, 0

    def number():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            value = number()
        elif key & 7 in (1, 5):
            size = 8 if key & 7 == 1 else 4
            value, at = int.from_bytes(data[at:at + size], "little"), at + size
        else:
            size = number()
            value, at = data[at:at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def acks():
    statuses = {1: "stored", 2: "resend", 3: "refused", 4: "pending"}
    for line in sys.stdin:
        message = fields(bytes.fromhex(line.strip()))
        for whole in map(fields, message.get(3, [])):
            assert whole[1] == [9], "the batch of another gateway"
            number = whole[2][0]
            reports = noted(number, whole[3][0])
            if reports is None:
                print("batch", number, flush=True)
            for node, told in reports or []:
                print(node, "stored", told, flush=True)
        for item in message.get(2, []):
            parts = fields(item)
            ack = fields(parts[2][0])
            print(parts[1][0].decode(), statuses[ack[4][0]], ack.get(3, [0])[0], flush=True)


def main():
    if sys.argv[1:2] == ["batch"]:
        payload = batch(int(sys.argv[2]), sys.argv[3:])
        note(payload, int(sys.argv[2]), sys.argv[3:])
        sys.stdout.buffer.write(payload)
    elif sys.argv[1:2] == ["status"]:
        sys.stdout.buffer.write(status(sys.argv[2], int(sys.argv[3])))
    elif sys.argv[1:] == ["acks"]:
        acks()
    else:
        sys.exit(__doc__)


main()
