#!/usr/bin/env python3
"""Writes the seeds of fuzz_flash.c: patches of one region of a device's flash, in the language that stands at its head.

    flash_seeds.py CORPUS

Offsets are of docs/spec/boot.md (boot log, trust banks), agent-log.md and flash.md (slot, journal, download record), on the
64 KiB part of the unit tests: sectors of 1 KiB, write units of 8 bytes.
"""
import pathlib
import struct
import sys

FRESH, DOWNLOADING, STAGED, TRIAL, CONFIRMED, MIRRORED = range(6)
POWER = 1


def at(offset):
    return struct.pack(">H", offset)


def flip(offset, mask):
    return b"\0" + at(offset) + bytes([len(mask)]) + mask


def put(offset, data):
    return b"\1" + at(offset) + bytes([len(data)]) + data


def crc(start, size, to, go_on=False):
    return (b"\5" if go_on else b"\2") + at(start) + at(size) + at(to)


def copy(start, size, to):
    return b"\3" + at(start) + bytes([size]) + at(to)


def erase(offset, size):
    return b"\4" + at(offset) + at(size)


def little(size, value):
    return value.to_bytes(size, "little")


def boot_log():
    """Records of 64 bytes, sixteen in each of two banks: magic, sequence, payload, CRC of all before."""
    def records(offset, data, places=(0, 1, 2, 3)):
        return b"".join(put(base + 64 * n + offset, data) + crc(base + 64 * n, 60, base + 64 * n + 60)
                        for base in (0, 1024) for n in places)
    fields = {"phase-none": (8, b"\0"), "phase-trial": (8, b"\3"), "phase-unknown": (8, b"\7"), "active-b": (9, b"\2"),
              "active-unknown": (9, b"\3"), "trial-a": (10, b"\1"), "tries-255": (11, b"\xff"), "elapsed-max": (12, b"\xff\xff"),
              "window-0": (14, b"\0\0"), "floor-max": (16, b"\xff" * 4), "boots-max": (20, b"\xff" * 4), "outcome": (24, b"\x08"),
              "cause-unknown": (26, b"\x63"), "flags": (27, b"\xff"), "another-manifest": (28, b"\x55"),
              "sequence-end": (4, little(4, 0xfffffff0)), "sequence-0": (4, bytes(4))}
    for name, (offset, data) in fields.items():
        yield name, STAGED if "trial" in name or "phase" in name else CONFIRMED, records(offset, data)
    yield "tries-255-on-trial", TRIAL, records(11, b"\xff", range(8))
    yield "lost", TRIAL, erase(0, 2048)
    yield "one-bank-lost", TRIAL, erase(0, 1024)
    yield "full", CONFIRMED, b"".join(copy(64, 64, base + 64 * n) for base in (0, 1024) for n in range(3, 16))


def trust_bank():
    """Two banks of 1 KiB: magic, size, CRC of the record, CRC of the head, the record."""
    def sealed(base, patch):
        return patch + crc(base + 16, 784, base + 8) + crc(base, 12, base + 12)
    for name, moment, banks in (("version-of-one", FRESH, (0,)), ("version-of-both", CONFIRMED, (0, 1024))):
        yield name, moment, b"".join(sealed(base, flip(base + 16 + 12, b"\3")) for base in banks)
    yield "signature", FRESH, sealed(0, flip(16 + 740, b"\1"))
    yield "product", FRESH, sealed(0, put(16 + 16, b"valve"))
    for name, size in (("size-0", 0), ("size-785", 785), ("size-body", 703), ("size-max", 0xffffffff)):
        yield name, FRESH, put(4, little(4, size)) + crc(0, 12, 12)
    yield "head", FRESH, flip(12, b"\1") + flip(1024, b"\1")
    yield "both-lost", FRESH, erase(0, 2048)
    yield "one-lost", STAGED, erase(1024, 1024)


def slot():
    """Slot B: the manifest's sectors with their markers from 3840 on, piece table, journal, image."""
    for name, moment in (("staged", STAGED), ("trial", TRIAL), ("confirmed", CONFIRMED), ("mirrored", MIRRORED)):
        yield f"image-{name}", moment, flip(9000, b"\1")
    yield "image-download", DOWNLOADING, flip(9000, b"\1")
    yield "all-lost", TRIAL, erase(0, 0x6000)
    yield "magic", CONFIRMED, flip(0, b"\1")
    yield "counter", CONFIRMED, flip(100, b"\xff\xff")
    yield "signature", TRIAL, flip(600, b"\1")
    yield "signature-size", STAGED, put(512 + 2, b"\xff\xff")
    yield "manifest-lost", STAGED, erase(0, 4096)
    yield "table-lost", DOWNLOADING, erase(4096, 1024)
    yield "table", DOWNLOADING, flip(4096 + 40, b"\1")
    yield "marker-lost", CONFIRMED, erase(3840, 256)
    yield "marker", CONFIRMED, flip(3840, b"\1")
    yield "marker-again", CONFIRMED, copy(3840, 24, 3840 + 24)
    yield "markers-used-up", TRIAL, put(3840, b"\x11" * 255)
    yield "marker-of-nobody", TRIAL, put(3840, b"SRNM" + bytes(16)) + crc(3840, 20, 3860)


def journal():
    """Entries of sixteen bytes."""
    for n in range(4):
        yield f"entry-{n}", DOWNLOADING, flip(16 * n + 2, b"\1")
        yield f"entry-{n}-lost", DOWNLOADING, erase(16 * n, 16)
    yield "entry-twice", DOWNLOADING, copy(0, 16, 64)
    yield "swapped", DOWNLOADING, copy(0, 16, 128) + copy(16, 16, 0) + copy(128, 16, 16)
    yield "lost", DOWNLOADING, erase(0, 1024)
    yield "full", DOWNLOADING, b"".join(copy(16, 128, 128 + 112 * n) for n in range(7))
    yield "next-piece", DOWNLOADING, copy(32, 16, 48) + flip(48, b"\1") + crc(48, 12, 60)
    yield "noise", STAGED, put(64, bytes(range(1, 129)))


def download():
    """The download record: magic, attempt, size, CRC of these and the manifest; the manifest."""
    def sealed(patch, size=592):
        return patch + crc(0, 12, 12) + crc(16, size, 12, True)
    yield "attempt", DOWNLOADING, sealed(put(4, little(4, 2)))
    yield "size-short", DOWNLOADING, sealed(put(8, little(4, 100)), 100)
    yield "size-0", DOWNLOADING, sealed(put(8, little(4, 0)), 0)
    yield "size-max", DOWNLOADING, sealed(put(8, little(4, 0xffffffff)))
    yield "manifest", DOWNLOADING, sealed(flip(16 + 90, b"\1"))
    yield "signature", DOWNLOADING, sealed(flip(16 + 560, b"\1"))
    yield "magic", DOWNLOADING, flip(0, b"\1")
    yield "lost", DOWNLOADING, erase(0, 4096)
    yield "noise-behind", DOWNLOADING, put(700, bytes(range(255)))
    yield "of-the-past", CONFIRMED, sealed(put(4, little(4, 9)))
    yield "staged", STAGED, flip(20, b"\xff")


def agent_record():
    """Records of 1024 bytes, one or more in each of two banks: magic, sequence, payload, CRC of all before."""
    def records(offset, data):
        return b"".join(put(base + 8 + offset, data) + crc(base, 1020, base + 1020) for base in range(0, 4096, 1024))
    fields = {"format": (0, b"\2"), "floor-max": (4, b"\xff" * 4), "incarnation": (8, b"\xff" * 8), "number-max": (16, b"\xff" * 8),
              "acked-max": (24, b"\xff" * 8), "order-max": (32, b"\xff" * 16),
              "attempts-9": (3, b"\x09"), "transitions-255": (155, b"\xff"), "state": (168, b"\x0c"), "reason": (169, b"\xff"),
              "attempt-0": (136, bytes(4))}
    for name, (offset, data) in fields.items():
        for moment in (DOWNLOADING, TRIAL):
            yield f"{name}-{moment}", moment, records(offset, data)
    for offset in range(48, 600, 92):
        yield f"byte-{offset}", STAGED, records(offset, b"\x5a" * 8)
    yield "lost", CONFIRMED, erase(0, 4096)
    yield "one-bank-lost", TRIAL, erase(0, 1024)
    later = {"revision-0": (344, bytes(176)), "revision-255": (344, b"\xff"), "directors": (352, b"\xff" * 24),
             "tried-own": (376, b"\xff" * 48)}
    for name, (offset, data) in later.items():
        yield name, STAGED, records(offset, data)


def main():
    corpus = pathlib.Path(sys.argv[1])
    for kind in (boot_log, trust_bank, slot, journal, download, agent_record):
        folder = corpus / kind.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for number, (name, moment, patches) in enumerate(kind()):
            floor = 16 * (number % 3)
            (folder / name).write_bytes(bytes([moment, floor + POWER]) + patches)


main()
