"""One mps2-an385 in QEMU that is stopped, set and started as often as one likes: by QEMU's GDB port (registers, memory, breakpoints), by QMP
(resets), and by the file that is its flash. All three are Unix sockets or memory of this process; nothing listens on a port.

The code lies in RAM and is written by this class, not by -kernel: a reset then costs a millisecond and leaves the translated code as it is.
The clock follows the instructions (-icount): the same state goes on in the same way, whatever the host does meanwhile.
"""
import json
import mmap
import os
import select
import socket
import subprocess
import time

FLASH_SIZE = 16 << 20
RAM, RAM_SIZE = 0x20000000, 0x4000  # note, data and stack of the bootloader: device/ports/mps2/memory.h
IMAGE, IMAGE_SIZE = 0x20200000, 0x400  # where images run, and as much of it as those of the sweep have
STUB = 0x203FFFF0  # where nobody else is
# Registers of the board that a boot sets (device/ports/mps2/hardware.c): UART, watchdog, place of the vectors
UART_DIVIDER, UART_CONTROL, VECTOR_TABLE = 0x40004010, 0x40004008, 0xE000ED08
WATCHDOG_LOAD, WATCHDOG_CONTROL, WATCHDOG_LOCK, WATCHDOG_KEY = 0x40008000, 0x40008008, 0x40008C00, 0x1ACCE551
IDLE = 20  # seconds; the watchdog of an image bites after 8 that it sleeps
PACKET = 2000  # bytes of memory in one packet of the GDB port
SP, LR, PC, XPSR = 13, 14, 15, 41  # places in QEMU's list of registers, words
TICK = os.sysconf("SC_CLK_TCK")


class Died(Exception):
    """QEMU has ended: the processor locked up, which a board answers with a reset."""


def advanced(xpsr):
    """The state register after an instruction of an IT block that was not executed: as the processor advances it (ARM DDI 0403, ITAdvance)."""
    block = xpsr >> 25 & 3 | (xpsr >> 10 & 0x3F) << 2
    block = 0 if block & 7 == 0 else block & 0xE0 | block << 1 & 0x1F
    return xpsr & ~0x0600FC00 | (block & 3) << 25 | (block >> 2) << 10


class Machine:
    def __init__(self, folder, code, listing=None):
        self.folder, self.code, self.listing = folder, code, listing
        self.file = folder / "flash.bin"
        with open(self.file, "wb") as file:
            file.truncate(FLASH_SIZE)
        with open(self.file, "r+b") as file:
            self.flash = mmap.mmap(file.fileno(), FLASH_SIZE)
        self.process = None
        self.start()

    # ---- the process ----

    def start(self):
        paths = {name: str(self.folder / name) for name in ("gdb", "qmp", "uart")}
        for path in paths.values():
            if os.path.exists(path):
                os.unlink(path)
        words = ["qemu-system-arm", "-M", "mps2-an385,memory-backend=flash", "-object",
                 f"memory-backend-file,id=flash,size=16M,mem-path={self.file},share=on", "-icount", "shift=6", "-display", "none",
                 "-monitor", "none", "-S", "-chardev", f"socket,id=gdb,path={paths['gdb']},server=on,wait=off", "-gdb", "chardev:gdb",
                 "-qmp", f"unix:{paths['qmp']},server=on,wait=off", "-chardev", f"socket,id=uart,path={paths['uart']},server=on,wait=off",
                 "-serial", "chardev:uart"]
        if self.listing:
            words += ["-d", "in_asm", "-D", str(self.listing)]
        # A processor that locks up ends QEMU by abort(): no core is kept of it. It outlives nobody who started it.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "prlimit", "--core=0", *words],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.gdb, self.qmp, self.uart = (self.connect(paths[name]) for name in ("gdb", "qmp", "uart"))
        self.gdb_bytes, self.qmp_bytes, self.uart_bytes = b"", b"", b""
        self.resets, self.asked, self.bitten = 0, 0, False  # resets by the program, by this class, by the watchdog
        self.acknowledge, self.running = True, False
        self.until(lambda: b"\n" in self.qmp_bytes)
        self.ask("qmp_capabilities")
        self.command("qSupported")
        self.command("QStartNoAckMode")
        self.acknowledge = False
        self.write(0, self.code)
        self.reset()

    def connect(self, path):
        while self.process.poll() is None:
            line = socket.socket(socket.AF_UNIX)
            try:
                line.connect(path)
                return line
            except OSError:
                line.close()
                time.sleep(0.005)
        raise RuntimeError("qemu-system-arm does not start")

    def end(self):
        for line in (self.gdb, self.qmp, self.uart):
            line.close()
        self.process.kill()
        self.process.wait()

    def again(self):
        self.end()
        self.start()

    def seconds(self):
        """Processor time that QEMU has used: no measure of the host's load."""
        try:
            with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
                words = file.read().rsplit(")", 1)[1].split()
        except OSError as error:
            raise Died from error
        return (int(words[11]) + int(words[12])) / TICK

    # ---- its lines ----

    def hear(self, seconds):
        """Takes what has come on the three lines. What the UART said and which resets there were is known before a stop is."""
        lines = select.select([self.qmp, self.uart, self.gdb], [], [], seconds)[0]
        for line, name in ((self.uart, "uart_bytes"), (self.qmp, "qmp_bytes"), (self.gdb, "gdb_bytes")):
            if line in lines:
                try:
                    more = line.recv(1 << 16)
                except OSError:
                    more = b""
                if not more:
                    raise Died
                setattr(self, name, getattr(self, name) + more)
        return bool(lines)

    def until(self, found, seconds=30):
        end = time.monotonic() + seconds
        while not found():
            self.hear(1)
            if time.monotonic() > end:
                raise RuntimeError("qemu-system-arm does not answer")

    def events(self):
        """Takes what QMP said apart; what it answered, or None."""
        answer = None
        *lines, self.qmp_bytes = self.qmp_bytes.split(b"\n")
        for line in lines:
            if b'"STOP"' in line or b'"RESUME"' in line:  # there are many
                continue
            said = json.loads(line)
            if said.get("event") == "RESET":
                self.resets += said["data"]["guest"]
                self.asked += not said["data"]["guest"]
            elif said.get("event") == "WATCHDOG":
                self.bitten = True
            elif "return" in said or "error" in said:
                answer = said
        return answer

    def ask(self, command):
        self.events()
        self.qmp.sendall(json.dumps({"execute": command}).encode() + b"\n")
        while (answer := self.events()) is None:
            self.hear(1)
        if "error" in answer:
            raise RuntimeError(answer["error"]["desc"])

    # ---- the GDB remote protocol ----

    def send(self, text):
        self.gdb.sendall(b"$%s#%02x" % (text.encode(), sum(text.encode()) & 255))

    def packet(self):
        """One packet that has come whole, or None."""
        begin, end = self.gdb_bytes.find(b"$"), self.gdb_bytes.find(b"#")
        if begin < 0 or len(self.gdb_bytes) < end + 3 or end < 0:
            return None
        text, self.gdb_bytes = self.gdb_bytes[begin + 1:end], self.gdb_bytes[end + 3:]
        if self.acknowledge:
            self.gdb.sendall(b"+")
        return text.decode("latin-1")

    def command(self, text):
        self.send(text)
        while (answer := self.packet()) is None:
            self.hear(1)
        return answer

    def must(self, text):
        if (answer := self.command(text)) != "OK":
            raise RuntimeError(f"GDB port: {text[:20]}: {answer}")

    def read(self, address, size):
        """Bytes of memory, or None where there is none."""
        found = b""
        for at in range(address, address + size, PACKET):
            answer = self.command(f"m{at:x},{min(PACKET, address + size - at):x}")
            if answer.startswith("E"):
                return None
            found += bytes.fromhex(answer)
        return found

    def write(self, address, data):
        for at in range(0, len(data), PACKET):
            part = data[at:at + PACKET]
            self.must(f"M{address + at:x},{len(part):x}:{part.hex()}")

    def registers(self):
        """Words; [SP], [LR], [PC], [XPSR] among them."""
        data = bytes.fromhex(self.command("g"))
        return [int.from_bytes(data[at:at + 4], "little") for at in range(0, len(data), 4)]

    def set_registers(self, words):
        self.must("G" + b"".join(word.to_bytes(4, "little") for word in words).hex())

    def devices(self):
        """What a boot has set of the board's own registers."""
        return {at: int.from_bytes(self.read(at, 4), "little") for at in (UART_DIVIDER, UART_CONTROL, WATCHDOG_LOAD, WATCHDOG_CONTROL, VECTOR_TABLE)}

    def set_devices(self, values):
        """From what they are after a reset. The GDB port writes memory alone: the processor is made to."""
        written = [(at, value) for at, value in values.items() if value and not (at == WATCHDOG_LOAD and not values[WATCHDOG_CONTROL])]
        if values[WATCHDOG_CONTROL]:
            written = [(WATCHDOG_LOCK, WATCHDOG_KEY), *written, (WATCHDOG_LOCK, 0)]
        words = self.registers()
        self.write(STUB, b"\x01\x60")  # str r1, [r0]
        for words[0], words[1] in written:
            words[PC] = STUB
            self.set_registers(words)
            self.step()

    def stop_at(self, address):
        self.must(f"Z0,{address:x},2")

    def stop_no_more(self, address):
        self.must(f"z0,{address:x},2")

    def step(self):
        self.command("s")

    # ---- running ----

    def go(self):
        self.send("c")
        self.running = True

    def wait(self, limit):
        """What comes first: ("stop", ""), ("line", text), ("reset", ""), ("watchdog", ""), ("slow", "") after so many seconds of work, or
        ("idle", "") where it does not even work."""
        end, latest = self.seconds() + limit, time.monotonic() + IDLE
        while True:
            self.events()
            if b"\n" in self.uart_bytes:
                line, self.uart_bytes = self.uart_bytes.split(b"\n", 1)
                return "line", line.decode("latin-1")
            if self.resets:
                return "watchdog" if self.bitten else "reset", ""
            if self.packet() is not None:
                self.running = False
                return "stop", ""
            if not self.hear(0.02) and self.seconds() > end:
                return "slow", ""
            if time.monotonic() > latest:
                return "idle", ""

    def run(self, limit):
        self.go()
        return self.wait(limit)

    def halt(self):
        """Stops a processor that runs. What it said until then is kept."""
        if self.running:
            self.gdb.sendall(b"\x03")
            self.until(lambda: self.packet() is not None)
            self.running = False

    def reset(self):
        """As after a reset by its pin, and stopped; memory stays."""
        self.halt()
        self.asked = 0
        self.ask("system_reset")
        while not self.asked:
            self.hear(1)
            self.events()
        self.resets, self.bitten, self.uart_bytes = 0, False, b""

    def spins(self, limit):
        """Whether it can never end: the same registers and RAM at the same place, and no watchdog that would end it. Leaves it running."""
        self.halt()
        looped = False
        if int.from_bytes(self.read(WATCHDOG_CONTROL, 4), "little") & 3 == 0:
            before, ram = self.registers(), self.read(RAM, RAM_SIZE)
            self.step()
            self.stop_at(before[PC])
            end = self.seconds() + limit
            self.go()
            while (came := self.packet()) is None and self.seconds() < end:
                self.hear(0.01)
            self.running = came is None
            self.halt()
            looped = before == self.registers() and ram == self.read(RAM, RAM_SIZE)
            self.stop_no_more(before[PC])
        self.go()
        return looped
