#!/usr/bin/env python3
"""The bootloader of mps2-an385: its weight by part, its stack at the deepest point, and what it boots, in QEMU.

    bootloader.py BUILD_FOLDER BIN_FOLDER [--planted]

BUILD_FOLDER is one that preset `mcu` has built; BIN_FOLDER holds `serin` and `mps2-flash` of a host's build. Each scene starts from a
flash that the factory's tool made, of which some bits are flipped, and names the line that the board must say by its UART. The stack is
painted before and looked at after each. Fails where a line does not come, or where text or stack has outgrown its bound. What was measured
is left in BUILD_FOLDER/bootloader-budget.json, for the one table of a board's budgets.
--planted: a scene whose line must not come, and bounds of one byte less than what is there, which must be told.
"""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from weight import Lines, run, symbols_of

TEXT_MUST, TEXT_AIM = 13312, 12288
STACK_MUST, STACK_AIM = 4096, 3584
BOOT_RAM, BOOT_RAM_END = 0x20000100, 0x20004000  # device/ports/mps2/memory.h
PAINT = 0xA5
IMAGE_ADDRESS = "0x20200000"
IMAGE_SIZE = 512 * 1024  # of the boot that is counted

# Source files, or data that bear no file's name, of each part.
PARTS = [
    ("start-up, UART, notes, identity", r"mps2/(startup|string|hardware|note|identity|bootloader|layout)\.c|board_|vectors|loader|causes|nothing"),
    ("flash driver", r"mps2/flash\.c|src/flash_io\.[ch]|^ops$"),
    ("boot log", r"src/(reclog|boot_log|boot_state)\.[ch]|next_phase"),
    ("decision and proof", r"src/(boot_select|boot_prove|proof)\.[ch]|serin/proof\.h|reasons|^boot$"),
    ("slots, manifest, trust record",
     r"src/(slot|layout|manifest|trust|trust_region|signature_area|signed|id|bytes|version|error)\.[ch]|serin/bytes\.h|magic|names|reserved|alphabet|domains|"
     r"spki|order"),
    ("P-256, crypto port", r"sp_c32\.c|sp_\w+|p256_\w+|base_|square_|addr_mask|wolfcrypt_sp"),
    ("SHA-256", r"sha256\.c|misc\.c|crypto\.c|^K$"),
    ("CRC-32", r"crc32\.c|nibbles"),
]


# ---- weight ----

def part_of(name):
    for part, pattern in PARTS:
        if re.search(pattern, name):
            return part
    return "literals, strings, padding"


def weigh(elf):
    """Bytes by part; what has neither a line nor a name is the last part."""
    total = int(run("arm-none-eabi-size", elf).splitlines()[1].split()[0])
    lines = Lines(elf)
    bytes_of = dict.fromkeys([part for part, _ in PARTS], 0)
    bytes_of["literals, strings, padding"] = 0
    for address, size, kind, name in symbols_of(elf):
        if kind in "rR":
            bytes_of[part_of(name)] += size
        if kind not in "tT":
            continue
        for at in range(address & ~1, (address & ~1) + size, 2):
            file = "sha256.c" if name.startswith("sha256") else lines.file_at(at)
            bytes_of[part_of(file) if file else "literals, strings, padding"] += 2
    bytes_of["literals, strings, padding"] += total - sum(bytes_of.values())
    return total, bytes_of


# ---- the board ----

class Board:
    def __init__(self, folder, program, flash, paint=None, count=False):
        self.path = str(folder / "qmp")
        words = ["qemu-system-arm", "-M", "mps2-an385,memory-backend=flash", "-object",
                 f"memory-backend-file,id=flash,size=16M,mem-path={flash},share=on", "-kernel", str(program), "-display", "none", "-serial", "stdio",
                 "-monitor", "none", "-qmp", f"unix:{self.path},server=on,wait=off"]
        if paint:
            words += ["-device", f"loader,file={paint[1]},addr={paint[0]:#x},force-raw=on"]
        if count:
            words += ["-icount", f"shift=0,rr=record,rrfile={folder}/replay"]
        self.said = ""
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)

    def hear(self):
        self.said += (self.process.stdout.read() or b"").decode(errors="replace")
        time.sleep(0.01)

    def says(self, text, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and text not in self.said:
            self.hear()
        return text in self.said

    def lines(self, count, seconds):
        """So many whole lines of images; QEMU's own warnings are left out."""
        end, found = time.monotonic() + seconds, []
        while time.monotonic() < end and len(found) < count:
            self.hear()
            found = re.findall(r"^(hello .*)\n", self.said, re.MULTILINE)
        return found[:count]

    def ask(self, *commands):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(self.path)
            file = line.makefile("rw")
            file.readline()
            for command in ({"execute": "qmp_capabilities"}, *commands):
                file.write(json.dumps(command) + "\n")
                file.flush()
                answer = json.loads(file.readline())
                while "event" in answer:
                    answer = json.loads(file.readline())
                if "error" in answer:
                    raise RuntimeError(answer["error"]["desc"])
        return answer["return"]

    def end(self):
        self.process.kill()
        self.process.wait()


class Bench:
    def __init__(self, folder, build, host):
        self.folder, self.host, self.program = folder, host, build / "bin/mps2-bootloader.elf"
        symbols = {words[2]: int(words[0], 16) for words in map(str.split, run("arm-none-eabi-nm", self.program).splitlines()) if len(words) == 3}
        self.stack_from = (symbols["board_bss_end"] + 7) // 8 * 8
        (folder / "paint").write_bytes(bytes([PAINT]) * (BOOT_RAM_END - self.stack_from))
        run(host / "serin", "pki", "init", folder / "pki", "--product", "sensor", "--devices", "s-1")
        self.hello = (build / "bin/mps2-hello.bin").read_bytes()

    def bundle(self, name, image, version):
        (self.folder / "image").write_bytes(image)
        run(self.host / "serin", "pack", "--product", "sensor", "--version", version, "--image", self.folder / "image", "--key",
            self.folder / "pki/keys/release.key", "--load-address", IMAGE_ADDRESS, "--entry", IMAGE_ADDRESS, "-o", self.folder / name)
        return self.folder / name

    def flash(self, name, image, *more):
        """What the factory makes of an image."""
        run(self.host / "mps2-flash", self.folder / name, "--id", "s-1", "--product", "sensor", "--channel", "stable", "--root",
            self.folder / "pki/keys/root.pub", "--trust", self.folder / "pki/trust.bin", "--bundle", self.bundle("bundle", image, "1.0.0"), *more)
        return self.folder / name

    def boot(self, flash, line, seconds=60):
        """Whether the board says the line, and how deep the bootloader's stack was by then."""
        board = Board(self.folder, self.program, flash, (self.stack_from, self.folder / "paint"))
        try:
            said = board.says(line, seconds)
            board.ask({"execute": "stop"}, {"execute": "pmemsave", "arguments": {
                "val": self.stack_from, "size": BOOT_RAM_END - self.stack_from, "filename": str(self.folder / "stack")}})
        finally:
            board.end()
        stack = (self.folder / "stack").read_bytes()
        return said, len(stack.lstrip(bytes([PAINT]))), board.said

    def count(self):
        """Instructions from the reset to the first line of an image of 512 KiB."""
        flash = self.flash("large", self.hello + os.urandom(IMAGE_SIZE - len(self.hello)))
        board = Board(self.folder, self.program, flash, count=True)
        try:
            if not board.says("hello from A", 120):
                raise RuntimeError("the large image does not boot")
            return board.ask({"execute": "stop"}, {"execute": "query-replay"})["icount"]
        finally:
            board.end()


# ---- scenes: what is done to the factory's flash, and what the board says then ----

SERIN = 0x10000  # memory.h; the regions are layout.c's
BOOT_LOG, TRUST = SERIN, SERIN + 0x2000
SLOTS = SERIN + 0x9000, SERIN + 0x184000
IMAGE = 4096 + 12288 + 8192  # of a slot: behind manifest, pieces and journal


def flip(*places):
    def change(cells):
        for place in places:
            cells[place] ^= 4
    return change


def fill(address, size, value, *places):
    def change(cells):
        cells[address:address + size] = bytes([value]) * size
        flip(*places)(cells)
    return change


def with_vectors(*words):
    return b"".join(word.to_bytes(4, "little") for word in words)


SCENES = [
    ("as from the factory", flip(), "hello from A, cause 00000001"),
    ("a bit of A's image", flip(SLOTS[0] + IMAGE + 100), "hello from B"),
    ("a bit of A's last byte", None, "hello from B"),
    ("a bit of A's manifest", flip(SLOTS[0] + 140), "hello from B"),
    ("a bit of A's signature", flip(SLOTS[0] + 530), "hello from B"),
    ("a bit of both images", flip(SLOTS[0] + IMAGE + 100, SLOTS[1] + IMAGE + 7), "nothing boots"),
    ("boot log erased", fill(BOOT_LOG, 0x2000, 0xFF), "hello from A"),
    ("boot log erased, A rotten", fill(BOOT_LOG, 0x2000, 0xFF, SLOTS[0] + IMAGE + 100), "hello from B"),
    ("boot log noise", fill(BOOT_LOG, 0x2000, 0x5A), "hello from A"),
    ("one bank of the boot log", fill(BOOT_LOG, 0x1000, 0x00), "hello from A"),
    ("a bit of one trust record", flip(TRUST + 40), "hello from A"),
    ("a bit of both trust records", flip(TRUST + 40, TRUST + 0x1000 + 40), "nothing boots"),
    ("a bit of the identity", flip(100), "no identity"),
]


def play(bench, scenes, seconds=60):
    good = bench.flash("factory", bench.hello)
    deepest, failed = 0, 0
    for name, change, line in scenes:
        cells = bytearray(good.read_bytes())
        (change or flip(SLOTS[0] + IMAGE + len(bench.hello) - 1))(cells)
        (bench.folder / "flash").write_bytes(cells)
        said, depth, text = bench.boot(bench.folder / "flash", line, seconds)
        deepest = max(deepest, depth)
        failed += not said
        print(f"  {name:30} {line if said else 'FAILED: ' + repr(text):32} stack {depth:5}")
    return deepest, failed


def play_vectors(bench):
    """An image that would fault at its first instruction is not jumped to: neither slot boots."""
    failed = 0
    for name, vectors in (("stack in the flash", (0x21000000, 0x20200101)), ("entry outside", (0x20100000, 0x20400001)), ("entry not Thumb", (0x20100000, 0x20200100))):
        said, _, text = bench.boot(bench.flash("vectors", with_vectors(*vectors) + bench.hello[8:]), "nothing boots")
        failed += not said
        print(f"  {name:30} {'nothing boots' if said else 'FAILED: ' + repr(text)}")
    return failed


def play_lives(bench):
    """Lives of more than one boot: an image that feeds nothing is reset by the watchdog, and the next boot knows why; a release on trial
    that never confirms runs three times, and is rolled back, also where the power goes in between or its image rots."""
    newer = bench.bundle("newer", bench.hello + b"2", "2.0.0")
    power, watchdog = "cause 00000001", "cause 00000003"
    lives = [
        ("an image that hangs", [], [[f"hello from A, {power}", f"hello from A, {watchdog}"]]),
        ("a trial that never confirms", ["--staged", newer],
         [[f"hello from B, on trial, {power}"] + 2 * [f"hello from B, on trial, {watchdog}"] + [f"hello from A, {watchdog}"]]),
        ("the power goes in each try", ["--staged", newer],
         3 * [[f"hello from B, on trial, {power}"]] + [[f"hello from A, {power}"]]),
        ("a trial that rots", ["--staged", newer], [[f"hello from B, on trial, {power}"], SLOTS[1] + IMAGE + 9, [f"hello from A, {power}"]]),
    ]
    failed = 0
    for name, options, story in lives:
        flash = bench.flash("life", bench.hello, *options)
        wrong = ""
        for step in story:
            if isinstance(step, int):
                cells = bytearray(flash.read_bytes())
                flip(step)(cells)
                flash.write_bytes(cells)
                continue
            board = Board(bench.folder, bench.program, flash)
            try:
                wrong = wrong or ("" if board.lines(len(step), 90) == step else board.said)
            finally:
                board.end()
        failed += wrong != ""
        print(f"  {name:30} {'as it should' if not wrong else 'FAILED: ' + repr(wrong)}")
    return failed


def judge(name, value, must, aim):
    verdict = "aim" if value <= aim else "must" if value <= must else "FAILED"
    print(f"  {name:32} {value:6}   must {must:6}   aim {aim:6}   {verdict}")
    return value > must


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    build, host, planted = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:] == ["--planted"]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="serin-bootloader."))
    try:
        bench = Bench(folder, build, host)
        total, bytes_of = weigh(bench.program)
        if planted:
            print("planted: a line that must not come, and bounds of one byte less than what is there")
            deepest, failed = play(bench, [("as from the factory", flip(), "nothing boots")], 3)
            failed += judge("text, bytes", total, total - 1, 0) + judge("stack, bytes", deepest, deepest - 1, 0)
            sys.exit(0 if failed == 3 else "bootloader: a planted fault was not told")
        for part, size in bytes_of.items():
            print(f"  {part:32} {size:6}")
        deepest, failed = play(bench, SCENES)
        failed += play_vectors(bench) + play_lives(bench)
        instructions = bench.count()
        print(f"  boot of an image of 512 KiB: {instructions:,} instructions")
        (build / "bootloader-budget.json").write_text(
            json.dumps({"text": total, "stack": deepest, "boot_instructions_512k": instructions}) + "\n")
        failed += judge("text, bytes", total, TEXT_MUST, TEXT_AIM) + judge("stack, bytes", deepest, STACK_MUST, STACK_AIM)
        sys.exit(1 if failed else 0)
    finally:
        shutil.rmtree(folder)


main()
