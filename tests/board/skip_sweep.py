#!/usr/bin/env python3
"""What the linked bootloader of mps2-an385 refuses, it refuses with any one of its instructions skipped: tried in QEMU (docs/testing.md).

    skip_sweep.py BUILD_FOLDER BIN_FOLDER [--function NAME] [--scene NAME] [--kind KIND] [--sample N] [--seed S] [--plainly N] [--jobs N]
                  [--everywhere] [--json FILE]
    skip_sweep.py BUILD_FOLDER BIN_FOLDER --play SCENE:KIND:ADDRESS
    skip_sweep.py BUILD_FOLDER BIN_FOLDER --planted

BUILD_FOLDER is one that preset `mcu` has built; BIN_FOLDER holds `serin` and `mps2-flash` of a host's build. Each instruction that a boot
of each scene (skip_scenes.py) reaches is skipped: `always`, each time that it is reached, and `once`, the first time. Of what verifications
of signatures alone consist of that is done where one is wrong, with the field's arithmetic in scene `signature`; --everywhere: in all.
--sample tries N of them, evenly over functions, the same ones for the same seed; --plainly tries N of what was tried once more from a reset
and without the short cuts, and compares. --planted skips beside it the instruction by which differences enter the evidence of both runs: a
bootloader that one further skip must bring down, or the sweep sees nothing.
Exit status: 0 nothing ran that was not verified; 1 something did, or the sweep contradicts itself; 2 wrong use, or nothing was tried.
"""
import argparse
import collections
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import skip_scenes
from skip_listing import Listing
from skip_machine import Machine
from skip_scenes import REFUSED, SCENES
from skip_tries import BREACH, KINDS, OLDER, OUTCOMES, PATIENCE, RUNS_ON, Sweep, Try, outcome_of_line

# ---- what is tried ----

def reached(folder, code, listing, name, cells):
    """Addresses of the instructions that a clean boot of the scene executes, in the order of their first time: QEMU lists each run of them
    when it first comes there."""
    folder.mkdir()
    machine = Machine(folder, code, folder / "listing")
    try:
        machine.flash[:] = cells
        kind, line = machine.run(PATIENCE)
        while kind == "line" and outcome_of_line(line) == REFUSED and not machine.spins(1):
            pass
    finally:
        machine.process.terminate()  # which writes the listing to its end
        machine.process.wait()
        machine.end()
    found = {}
    for text in (folder / "listing").read_text().splitlines():
        if text.startswith("0x") and (address := int(text[:10], 16)) in listing.at:
            found.setdefault(address)
    return list(found), outcome_of_line(line) if kind == "line" else kind


def drawn(bench, tries, count, seed):
    """So many of the tries, evenly over the functions, the same ones for the same seed: drawn from all that there could be, and those kept
    that a boot reaches. What some signatures alone lead to, which are others each time, differs."""
    dice, of, reached_ones = random.Random(seed), collections.defaultdict(list), set(tries)
    scenes = sorted({what.scene for what in tries})
    for row in bench.listing.at.values():
        of[row.function] += [Try(name, kind, row.address) for name in scenes for kind in KINDS]
    for name, every in of.items():
        dice.shuffle(every)
        of[name] = [what for what in every if what in reached_ones]
    found = []
    while len(found) < count and any(of.values()):
        found += [rest.pop() for rest in of.values() if rest]
    return found[:count]


def work(number, folder, bench, tries, out):
    """One process of the sweep: its share of the tries, scene by scene."""
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process hears it, and tells what was found so far
    try:
        own = folder / f"job-{number}"
        own.mkdir()
        sweep = Sweep(own, bench.code, bench.listing, bench.flashes, bench.planted)
        for name, expected in bench.expected.items():
            mine = [what for what in tries if what.scene == name]
            if not mine:
                continue
            if not sweep.known_states(name, expected):
                raise RuntimeError(f"the boot of {name} does not end as {expected} twice")
            wanted = {what.address for what in mine}
            snapshots = sweep.snapshots(name, [address for address in bench.order[name] if address in wanted])
            for what in mine:
                if os.getppid() != parent:
                    return
                out.put((what, sweep.attempt(what, snapshots[what.address], expected)))
        sweep.end()
        out.put((number, None))
    except BaseException as error:
        out.put((number, f"{type(error).__name__}: {error}"))
        raise


class Bench:
    """Program, scenes, and what their boots come by."""

    def __init__(self, folder, build, host, planted):
        elf = build / "bin/mps2-bootloader.elf"
        self.folder, self.listing, self.code = folder, Listing(elf), (build / "bin/mps2-bootloader.bin").read_bytes()
        self.planted = self.listing.deaf() if planted else None
        image = folder / "forged.bin"
        subprocess.run(["arm-none-eabi-gcc", "-nostdlib", "-Wl,-Ttext=0x20200000,-e0x20200041", "-o", folder / "forged.elf",
                        pathlib.Path(__file__).with_name("skip_image.S")], check=True)
        subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", folder / "forged.elf", image], check=True)
        (folder / "factory").mkdir()
        factory = skip_scenes.Factory(folder / "factory", host, (build / "bin/mps2-hello.bin").read_bytes(), image.read_bytes())
        self.expected = {make.__name__: outcome for make, outcome in SCENES}
        self.flashes = {make.__name__: bytes(make(factory)) for make, _ in SCENES}
        self.flashes["control"] = bytes(skip_scenes.control(factory))
        self.order = {}

    def look(self, names):
        """What the boots come by, and that each ends as it must: also the one whose end is a breach."""
        wrong = []
        for name in [*names, "control"]:
            self.order[name], came = reached(self.folder / f"look-{name}", self.code, self.listing, name, self.flashes[name])
            if came != self.expected.get(name, BREACH):
                wrong.append(f"without a glitch the boot of {name} ends as {came}")
        return wrong

    def tries(self, names, kinds, functions, everywhere):
        """Functions by their names in the sources: what the compiler makes of one of them bears a suffix."""
        return [Try(name, kind, address) for name in names for address in self.order[name] for kind in kinds
                if (not functions or self.listing.at[address].function.split(".")[0] in functions) and
                (everywhere or name in self.listing.scenes_of(address, names))]


def judged(bench, what, outcome):
    """What reads both logs, and is skipped each time, in both runs: that is a board whose logs are lost. Nobody tells of a floor then
    (docs/spec/boot.md, section 8), and an image that is all right but for it boots, which is known and told apart."""
    lost = what.scene == "floor" and what.kind == "always" and bench.listing.at[what.address].function in bench.listing.log_readers
    return OLDER if outcome == BREACH and lost else outcome


def sweep_all(bench, tries, jobs):
    """Outcome of each try; by as many processes as there are jobs."""
    out, results, left = multiprocessing.Queue(), {}, jobs
    addresses = sorted({what.address for what in tries})
    share = {address: n * jobs // len(addresses) for n, address in enumerate(addresses)}
    for n in range(jobs):
        mine = [what for what in tries if share[what.address] == n]
        multiprocessing.Process(target=work, daemon=True, args=(n, bench.folder, bench, mine, out)).start()
    begun = time.monotonic()
    try:
        while left:
            what, outcome = out.get()
            if isinstance(what, Try):
                results[what] = judged(bench, what, outcome)
                progress(len(results), len(tries), time.monotonic() - begun)
            elif outcome:
                sys.exit(f"skip-sweep: {outcome}")
            else:
                left -= 1
    except KeyboardInterrupt:
        print(f"stopped after {len(results)} of {len(tries)}")
    return results


def progress(done, count, spent):
    if sys.stderr.isatty() or done % 500 == 0:
        bar, minutes = "#" * (40 * done // count), spent * (count - done) / done / 60
        print(f"\r[{bar:40}] {done}/{count}, {minutes:.0f} minutes left ", end="\n" if done == count else "", file=sys.stderr, flush=True)


# ---- what is said of it ----

def named(what):
    return f"{what.scene}:{what.kind}:{what.address:#x}"


def table(bench, results):
    """A row a function, in the order of the program: instructions, those that a boot reaches, tries and how they ended."""
    listing = bench.listing
    rows = collections.defaultdict(collections.Counter)
    passed = collections.defaultdict(set)
    for what, outcome in results.items():
        function = listing.at[what.address].function
        rows[function][outcome] += 1
        passed[function].add(what.address)
    print(f"{'function':42} {'has':>5} {'tried':>5} {'skips':>6} " + " ".join(f"{name:>8}" for name in OUTCOMES))
    for function in sorted(rows, key=listing.entry.get):
        ends = rows[function]
        print(f"{function[:42]:42} {listing.size[function]:5} {len(passed[function]):5} {sum(ends.values()):6} " +
              " ".join(f"{ends[name] or '-':>8}" for name in OUTCOMES))
    ends = collections.Counter(results.values())
    print(f"{f'{len(rows)} functions':42} {sum(listing.size[name] for name in rows):5} {sum(map(len, passed.values())):5} {len(results):6} " +
          " ".join(f"{ends[name] or '-':>8}" for name in OUTCOMES))
    for name in bench.expected:
        ends = collections.Counter(outcome for what, outcome in results.items() if what.scene == name)
        if ends:
            print(f"  scene {name:12} {sum(ends.values()):6} skips: " + ", ".join(f"{end} {ends[end]}" for end in OUTCOMES if ends[end]))


def judge(bench, results, plainly, seed):
    """The breaches, each played once more from a reset; and so many others, whose outcome must be the same."""
    again = [what for what, outcome in results.items() if outcome == BREACH][:20]
    again += random.Random(seed).sample([what for what in results if what not in again], min(plainly, len(results) - len(again)))
    failed = 0
    if again:
        folder = bench.folder / "plainly"
        folder.mkdir()
        sweep = Sweep(folder, bench.code, bench.listing, bench.flashes, bench.planted)
        for what in again:
            came, row = judged(bench, what, sweep.play(what)), bench.listing.at[what.address]
            if results[what] == BREACH:
                print(f"BREACH {named(what)} in {row.function}: {row.text}; played from a reset: {came}")
            elif came != results[what] and RUNS_ON not in (came, results[what]):
                failed += 1
                print(f"DIFFERENT {named(what)} in {row.function}: {row.text}: {results[what]}, but from a reset {came}")
        sweep.end()
        print(f"{len(again)} of them played from a reset, {failed} ended otherwise")
    return failed


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("host", type=pathlib.Path)
    parser.add_argument("--function", action="append", default=[])
    parser.add_argument("--scene", action="append", choices=[make.__name__ for make, _ in SCENES])
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--everywhere", action="store_true")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plainly", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--play")
    parser.add_argument("--planted", action="store_true")
    options = parser.parse_args()
    if options.planted:
        options.function, options.scene, options.kind = ["serin_slot_image_prove"], ["digest"], ["always"]
    return options


def play(bench, text):
    scene, kind, address = text.split(":")
    what = Try(scene, kind, int(address, 16))
    if scene not in bench.expected or kind not in KINDS or what.address not in bench.listing.at:
        sys.exit(2)
    folder = bench.folder / "play"
    folder.mkdir()
    sweep = Sweep(folder, bench.code, bench.listing, bench.flashes, bench.planted)
    came, row = judged(bench, what, sweep.play(what)), bench.listing.at[what.address]
    sweep.end()
    print(f"{named(what)} in {row.function}: {row.text}: {came or 'not reached'}")
    return 1 if came in (None, BREACH) else 0


def swept(bench, options):
    names = options.scene or list(bench.expected)
    unknown = set(options.function or ()) - {instruction.function.split(".")[0] for instruction in bench.listing.at.values()}
    if unknown:
        print(f"skip-sweep: the bootloader has no function {', '.join(sorted(unknown))}, or it is inlined", file=sys.stderr)
        return 2
    wrong = bench.look(names)
    if wrong:
        print(*wrong, sep="\n")
        return 1
    tries = bench.tries(names, options.kind or KINDS, options.function, options.everywhere)
    if options.sample:
        tries = drawn(bench, tries, options.sample, options.seed)
    if not tries:
        print("skip-sweep: nothing to try", file=sys.stderr)
        return 2
    begun = time.monotonic()
    results = sweep_all(bench, tries, options.jobs)
    table(bench, results)
    breaches = sum(outcome == BREACH for outcome in results.values())
    failed = judge(bench, results, options.plainly, options.seed)
    print(f"{len(results)} skips of {len({what.address for what in results})} instructions, {breaches} breaches, {time.monotonic() - begun:.0f} s")
    if options.json:
        rows = [{"scene": what.scene, "kind": what.kind, "address": what.address, "function": bench.listing.at[what.address].function,
                 "instruction": bench.listing.at[what.address].text, "outcome": outcome} for what, outcome in results.items()]
        options.json.write_text(json.dumps({"skips": rows, "breaches": breaches}, indent=1) + "\n")
    if options.planted:
        return 0 if breaches and not failed else "skip-sweep: the planted fault was not told"
    return 1 if breaches or failed or len(results) != len(tries) else 0


def main():
    options = arguments()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="serin-skip."))
    try:
        bench = Bench(folder, options.build, options.host, options.planted)
        if options.play:
            sys.exit(play(bench, options.play))
        sys.exit(swept(bench, options))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
