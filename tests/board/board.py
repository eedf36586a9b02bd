#!/usr/bin/env python3
"""Runs the emulated board with a flash, watched through QEMU's GDB port: programs run as they are, no test code stands in the bootloader.

    board.py FLASH --bootloader ELF --image ELF --log FILE [--until POINT[:COUNT]]

--image is the program that all releases in the flash hold but for its last bytes; its symbols tell where to look. With --until QEMU is
killed (SIGKILL) when a named point is passed, or passed for the COUNT-th time since that program started, as if the power went there; the
program ends with status 0. Without it the board runs until this program is killed. --log takes what the board says by its UART.

A point is one that the agent passes to `fault_point`, which the image must have as sensor_fault_point (sensor_faulty.c), or one of the
bootloader: boot.counting, before a try or a boot is recorded, and boot.jump, before the image runs. On standard output, a line each:

    boot A|B [on trial] CAUSE       the bootloader's choice
    ask OBJECT OFFSET LENGTH        the agent asks for bytes; OBJECT: the first digits of its name
    at POINT COUNT                  a point is passed
    stack BYTES                     of the image, by painting, as deep as it was when it ended
    heap BYTES                      of the image: what malloc has ever taken
"""
import argparse
import ctypes
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

NOTE = 0x20000000  # memory.h
STACK_SIZE = 16384  # bytes below the top that are painted
PAINT = 0xA5
PAGE = 1024  # bytes a packet
CAUSES = ("unknown", "power", "requested", "watchdog", "crash")
BOOT_POINTS = {"boot.counting": "serin_boot_log_append", "boot.jump": "jump"}


def symbols(elf):
    """Addresses by name; what the compiler appends to a name is left out."""
    found = {}
    for line in subprocess.run(["arm-none-eabi-nm", str(elf)], check=True, capture_output=True, text=True).stdout.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in "tTbBdD":
            found.setdefault(words[2].split(".")[0], int(words[0], 16) & ~1)
    return found


def place(table, name, elf):
    if name not in table:
        sys.exit(f"board.py: {elf} has no {name}: nothing would be stopped at")
    return table[name]


class Gdb:
    """The remote serial protocol of GDB (its manual, appendix E), as much of it as is used here."""

    def __init__(self, path, process):
        self.line = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + 20
        while True:
            try:
                self.line.connect(path)
                break
            except OSError:
                if time.monotonic() > end or process.poll() is not None:
                    raise
                time.sleep(0.01)
        self.heard = b""

    def send(self, text):
        data = text.encode()
        self.line.sendall(b"$" + data + b"#%02x" % (sum(data) % 256))

    def answer(self):
        while True:
            start = self.heard.find(b"$")
            end = self.heard.find(b"#", start)
            if 0 <= start < end <= len(self.heard) - 3:
                text, self.heard = self.heard[start + 1:end].decode(), self.heard[end + 3:]
                self.line.sendall(b"+")
                return text
            more = self.line.recv(65536)
            if not more:
                raise EOFError("QEMU has ended")
            self.heard += more

    def stopped(self, asked):
        """Waits until the machine stops by itself, or stops it when `asked` says so."""
        self.line.settimeout(0.2)
        while True:
            try:
                return self.answer()
            except TimeoutError:
                if asked():
                    self.line.sendall(b"\x03")

    def ask(self, text):
        self.line.settimeout(30)
        self.send(text)
        answer = self.answer()
        if answer.startswith("E"):
            raise RuntimeError(f"{text[:20]}: {answer}")
        return answer

    def registers(self):
        text = self.ask("g")
        return [int.from_bytes(bytes.fromhex(text[i:i + 8]), "little") for i in range(0, 16 * 8, 8)]

    def read(self, address, size):
        return b"".join(bytes.fromhex(self.ask(f"m{address + at:x},{min(PAGE, size - at):x}")) for at in range(0, size, PAGE))

    def word(self, address):
        return int.from_bytes(self.read(address, 4), "little")

    def write(self, address, data):
        for at in range(0, len(data), PAGE):
            part = data[at:at + PAGE]
            self.ask(f"M{address + at:x},{len(part):x}:{part.hex()}")

    def text(self, address):
        return self.read(address, 64).split(b"\0")[0].decode()

    def go_on(self, address):
        """From a breakpoint, which would stop it again at once."""
        self.ask(f"z0,{address:x},2")
        self.ask("s")
        self.ask(f"Z0,{address:x},2")
        self.send("c")


class Board:
    def __init__(self, options, folder):
        self.until, self.asked_to_end = options.until, False
        boot, image = symbols(options.bootloader), symbols(options.image)
        self.at = {place(boot, name, options.bootloader): point for point, name in BOOT_POINTS.items()}
        self.fault_point = place(image, "sensor_fault_point", options.image)
        self.encode_get = place(image, "serin_npb_encode_get", options.image)
        self.stack_top = place(image, "board_stack_top", options.image)
        self.heap = place(image, "end", options.image), place(image, "heap_end", options.image)
        self.counts, self.stack, self.taken = {}, 0, 0
        path = str(folder / "gdb")
        self.process = subprocess.Popen(
            ["qemu-system-arm", "-M", "mps2-an385,memory-backend=fl", "-icount", "shift=3", "-object",
             f"memory-backend-file,id=fl,size=16M,mem-path={options.flash},share=on", "-nic", "user,model=lan9118", "-display", "none",
             "-monitor", "none", "-serial", f"file:{options.log}", "-kernel", options.bootloader, "-S", "-chardev",
             f"socket,path={path},server=on,wait=off,id=gdb", "-gdb", "chardev:gdb"], stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        try:
            self.gdb = Gdb(path, self.process)
        except OSError:
            self.end()
            raise
        for address in (*self.at, self.encode_get, self.fault_point):
            self.gdb.ask(f"Z0,{address:x},2")

    def end(self):
        """SIGKILL: nothing is flushed, nothing is said."""
        self.process.kill()
        self.process.wait()

    def paint(self):
        self.gdb.write(self.stack_top - STACK_SIZE, bytes([PAINT]) * STACK_SIZE)

    def measure(self):
        stack = self.gdb.read(self.stack_top - STACK_SIZE, STACK_SIZE)
        self.stack = max(self.stack, len(stack.lstrip(bytes([PAINT]))))
        start, top = self.heap[0], self.gdb.word(self.heap[1])
        self.taken = max(self.taken, top - start if top else 0)

    def passes(self, point):
        """True: here the power goes."""
        self.counts[point] = count = self.counts.get(point, 0) + 1
        say("at", point, count)
        return [point, count] == self.until

    def passes_in_image(self, point):
        if not point.startswith(("agent.piece", "agent.report")):  # those are many
            self.measure()
        return self.passes(point)

    def jumps(self):
        note = self.gdb.read(NOTE, 4)
        say("boot", "AB"[note[1] == 2], *(["on trial"] if note[2] else []), CAUSES[note[3]])
        self.paint()
        return self.passes("boot.jump")

    def asks(self, get):
        get = self.gdb.read(get, 40)
        say("ask", get[:4].hex(), int.from_bytes(get[32:36], "little"), int.from_bytes(get[36:40], "little"))
        return False

    def run(self):
        self.gdb.send("c")
        while True:
            self.gdb.stopped(lambda: self.asked_to_end)
            registers = self.gdb.registers()
            address = registers[15] & ~1
            if self.asked_to_end:
                self.measure()
                return
            if address == self.encode_get:
                here = self.asks(registers[0])
            elif address == self.fault_point:
                here = self.passes_in_image(self.gdb.text(registers[1]))
            elif self.at[address] == "boot.jump":
                here = self.jumps()
            else:
                here = self.passes(self.at[address])
            if here:
                return
            self.gdb.go_on(address)


def say(*words):
    print(*words, flush=True)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def point_of(text):
    name, _, count = text.partition(":")
    return [name, int(count or 1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flash")
    for name in ("bootloader", "image", "log"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--until", type=point_of)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="serin-board.") as folder:
        board = Board(options, pathlib.Path(folder))

        def end(*_):
            board.asked_to_end = True

        signal.signal(signal.SIGTERM, end)
        try:
            board.run()
        finally:
            board.end()
        say("stack", board.stack)
        say("heap", board.taken)


main()
