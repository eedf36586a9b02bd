"""One machine that tries skips: states of the clean boot, verifications that are known, ends. For skip_sweep.py.

A try begins where a boot without a glitch first comes to the instruction: registers, RAM, flash and registers of the board are set to what
they were there. Two short cuts follow, both exact, and both compared with plain boots by --plainly:

* What a verification of a signature does follows from its registers and input alone. It is run once, and then written down: what it leaves
  in registers and on the stack. No verification that has a skip in it, and none with other registers, is taken for a known one.
* An instruction that is skipped once has no further part in what follows: where registers, RAM, code and flash then are what they were in
  the clean boot before a verification, it ends as that did.
"""
import collections
import hashlib

from skip_listing import VERIFY
from skip_machine import IMAGE, IMAGE_SIZE, LR, PC, RAM, RAM_SIZE, SP, XPSR, Died, Machine, advanced
from skip_scenes import GOOD, REFUSED, SLOTS

KINDS = ("always", "once")
RESET, WATCHDOG, FAULT, LOCKUP, LOOPS, RUNS_ON, OLDER, BREACH = "reset", "watchdog", "fault", "lockup", "loops", "runs on", "older", "BREACH"
OUTCOMES = (GOOD, REFUSED, RESET, WATCHDOG, FAULT, LOCKUP, LOOPS, RUNS_ON, OLDER, BREACH)
SPENT = {True: (0.04, 0.2), False: (0.2, 0.6)}  # seconds of QEMU's work after which a try is looked at, by whether verifications are known
STOPS = 60  # verifications of a try; a boot has up to 12
PATIENCE = 30  # seconds of it for what must come
FLASH_END = 0x310000  # of what the bootloader can address
LOOKED_AT = ((0, SLOTS[0] + 0x8000), (SLOTS[1], SLOTS[1] + 0x8000))  # flash that a boot of a small image reads or writes
Try = collections.namedtuple("Try", "scene kind address")
Snapshot = collections.namedtuple("Snapshot", "registers ram image log devices")
LOG = slice(0x10000, 0x12000)  # the boot log: the only flash that a boot without a glitch writes


def outcome_of_line(line):
    if "UNVERIFIED" in line:  # whatever was said before it on the same line
        return BREACH
    if line.startswith("hello from "):
        return GOOD
    ends = {"nothing boots": REFUSED, "no identity": REFUSED, "fault": FAULT}  # before the colon: behind it stands what to do about it
    return ends.get(line.split(":")[0])


class Sweep:
    """One machine, and what is known of it."""

    def __init__(self, folder, code, listing, flashes, planted=None):
        self.listing, self.flashes, self.folder = listing, flashes, folder
        self.code = code
        if planted is not None:
            self.code = self.without(planted)
        self.verify = listing.entry[VERIFY]
        self.machine = Machine(folder, self.code)
        self.stack_from = listing.stack_from
        self.resets = 0
        self.remembered = {}  # what verifications did whose registers and input are known
        self.states = {}  # of the clean boot, where it verifies, by registers

    def end(self):
        self.machine.end()

    # ---- states ----

    def begin(self, name):
        """The flash of a scene, and memory as after the power was off."""
        machine = self.machine
        self.base = self.flashes[name]
        self.clean()
        machine.flash[:] = self.base
        machine.write(RAM, bytes(RAM_SIZE))
        machine.write(IMAGE, bytes(IMAGE_SIZE))

    def clean(self):
        """A reset, of code and flash, too."""
        machine = self.machine
        machine.halt()
        if machine.read(0, len(self.code)) != self.code:
            machine.write(0, self.code)  # before the reset, which takes its vectors from there
        machine.reset()
        self.resets += 1
        for begin, end in [(0, FLASH_END)] if self.resets % 64 == 0 else LOOKED_AT:
            if machine.flash[begin:end] != self.base[begin:end]:
                machine.flash[begin:end] = self.base[begin:end]

    def take(self):
        machine = self.machine
        return Snapshot(machine.registers(), machine.read(RAM, RAM_SIZE), machine.read(IMAGE, IMAGE_SIZE), machine.flash[LOG], machine.devices())

    def restore(self, snapshot):
        """Back to a state of the clean boot. Whatever else a try has touched is as it was before it, too."""
        machine = self.machine
        self.clean()
        machine.flash[LOG] = snapshot.log
        machine.set_devices(snapshot.devices)
        machine.write(RAM, snapshot.ram)
        machine.write(IMAGE, snapshot.image)
        machine.set_registers(snapshot.registers)

    def fingerprint(self, words):
        """Of all that decides how a boot goes on."""
        machine, hashed = self.machine, hashlib.blake2b(repr(words).encode())
        for part in (machine.read(0, len(self.code)), machine.read(RAM, RAM_SIZE), machine.read(IMAGE, IMAGE_SIZE),
                     *(machine.flash[begin:end] for begin, end in LOOKED_AT)):
            hashed.update(part)
        return hashed.digest()

    # ---- verifications that are known ----

    def verification(self):
        """The processor stands before a verification: does it, or what it is known to do to registers and stack. The same registers and the same
        input do the same, wherever they come from; a second run over another stack proves that nothing else goes in. The stack below it
        is left as the verification leaves it, byte by byte. Returns what the machine came to instead, or None."""
        machine = self.machine
        words = machine.registers()
        places = (words[2], 64), (words[3], 32), (int.from_bytes(machine.read(words[SP], 4) or bytes(4), "little"), 64)
        key = (tuple(words), *(machine.read(*place) for place in places))
        if None in key or not self.stack_from < words[SP] <= RAM + RAM_SIZE:
            return self.verify_plainly(words)
        if key not in self.remembered:
            self.remembered[key] = self.learn(words)
        known = self.remembered[key]
        if known is None:
            return self.verify_plainly(words)
        after, size, stack, kept = known
        below = int.from_bytes(machine.read(words[SP] - size, size), "little")
        machine.write(words[SP] - size, (below & kept | stack).to_bytes(size, "little"))
        machine.set_registers(after)
        return None

    def to_the_return(self, words):
        machine, back = self.machine, words[LR] & ~1
        machine.stop_no_more(self.verify)
        machine.stop_at(back)
        what = machine.run(1)
        machine.halt()
        machine.stop_no_more(back)
        machine.stop_at(self.verify)
        if what[0] != "stop":
            machine.go()
        return what

    def verify_plainly(self, words):
        what = self.to_the_return(words)
        return None if what[0] == "stop" else what

    def learn(self, words):
        """Registers after it, how much of the stack below it is touched, what it writes there, and ones where it writes nothing. None: not to be
        remembered."""
        machine = self.machine
        if machine.read(0, len(self.code)) != self.code:
            return None
        ram, results = machine.read(RAM, RAM_SIZE), []
        size = words[SP] - self.stack_from
        for paint in (0xA5, 0x5A):
            machine.set_registers(words)
            machine.write(self.stack_from, bytes([paint]) * size)
            if self.to_the_return(words)[0] != "stop":
                raise RuntimeError("a verification without a glitch does not return")
            results.append((machine.registers(), machine.read(RAM, RAM_SIZE)))
        machine.write(RAM, ram)
        machine.set_registers(words)
        (first, one), (second, two) = results
        begin, end = self.stack_from - RAM, words[SP] - RAM
        untouched = one[:begin] + one[end:] == two[:begin] + two[end:] == ram[:begin] + ram[end:]
        one, two = one[begin:end], two[begin:end]
        painted = all((a, b) == (0xA5, 0x5A) for a, b in zip(one, two) if a != b)
        if first != second or not untouched or not painted:
            return None
        kept = bytes(0xFF * (a != b) for a, b in zip(one, two))
        deepest = len(kept) - len(kept.lstrip(b"\xff"))
        kept = int.from_bytes(kept[deepest:], "little")
        return first, size - deepest, int.from_bytes(one[deepest:], "little") & ~kept, kept

    # ---- the boot without a glitch ----

    def finish(self, quick, expected=None):
        """Goes on to an end. `quick`: by verifications that are known, and no further than a state of the clean boot, where there is one."""
        machine, spent = self.machine, list(SPENT[quick])
        if quick:
            machine.stop_at(self.verify)
        begun, stops = machine.seconds(), 0
        what = machine.run(spent[0])
        while True:
            if what[0] == "stop":
                stops += 1
                if stops > STOPS:
                    return RUNS_ON
                words = machine.registers()
                if expected is not None and tuple(words) in self.states and self.fingerprint(words) in self.states[tuple(words)]:
                    return expected
                what = self.verification() or machine.run(spent[0])
                continue
            if what[0] in (RESET, WATCHDOG):
                return what[0]
            if what[0] == "line" and (outcome := outcome_of_line(what[1])):
                # After "nothing boots" nothing resets: there was a reset before it, and this is the next boot.
                return RESET if outcome == REFUSED and machine.resets else outcome
            if what[0] == "idle":
                return RUNS_ON
            if what[0] == "slow" and machine.seconds() - begun >= spent[0]:
                if machine.spins(0.03):
                    return LOOPS
                del spent[0]
                if not spent:
                    return RUNS_ON
            what = machine.wait(spent[0])

    def known_states(self, name, expected):
        """A clean boot: its verifications and the states before them are known from then on."""
        self.begin(name)
        machine, self.states = self.machine, {}
        machine.stop_at(self.verify)
        what = machine.run(PATIENCE)
        while what[0] == "stop":
            words = machine.registers()
            self.states.setdefault(tuple(words), set()).add(self.fingerprint(words))
            what = self.verification() or machine.run(PATIENCE)
        machine.halt()
        machine.stop_no_more(self.verify)
        return what[0] == "line" and outcome_of_line(what[1]) == expected

    def snapshots(self, name, addresses):
        """The state at the first pass by each of the addresses, in the order in which a clean boot comes by them."""
        self.begin(name)
        machine, found, inside = self.machine, {}, self.listing.verification
        here = machine.registers()[PC]
        for address in addresses:
            while here != address:
                known = self.listing.at[address].function not in inside and here != self.verify
                machine.stop_at(address)
                if known:
                    machine.stop_at(self.verify)
                what = machine.run(PATIENCE)
                while what[0] == "line":  # the stop comes behind it
                    what = machine.wait(PATIENCE)
                if what[0] != "stop":
                    raise RuntimeError(f"the boot of {name} does not come by {address:#x}: {what}")
                machine.stop_no_more(address)
                here = machine.registers()[PC]
                if known:
                    if here == self.verify != address:
                        self.verification()
                        here = machine.registers()[PC]
                    machine.stop_no_more(self.verify)
            found[address] = self.take()
            machine.step()
            here = machine.registers()[PC]
        return found

    # ---- tries ----

    def skip(self, kind, address):
        """The processor stands before the instruction. Beyond it, or for good without it."""
        machine, row = self.machine, self.listing.at[address]
        if kind == "always":
            machine.write(address, self.listing.nothing(address))
            return
        words = machine.registers()
        words[PC] = address + row.size
        words[XPSR] = advanced(words[XPSR])
        machine.set_registers(words)

    def attempt(self, what, snapshot, expected):
        """One try by all short cuts that are sound for it: verifications that are known are so without a skip in them, and a state of the clean
        boot goes on as that one did where nothing is skipped any more."""
        machine, whole, inside = self.machine, self.code, self.listing.at[what.address].function in self.listing.verification
        once = what.kind == "once"
        self.restore(snapshot)
        self.skip(what.kind, what.address)
        if not once:
            self.code = self.without(what.address)
        outcome = None
        try:
            outcome = self.finish(once or not inside, expected if once else None)
            machine.halt()
            if once or not inside:
                machine.stop_no_more(self.verify)
        except Died:
            outcome = outcome or self.last_words()
            machine.again()
        self.code = whole
        return outcome

    def without(self, address):
        return self.code[:address] + self.listing.nothing(address) + self.code[address + self.listing.at[address].size:]

    def last_words(self):
        return BREACH if b"UNVERIFIED" in self.machine.uart_bytes else LOCKUP

    def play(self, what):
        """One try from a reset, without any short cut."""
        machine = self.machine
        machine.again()
        self.begin(what.scene)
        machine.stop_at(what.address)
        if machine.run(PATIENCE)[0] != "stop":
            return None
        machine.stop_no_more(what.address)
        try:
            machine.write(what.address, self.listing.nothing(what.address))
            if what.kind == "once":  # QEMU itself goes beyond it here
                machine.step()
                machine.write(what.address, self.code[what.address:what.address + self.listing.at[what.address].size])
            return self.finish(False)
        except Died:
            return self.last_words()
