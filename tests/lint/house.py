#!/usr/bin/env python3
"""The lint of the house: who may include what, who may link whom, and what pure code may call.

The table below is ARCHITECTURE.md's, made exact. `house.py --root DIR [--build DIR]` prints one line per violation and
fails if there is any. With --build it also reads the link graph from CMake's file API (a query must have been placed before
configuring) and the symbols of the pure libraries. tests/lint/planted.py proves that each rule bites.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys

# C headers that pure code may use: none that allocates, does I/O or knows the time.
PURE_C = {"assert.h", "inttypes.h", "limits.h", "stdalign.h", "stdbool.h", "stddef.h", "stdint.h", "string.h"}
# snprintf alone is wanted from it; the calls below are refused by name.
FORMATTING = {"stdio.h", "stdarg.h"}

# folder (longest prefix wins) → (kind, header prefixes of Serin that it may include)
#   pure: PURE_C only, and no call of IMPURE_CALLS
#   heap: the C library, but no third party
#   open: anything, within its Serin headers
CORE = "serin/"
HOUSE = {
    "core": ("pure", {"core"}),
    "device/ports/emulator": ("heap", {"core", "device", "emulator"}),
    "device/ports/mqtt": ("pure", {"core", "device", "ports"}),
    "device/ports": ("open", {"core", "device", "host", "adapters", "emulator", "ports"}),
    "device": ("pure", {"core", "device"}),
    "orchestrator/include": ("pure", {"core", "orchestrator"}),
    "orchestrator/src": ("pure+format", {"core", "orchestrator"}),
    "orchestrator": ("open", {"core", "orchestrator", "host", "adapters"}),
    "broker-plugin/include": ("pure", {"core", "plugin"}),
    "broker-plugin/src": ("pure+format", {"core", "plugin"}),
    "broker-plugin": ("open", {"core", "plugin", "host", "adapters"}),
    "gateway/include": ("pure", {"core", "gateway"}),
    "gateway/src": ("pure+format", {"core", "gateway"}),
    "gateway": ("open", {"core", "gateway", "host", "adapters"}),
    "host": ("heap", {"core", "host"}),
    "adapters": ("open", {"core", "device", "orchestrator", "plugin", "gateway", "host", "sim", "adapters"}),
    "sim": ("heap", {"core", "device", "orchestrator", "gateway", "emulator", "host", "sim"}),
    "cli": ("heap", {"core", "orchestrator", "host", "sim", "adapters", "cli"}),
}

# Where each part's public headers live under <serin/…>.
HEADER_PARTS = [
    ("serin/device/emulator", "emulator"),
    ("serin/emulator", "emulator"),
    ("serin/ports/", "ports"),
    ("serin/device/", "device"),
    ("serin/orchestrator/", "orchestrator"),
    ("serin/plugin/", "plugin"),
    ("serin/gateway/", "gateway"),
    ("serin/host/", "host"),
    ("serin/adapters/", "adapters"),
    ("serin/sim/", "sim"),
    ("serin/cli/", "cli"),
    ("serin/", "core"),
]

# The C library and POSIX; every other <…> header is a third party, which only adapters and composition roots touch.
SYSTEM = re.compile(
    r"^(assert|ctype|errno|fcntl|getopt|glob|inttypes|libgen|limits|locale|math|poll|pthread|pwd|sched|semaphore|setjmp|"
    r"signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|termios|time|unistd|"
    r"dirent|netdb|wchar)\.h$|^(sys|netinet|arpa|linux)/"
)
# Shells of the products may use third parties only through adapters; these files compose, or are a board's own adapters, and may do so
# directly.
THIRD_PARTY_OK = ("adapters/", "broker-plugin/plugin.c", "device/ports/lwip/", "device/ports/mps2/", "device/ports/nanopb/")

IMPURE_CALLS = re.compile(
    r"\b(malloc|calloc|realloc|free|strdup|printf|fprintf|puts|fopen|open|read|write|time|clock|clock_gettime|gettimeofday|"
    r"rand|random|sleep|usleep|getenv|exit|abort|pthread_\w+|socket|send|recv)\s*\("
)
IMPURE_SYMBOLS = {
    "malloc", "calloc", "realloc", "free", "strdup", "printf", "fprintf", "puts", "fopen", "open", "read", "write",
    "time", "clock_gettime", "gettimeofday", "rand", "random", "getenv", "exit", "socket", "send", "recv",
}

# folder → folders whose targets its targets may link (itself always; "third" = imported and system libraries)
LINKS = {
    "core": set(),
    "device": {"core"},
    "device/ports/emulator": {"core", "device"},
    "device/ports": {"core", "device", "host", "adapters", "proto", "device/ports/emulator"},
    "orchestrator": {"core"},
    "broker-plugin": {"core"},
    "gateway": {"core"},
    "host": {"core"},
    "proto": set(),
    "adapters": {"core", "device", "orchestrator", "broker-plugin", "gateway", "host", "proto", "sim"},
    "sim": {"core", "device", "orchestrator", "gateway", "device/ports/emulator", "host"},
    # The last ones through sim/, which joins all cores: what the command includes is in HOUSE.
    "cli": {"core", "host", "sim", "adapters", "proto", "orchestrator", "device", "gateway", "device/ports/emulator"},
}
# Programs and the plugin are composition roots: they join their own core with host/ and adapters.
ROOT_LINKS = {"core", "host", "adapters", "proto"}
PRODUCTS = {"device", "orchestrator", "broker-plugin", "gateway"}


def folder_of(path, table):
    """The longest key of `table` that is a parent folder of `path`."""
    best = None
    for key in table:
        if (path == key or path.startswith(key + "/")) and (best is None or len(key) > len(best)):
            best = key
    return best


def part_of_header(header):
    for prefix, part in HEADER_PARTS:
        if header.startswith(prefix):
            return part
    return None


def strip_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def lint_source(root, path, problems):
    relative = path.relative_to(root).as_posix()
    folder = folder_of(relative, HOUSE)
    if folder is None:
        return
    kind, parts = HOUSE[folder]
    raw = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(raw.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        where = f"{relative}:{number}"
        form, header = match.groups()
        if form == '"':
            if header.startswith("../") or header.startswith("/"):
                problems.append(f"{where}: includes by path: {header}")
            continue
        part = part_of_header(header)
        if part is not None:
            if part not in parts:
                problems.append(f"{where}: {folder} may not include {header} (of {part})")
        elif kind.startswith("pure"):
            allowed = PURE_C | (FORMATTING if kind == "pure+format" else set())
            if header not in allowed:
                problems.append(f"{where}: pure code may not include <{header}>")
        elif not SYSTEM.match(header) and not relative.startswith(THIRD_PARTY_OK):
            problems.append(f"{where}: third party <{header}> outside adapters/")
    if kind.startswith("pure"):
        for number, line in enumerate(strip_comments(raw).splitlines(), 1):
            match = IMPURE_CALLS.search(line)
            # A member of an ops table (ops->read) or a declaration of one ((*read)) is a port, not the libc call.
            if match and not re.search(r"(->|\.|\(\*)\s*" + match.group(1) + r"\b", line):
                problems.append(f"{relative}:{number}: pure code calls {match.group(1)}()")


def lint_links(root, build, problems):
    reply = build / ".cmake/api/v1/reply"
    indexes = sorted(reply.glob("index-*.json"))
    if not indexes:
        problems.append(f"{build}: no CMake file API reply; configure with the query codemodel-v2 in place")
        return
    index = json.loads(indexes[-1].read_text())
    model_file = next(o["jsonFile"] for o in index["objects"] if o["kind"] == "codemodel")
    model = json.loads((reply / model_file).read_text())
    targets = {}
    for entry in model["configurations"][0]["targets"]:
        target = json.loads((reply / entry["jsonFile"]).read_text())
        targets[entry["id"]] = target
    for target in targets.values():
        source = target["paths"]["source"]
        folder = folder_of(source, LINKS)
        if folder is None or target["type"] == "UTILITY":
            continue
        root_target = target["type"] in ("EXECUTABLE", "MODULE_LIBRARY")
        allowed = set(LINKS[folder]) | {folder}
        if root_target:
            allowed |= ROOT_LINKS
        for dependency in target.get("dependencies", []):
            other = targets[dependency["id"]]
            if other["type"] == "UTILITY":
                continue
            other_folder = folder_of(other["paths"]["source"], LINKS)
            if other_folder is None or other_folder in allowed:
                continue
            # A port header's target, reached through an adapter that implements it, is not a product's code in another.
            if root_target and "adapters" in allowed and other_folder in PRODUCTS and other_folder == folder.split("/")[0]:
                continue
            problems.append(f"{target['name']} ({folder}) may not link {other['name']} ({other_folder})")


def lint_symbols(build, problems):
    for name in ("core", "device", "mqtt_client", "agent_link", "orchestrator_core", "plugin_core", "gateway_core"):
        library = build / "lib" / f"libserin_{name}.a"
        if not library.exists():
            continue
        # The sysv format names the section: a constant table of pointers lies in .data.rel.ro and is no state.
        output = subprocess.run(["nm", "--format=sysv", str(library)], capture_output=True, text=True,
                                check=True).stdout
        for line in output.splitlines():
            fields = [field.strip() for field in line.split("|")]
            if len(fields) != 7:
                continue
            symbol, kind, section = fields[0], fields[2], fields[6]
            if kind in "bBdDC" and kind != "" and not section.startswith(".data.rel.ro"):
                problems.append(f"libserin_{name}.a: mutable global {symbol}: pure code has no state of its own")
            if kind == "U" and symbol.split("@")[0] in IMPURE_SYMBOLS:
                problems.append(f"libserin_{name}.a: calls {symbol}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--symbols", type=pathlib.Path, help="a build folder without sanitizers")
    arguments = parser.parse_args()
    problems = []
    root = arguments.root.resolve()
    count = 0
    for folder in sorted({key.split("/")[0] for key in HOUSE}):
        for path in sorted((root / folder).rglob("*.[ch]")):
            lint_source(root, path, problems)
            count += 1
    if arguments.build:
        lint_links(root, arguments.build.resolve(), problems)
    if arguments.symbols:
        lint_symbols(arguments.symbols.resolve(), problems)
    for problem in problems:
        print(problem)
    print(f"house: {count} files, {len(problems)} violations")
    if count == 0:
        sys.exit("house: nothing was read")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
