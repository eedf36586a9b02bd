#!/usr/bin/env python3
"""Proves the lint of the house on planted violations: each rule must name its own, and the tree without them must pass.

    planted.py SOURCE_ROOT WORK_FOLDER
"""
import pathlib
import shutil
import subprocess
import sys

LINT = pathlib.Path(__file__).with_name("house.py")
IGNORED = shutil.ignore_patterns("build", ".git", "corpus", "vectors")


def append(file, text):
    def plant(root):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as out:
            out.write("\n" + text + "\n")
    return plant


# (name, how to plant it, what the lint must say)
SOURCE_FAULTS = [
    ("heap in core", append("core/src/planted.c", "#include <stdlib.h>"), "pure code may not include <stdlib.h>"),
    ("call in core", append("core/src/planted.c", "void f(void) { char *p = malloc(3); }"), "pure code calls malloc()"),
    ("time in device", append("device/src/planted.c", "#include <time.h>"), "pure code may not include <time.h>"),
    ("device includes orchestrator", append("device/src/planted.c", "#include <serin/orchestrator/engine.h>"),
     "device may not include serin/orchestrator/engine.h"),
    ("core includes device", append("core/src/planted.c", "#include <serin/device/flash.h>"),
     "core may not include serin/device/flash.h"),
    ("engine reaches an adapter", append("orchestrator/src/planted.c", "#include <serin/adapters/mqtt.h>"),
     "orchestrator/src may not include serin/adapters/mqtt.h"),
    ("plugin includes orchestrator", append("broker-plugin/planted.c", "#include <serin/orchestrator/store.h>"),
     "broker-plugin may not include serin/orchestrator/store.h"),
    ("third party in cli", append("cli/planted.c", "#include <curl/curl.h>"), "third party <curl/curl.h> outside adapters/"),
    ("third party in the shell", append("orchestrator/shell/planted.c", "#include <lmdb.h>"),
     "third party <lmdb.h> outside adapters/"),
    ("include by path", append("host/src/planted.c", '#include "../../core/src/x.h"'), "includes by path"),
]
LINK_FAULTS = [
    ("core links device", append("device/CMakeLists.txt", "target_link_libraries(serin_core PRIVATE serin_device)"),
     "serin_core (core) may not link serin_device (device)"),
    ("device links an adapter", append("adapters/CMakeLists.txt", "target_link_libraries(serin_device PRIVATE serin_fault)"),
     "serin_device (device) may not link serin_fault (adapters)"),
]
SYMBOL_FAULTS = [
    ("global in core", "int serin_planted_state;\nint *f(void);\nint *f(void) { return &serin_planted_state; }",
     "mutable global serin_planted_state"),
    ("allocation in core", "#include <stdlib.h>\nvoid *f(void);\nvoid *f(void) { return malloc(8); }", "calls malloc"),
]


def lint(*arguments):
    done = subprocess.run([sys.executable, str(LINT), *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def must(condition, what, output):
    if not condition:
        sys.exit(f"planted: {what}\n{output}")


def fresh(source, work, name):
    root = work / name.replace(" ", "-")
    shutil.copytree(source, root, ignore=IGNORED)
    return root


def configure(root):
    build = root / "build"
    query = build / ".cmake/api/v1/query"
    query.mkdir(parents=True)
    (query / "codemodel-v2").touch()
    done = subprocess.run(["cmake", "-S", root, "-B", build, "-G", "Ninja", "-DSERIN_PARTS=core;proto;host;device;adapters;orchestrator;gateway"],
                          capture_output=True, text=True)
    must(done.returncode == 0, "the planted tree does not configure", done.stdout + done.stderr)
    return build


def main():
    source, work = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    clean = fresh(source, work, "clean")
    status, output = lint("--root", clean, "--build", configure(clean))
    must(status == 0, "the tree without violations fails", output)
    for name, plant, expected in SOURCE_FAULTS:
        root = fresh(source, work, name)
        plant(root)
        status, output = lint("--root", root)
        must(status == 1 and expected in output, f"not caught: {name} (expected “{expected}”)", output)
        shutil.rmtree(root)
    for name, plant, expected in LINK_FAULTS:
        root = fresh(source, work, name)
        plant(root)
        status, output = lint("--root", root, "--build", configure(root))
        must(status == 1 and expected in output, f"not caught: {name} (expected “{expected}”)", output)
        shutil.rmtree(root)
    for name, code, expected in SYMBOL_FAULTS:
        folder = work / name.replace(" ", "-")
        (folder / "lib").mkdir(parents=True)
        (folder / "planted.c").write_text(code + "\n")
        subprocess.run(["cc", "-c", "planted.c", "-o", "planted.o"], cwd=folder, check=True)
        subprocess.run(["ar", "rcs", "lib/libserin_core.a", "planted.o"], cwd=folder, check=True)
        status, output = lint("--root", source, "--symbols", folder)
        must(status == 1 and expected in output, f"not caught: {name} (expected “{expected}”)", output)
    shutil.rmtree(work)
    print(f"planted: {len(SOURCE_FAULTS)} include, {len(LINK_FAULTS)} link and {len(SYMBOL_FAULTS)} symbol violations, "
          "each caught; the clean tree passes")


if __name__ == "__main__":
    main()
