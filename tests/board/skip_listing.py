"""What the linked bootloader consists of: its instructions, their functions, who calls whom. From objdump; for skip_sweep.py."""
import collections
import re
import subprocess

Instruction = collections.namedtuple("Instruction", "address size text function")
NOP, NOP_WIDE = bytes.fromhex("00bf"), bytes.fromhex("aff30080")
VERIFY = "p256_verify"
READER = "read_newest"  # of both logs that tell of the floor


class Listing:
    def __init__(self, elf):
        self.at, self.entry, self.calls = {}, {}, collections.defaultdict(set)
        lines = subprocess.run(["arm-none-eabi-objdump", "-d", str(elf)], check=True, capture_output=True, text=True).stdout.splitlines()
        function = ""
        for line in lines:
            if found := re.match(r"([0-9a-f]+) <(\S+)>:$", line):
                function = found.group(2)
                self.entry[function] = int(found.group(1), 16)
            elif (found := re.match(r"\s*([0-9a-f]+):\t([0-9a-f]{4})( [0-9a-f]{4})?\s+\t?(\S.*)$", line)) and not found.group(4).startswith("."):
                address, text = int(found.group(1), 16), found.group(4).replace("\t", " ")
                self.at[address] = Instruction(address, 4 if found.group(3) else 2, text, function)
                if called := re.search(r"<([^+>]+)>", text):
                    self.calls[function].add(called.group(1))
        for name in (VERIFY, READER):
            if name not in self.entry:
                raise SystemExit(f"skip-sweep: there is no function {name} in {elf}")
        self.verification = self.reached_from(VERIFY)
        symbols = subprocess.run(["arm-none-eabi-nm", str(elf)], check=True, capture_output=True, text=True).stdout.splitlines()
        self.stack_from = next(int(line.split()[0], 16) for line in symbols if line.endswith(" board_bss_end"))
        self.log_readers = self.reached_from(READER)
        self.size = collections.Counter(row.function for row in self.at.values())

    def scenes_of(self, address, scenes):
        """Those in which a skip there can matter: of what only verifications of signatures consist, where one is wrong, and of the
        arithmetic of the field, which is a third of the program and takes the longest, the plainest of these. The equation alone is tried
        with signatures that are made for another one."""
        function = self.at[address].function
        if function not in self.verification or function in (VERIFY, "memcpy", "memset"):
            return set(scenes) - {"crafted"}
        return {"signature"} if function.startswith("sp_256_") else {"signature", "staged", "trust", "crafted"}

    def reached_from(self, function):
        found, left = set(), [function]
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += self.calls[name]
        return found

    def nothing(self, address):
        """An instruction that does nothing, as long as the one at the address: in an IT block it counts as the one that it replaces."""
        return NOP if self.at[address].size == 2 else NOP_WIDE

    def deaf(self):
        """Of serin_run_note, the instruction by which a difference enters the evidence: the one that combines its second and third argument."""
        found = [row.address for row in self.at.values() if row.function == "serin_run_note" and re.fullmatch(r"eors r1, r2", row.text)]
        if len(found) != 1:
            raise SystemExit("skip-sweep: serin_run_note is compiled in another way: plant its fault anew")
        return found[0]
