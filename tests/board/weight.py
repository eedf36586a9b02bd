"""Where the bytes of a linked program come from: by the line table, for the tests beside this file."""
import bisect
import re
import subprocess


def run(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def lines_of(elf):
    """Where each run of instructions begins, and the file that it comes from: inlined ones have their own."""
    rows, path = [], ""
    for line in run("arm-none-eabi-objdump", "--dwarf=decodedline", elf).splitlines():
        if line.startswith("/") and line.endswith(":"):
            path = line[:-1]
        found = re.match(r"(\S+)\s+(\d+|-)\s+(0x[0-9a-f]+|0)\s", line + " ")
        if found:
            rows.append((int(found.group(3), 16), path if found.group(2) != "-" else ""))
    return sorted(rows, key=lambda row: row[0])


def symbols_of(elf):
    """(address, size, kind, name) of what has a size; kinds are nm's."""
    for line in run("arm-none-eabi-nm", "-S", elf).splitlines():
        words = line.split()
        if len(words) == 4:
            yield int(words[0], 16), int(words[1], 16), words[2], words[3]


class Lines:
    """The file of an address."""

    def __init__(self, elf):
        self.rows = lines_of(elf)
        self.starts = [row[0] for row in self.rows]

    def file_at(self, address):
        at = bisect.bisect_right(self.starts, address) - 1
        return self.rows[at][1] if at >= 0 else ""
