#!/usr/bin/env python3
"""The budgets of a board: what the client core weighs, by part, beside the bootloader's figures, as one table.

    budget.py SOURCE_ROOT BOARD_FOLDER WORK_FOLDER [--planted]

Links the client core (agent, journal, slots, wire) for a Cortex-M3 as a board's image uses it (client_core.c): whole, and as the
smallest class of boards has it. BOARD_FOLDER/bootloader-budget.json is what bootloader.py measured. The table is printed, and kept as
WORK_FOLDER/budget.txt, which scripts/check shows at its end. Fails where a figure has outgrown its bound. A figure that is above its
must has a bound of its own, that of the day on which it was last smaller, and the table says by how much the must is missed.
--planted: bounds of one byte less than what is there, which must be told.
"""
import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys

from weight import Lines, run, symbols_of

TEXT_MUST, TEXT_AIM = 12288, 10240
RAM_MUST = 4096
BOOT_TEXT_MUST, BOOT_TEXT_AIM = 13312, 12288
BOOT_STACK_MUST, BOOT_STACK_AIM = 4096, 3584
# The client core is above its must: it grows no more.
WHOLE_BOUND = 28175
SMALLEST_BOUND = 20579
# A new file that no pattern below knows would be counted nowhere.
OTHER_BOUND = 128

# One flash part and one crypto port, as an image for one board is built; and what the smallest class leaves out (docs/porting.md).
ONE_PART = ["-DSERIN_CRC32_SMALL", "-DSERIN_RECLOG_HEADS=0u", "-DSERIN_FLASH_UNIT=4u", "-DSERIN_FLASH_SECTOR=4096u",
            "-DSERIN_FLASH_PORT=board_flash", "-DSERIN_CRYPTO_PORT=board_crypto"]
SMALLEST = ["-DSERIN_AGENT_QUIET", "-DSERIN_AGENT_NO_PEEK", "-DSERIN_AGENT_NO_COPY"]
OPTIONS = ["-mcpu=cortex-m3", "-mthumb", "-Os", "-g", "-std=c11", "-flto", "-ffunction-sections", "-fdata-sections", "-ffreestanding", "-fno-common",
           "-fno-schedule-insns2", "-fno-optimize-sibling-calls", "-fno-move-loop-invariants", "-fno-inline-small-functions"]

# Source files of each part: those of the client core, then what a board's flash holds twice, as the bootloader has it, too.
CORE = [
    ("agent", r"device/src/agent(_\w+)?\.[ch]$"),
    ("journal", r"device/src/journal\.[ch]$"),
    ("slots", r"device/src/slot\.[ch]$"),
    ("wire", r"core/(src|include/serin)/(topic|directive|directive_check|id|cohort|order_guard|states|error|wire_bounds)\.[ch]$"),
]
SHARED = [
    ("boot log and its records", r"device/src/(boot|boot_\w+|reclog)\.[ch]$"),
    ("trust, manifest, signatures", r"(core/src/(trust|manifest|signed|signature_area|proof|crypto|version)\.c|device/src/trust_region\.[ch])$"),
    ("layout, flash, bytes, CRC", r"(device/src/(layout|layout_search|flash_io)\.[ch]|core/src/(bytes|crc32)\.c)$"),
]
# The program around it, which is not counted, and what is inlined there, which is.
AROUND = [("around", r"tests/board/client_core\.c$")]
# Small functions of headers, where they stand alone.
HEADERS = [("layout, flash, bytes, CRC", r"include/serin/bytes\.h$")]
# Tables bear no file: by name.
TABLES = [
    ("agent", r"^(\w+_fields$|table|takers|fault_points|kinds|fields|reasons\.)"),
    ("wire", r"^(patterns|words|candidate_wishes|alphabet|next\b)"),
    ("log texts", r"^(rows|reasons$|state_texts|unknown)"),
    ("boot log and its records", r"^(next_phase|reasons\.)"),
    ("trust, manifest, signatures", r"^(domains|spki_prefix|magic|reserved|names)"),
    ("layout, flash, bytes, CRC", r"^nibbles"),
]
OTHER = "not told apart"


def part_of(name, table):
    return next((part for part, pattern in table if re.search(pattern, name)), OTHER)


class Program:
    def __init__(self, root, folder, name, switches):
        self.folder = folder / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.elf = self.folder / "client_core.elf"
        include = [f"-I{root / part}" for part in ("core/include", "device/include", "device/src")]
        sources = [*sorted((root / "core/src").glob("*.c")), *sorted((root / "device/src").glob("*.c")), root / "tests/board/client_core.c"]
        subprocess.run(["arm-none-eabi-gcc", *OPTIONS, *switches, *include, "-c", *map(str, sources)], check=True, cwd=self.folder)
        # What the ports are is nobody's business here; string.h and the compiler's helpers are the board's, and not counted.
        subprocess.run(["arm-none-eabi-gcc", *OPTIONS, "-flto-partition=one", "-nostartfiles", "-nodefaultlibs", "-Wl,--gc-sections", "-Wl,-e,start",
                        "-Wl,--unresolved-symbols=ignore-all", "-Wl,--no-warn-rwx-segments", *map(str, sorted(self.folder.glob("*.o"))), "-o", self.elf],
                       check=True, cwd=self.folder)
        self.weigh()

    def weigh(self):
        """Bytes of flash by part, and of RAM beside the scratch memory."""
        lines, self.parts, self.ram = Lines(self.elf), collections.Counter(), 0
        named_data = 0
        for address, size, kind, name in symbols_of(self.elf):
            if kind in "rR":
                named_data += size
                self.parts[part_of(name, TABLES)] += size
            elif kind in "tT":
                self.weigh_code(lines, address & ~1, size)
            elif kind in "dDbB" and name != "scratch":
                self.ram += size
        sections = {words[1]: int(words[2], 16) for words in map(str.split, run("arm-none-eabi-objdump", "-h", self.elf).splitlines())
                    if len(words) > 2 and words[1].startswith(".")}
        self.parts["log texts"] += sections.get(".rodata", 0) - named_data  # strings have no name

    def weigh_code(self, lines, address, size):
        """Of a function: what it takes from a header counts where it is used."""
        part = part_of(lines.file_at(address), HEADERS)
        for at in range(address, address + size, 2):
            found = part_of(lines.file_at(at), CORE + SHARED + AROUND)
            part = found if found != OTHER else part
            self.parts[part] += 2

    def core(self):
        return sum(self.parts[part] for part, _ in CORE) + self.parts["log texts"]

    def shared(self):
        return sum(self.parts[part] for part, _ in SHARED)


class Table:
    def __init__(self):
        self.text, self.failed = [], 0

    def say(self, text):
        self.text.append(text)

    def judge(self, name, value, must, aim=None, bound=None):
        """A row. `bound`: what the figure may not be above; the must itself unless given."""
        grown = value > (must if bound is None else bound)
        if value > must:
            verdict = f"over the must by {value - must:,}" + (f"; may not grow beyond {bound:,}" if bound is not None else "")
        else:
            verdict = "within the aim" if aim is not None and value <= aim else "within the must"
        self.failed += grown
        self.say(f"  {name:44} {value:11,} {must:9,} {'' if aim is None else format(aim, ','):>9}   {'GROWN: ' if grown else ''}{verdict}")


def fill(table, whole, smallest, boot, less):
    table.say("budgets, -Os Thumb, Cortex-M3                       measured      must       aim")
    table.judge("bootloader, bytes of text", boot["text"], BOOT_TEXT_MUST, BOOT_TEXT_AIM)
    table.judge("bootloader, stack at its deepest, bytes", boot["stack"], BOOT_STACK_MUST, BOOT_STACK_AIM)
    table.judge("client core, bytes of text", whole.core(), TEXT_MUST, TEXT_AIM, whole.core() - 1 if less else WHOLE_BOUND)
    table.judge("client core of the smallest class", smallest.core(), TEXT_MUST, TEXT_AIM, smallest.core() - 1 if less else SMALLEST_BOUND)
    table.judge("client core, bytes of RAM beside its block", whole.ram, whole.ram - 1 if less else RAM_MUST)
    table.say(f"  {'boot of an image of 512 KiB, instructions':44} {boot['boot_instructions_512k']:11,}")
    table.say("where the client core's text comes from                whole  smallest")
    for part in [*(part for part, _ in CORE), "log texts"]:
        table.say(f"  {part:44} {whole.parts[part]:11,} {smallest.parts[part]:8,}")
    table.say("beside it, and in the bootloader once more")
    for part in [*(part for part, _ in SHARED), OTHER]:
        table.say(f"  {part:44} {whole.parts[part]:11,} {smallest.parts[part]:8,}")
    other = max(program.parts[OTHER] for program in (whole, smallest))
    if other > (other - 1 if less else OTHER_BOUND):
        table.failed += 1
        table.say(f"  GROWN: {other:,} bytes are of no part that is known; name their files in budget.py")


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    root, board, work = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
    planted = sys.argv[4:] == ["--planted"]
    whole = Program(root, work, "whole", ONE_PART)
    smallest = Program(root, work, "smallest", ONE_PART + SMALLEST)
    boot = json.loads((board / "bootloader-budget.json").read_text())
    table = Table()
    fill(table, whole, smallest, boot, planted)
    text = "\n".join(table.text)
    print(text)
    if planted:
        sys.exit(0 if table.failed == 4 else "budget: a figure that had grown was not told")
    (work / "budget.txt").write_text(text + "\n")
    sys.exit(1 if table.failed else 0)


main()
