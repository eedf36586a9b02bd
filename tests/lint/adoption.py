#!/usr/bin/env python3
"""Counts what a team writes to adopt Serin, by the port to mps2-an385 and its sensor: lines with code on them, without comments and empty ones.

    adoption.py [ROOT]      prints the table that device/ports/mps2/README.md quotes; lint.quotes compares

The product marks what is Serin's: it stands between a line `==== Serin ====` and the next line of that form, and each call elsewhere bears a comment
that begins with `Serin`. Fails where a file or a mark is missing.
"""
import pathlib
import re
import sys

PORT = "device/ports/mps2"
PRODUCT = "sensor.c"
# (what it is, its files); those of one board for itself are what the emulated machine asks for, Serin or not.
PARTS = [
    ("the bootloader, and how wolfCrypt is cut for it", ["bootloader.c", "settings/user_settings.h"]),
    ("flash driver and layout", ["flash.c", "layout.c", "layout.h"]),
    ("causes of resets and what bootloader and image tell each other", ["note.c", "board.h"]),
    ("who the device is", ["identity.c", "identity.h"]),
    ("the factory, a program for hosts", ["tools/make_flash.c"]),
]
OTHERS = [
    ("processor and board: memory, start-up, UART, watchdog, timer",
     ["memory.h", "program.ld.in", "startup.c", "startup.h", "string.c", "vectors.c", "hardware.c", "hardware.h"]),
    ("network: Ethernet, lwIP's options, credentials, randomness",
     ["lan9118.c", "lan9118.h", "network.c", "network.h", "lwip/lwipopts.h", "credentials.c", "credentials.h", "random.c",
      "random.h", "tools/credentials.py"]),
]
COMMENTS = {".py": r'"""[\s\S]*?"""|#.*'}


def code(text, suffix=".c"):
    """The lines that hold code."""
    bare = re.sub(COMMENTS.get(suffix, r"/\*[\s\S]*?\*/|//.*"), lambda match: "\n" * match.group().count("\n"), text)
    return [line for line in bare.splitlines() if line.strip()]


def added(text):
    """Of the product: lines between the marks, and calls outside of them."""
    inside, outside, is_inside, marks = [], [], False, 0
    for line in text.splitlines():
        mark = re.fullmatch(r"/\* ==== (.+) ==== \*/", line.strip())
        if mark:
            is_inside = mark.group(1) == "Serin"
            marks += is_inside
        (inside if is_inside else outside).append(line)
    calls = sum(1 for line in outside if re.search(r";.*/\* Serin|\{ /\* Serin", line))
    if marks != 1 or calls == 0:
        sys.exit(f"adoption: {PRODUCT} does not mark what is Serin's")
    return len(code("\n".join(inside))), calls, len(code("\n".join(outside)))


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".") / PORT
    rows = []

    def row(what, lines):
        rows.append(f"  {what:<68}{lines:>6}")
        return lines

    def part(what, files):
        missing = [name for name in files if not (root / name).is_file()]
        if missing:
            sys.exit(f"adoption: there is no {PORT}/{missing[0]}")
        return row(what, sum(len(code((root / name).read_text(encoding="utf-8"), pathlib.Path(name).suffix)) for name in files))

    inside, calls, product = added((root / PRODUCT).read_text(encoding="utf-8"))
    rows.append("In each product                                                           lines")
    row(f"{PRODUCT}, between its marks", inside)
    row(f"{PRODUCT}, calls in the rest of it", calls)
    rows.append("Once for a board")
    total = sum(part(what, files) for what, files in PARTS)
    row("in all", total)
    rows.append("For comparison, what it has without Serin, too")
    row(f"{PRODUCT}, the product itself", product)
    for what, files in OTHERS:
        part(what, files)
    print("\n".join(rows))


if __name__ == "__main__":
    main()
