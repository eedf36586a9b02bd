#!/usr/bin/env python3
"""Holds what a document quotes to its source, so that no example rots.

In a document, a comment before a fenced block says where its lines come from:

    <!-- quoted: device/ports/emulator/board/bootloader.c -->     lines of a file, in a row; a line `...` skips some
    <!-- printed: flash-layout 491520 2048 8 -->                   what a program of this build prints, likewise
    <!-- counted: tests/lint/adoption.py -->                       what a script of the repository prints

`quotes.py --root DIR --bin DIR DOCUMENT…` prints one line per quotation that is not what it says and fails if there is any. `--planted`
alters each line of each quotation in turn instead, and fails where that goes unseen. Exit status 2: nothing is quoted at all.
"""
import argparse
import pathlib
import re
import subprocess
import sys

MARK = re.compile(r"^<!-- (quoted|printed|counted): (.+) -->$")


def quotations(text):
    """(kind, source, line number, lines) of each marked block."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = MARK.match(line.strip())
        if not match:
            continue
        start = number + 1
        while start < len(lines) and not lines[start].startswith("```"):
            start += 1
        end = start + 1
        while end < len(lines) and not lines[end].startswith("```"):
            end += 1
        yield match.group(1), match.group(2), number + 1, lines[start + 1:end]


def source_lines(kind, source, root, programs):
    if kind == "quoted":
        path = root / source
        return path.read_text(encoding="utf-8").splitlines() if path.is_file() else None
    words = source.split()
    program = (root if kind == "counted" else programs) / words[0]
    if not program.is_file():
        return None
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=60, cwd=root)
    return done.stdout.splitlines() if done.returncode == 0 else None


def chunks(quoted):
    """The parts between lines `...`, without what surrounds them of empty lines."""
    part = []
    for line in [*quoted, "..."]:
        if line.strip() != "...":
            part.append(line.rstrip())
            continue
        while part and not part[0]:
            part.pop(0)
        while part and not part[-1]:
            part.pop()
        if part:
            yield part
        part = []


def find(part, lines, start):
    for at in range(start, len(lines) - len(part) + 1):
        if all(lines[at + i].rstrip() == part[i] for i in range(len(part))):
            return at + len(part)
    return None


def holds(quoted, lines):
    at = 0
    for part in chunks(quoted):
        at = find(part, lines, at)
        if at is None:
            return False
    return any(line.strip() for line in quoted)


def planted(quoted, lines):
    """Whether each altered line is seen."""
    for i, line in enumerate(quoted):
        if line.strip() in ("", "..."):
            continue
        if holds([*quoted[:i], line + " /* altered */", *quoted[i + 1:]], lines):
            return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("documents", nargs="+")
    arguments = parser.parse_args()
    arguments.root, arguments.bin = arguments.root.resolve(), arguments.bin.resolve()
    count = problems = 0
    for document in arguments.documents:
        text = (arguments.root / document).read_text(encoding="utf-8")
        for kind, source, number, quoted in quotations(text):
            count += 1
            lines = source_lines(kind, source, arguments.root, arguments.bin)
            if lines is None:
                print(f"{document}:{number}: {source}: there is no such source")
            elif arguments.planted and not planted(quoted, lines):
                print(f"{document}:{number}: {source}: an altered line went unseen")
            elif not arguments.planted and not holds(quoted, lines):
                print(f"{document}:{number}: {source}: says something else")
            else:
                continue
            problems += 1
    print(f"quotes: {count} quotations, {problems} problems")
    if count == 0:
        sys.exit(2)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
