#!/usr/bin/env bash
# Proves that serin-cut finds what it is there to find: each patch beside this file plants one fault into a copy of the sources, and
# the sweep over that copy must fail as the patch's head says.
#
#   run.sh ROOT BUILD [NAME...]      ROOT: the checkout; BUILD: a folder for the copy; NAME: these patches alone
#
# The head of a patch: "Expects: REGEX" (of the sweep's words), "Part: NAME" where it shows on another part of flash than ecc256, and
# "Chapter: NAME" where faults in that chapter alone are enough, "Trouble: yes" where lives in trouble that passes show it,
# on parts in turn, "Uncut: yes" where the life that nobody cuts shows it: any other must need a cut.
# A patch that does not apply fails, and so does the copy without a patch if its sweep does not pass.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$1" && pwd)
work=$2
. "$root/tests/cuts/plain.sh"
part=ecc256
lives=300

say() { printf '%s\n' "$*"; }
fail() {
    say "FAILED: $*"
    exit 1
}
head_of() { sed -n "s/^$2: //p;/^--- /q" "$1"; }

mkdir -p "$work"
rm -rf "$work/source"
mkdir -p "$work/source/tests/unit"
for folder in "${plain_parts[@]}" cmake CMakeLists.txt; do
    [ "$folder" = tests ] || cp -r "$root/$folder" "$work/source/"
done
cp "$root/tests/CMakeLists.txt" "$work/source/tests/"
cp -r "$root/tests/cuts" "$work/source/tests/"
cp "$root"/tests/unit/test_keys.[ch] "$work/source/tests/unit/"

sweep() { "$work/build/bin/serin-cut" --short --part "$1" "${@:2}"; }

plain_build "$work/source" "$work/build" || fail "the copy without a fault does not build"
sweep "$part" >"$work/sound.log" || { cat "$work/sound.log"; fail "the sweep of the copy without a fault"; }
say "no fault: $(head -1 "$work/sound.log")"
"$work/build/bin/serin-cut" --trouble "$lives" >"$work/sound.log" || { cat "$work/sound.log"; fail "the lives of the copy without a fault"; }

tried=0
for mutant in "$here"/*.patch; do
    [ -f "$mutant" ] || fail "there are no patches"
    name=$(basename "$mutant" .patch)
    [ $# -le 2 ] || [[ " ${*:3} " == *" $name "* ]] || continue
    expects=$(head_of "$mutant" Expects)
    [ -n "$expects" ] || fail "$name says nothing of what it expects"
    own=$(head_of "$mutant" Part) chapter=$(head_of "$mutant" Chapter)
    patch -d "$work/source" -p1 --batch --forward --fuzz=1 <"$mutant" >"$work/patch.log" 2>&1 ||
        { cat "$work/patch.log"; fail "$name does not apply"; }
    plain_build "$work/source" "$work/build" || fail "$name does not build"
    form=(sweep "${own:-$part}")
    [ -z "$(head_of "$mutant" Trouble)" ] || form=("$work/build/bin/serin-cut" --trouble "$lives" ${own:+--part "$own"})
    if "${form[@]}" --first ${chapter:+--chapter "$chapter"} >"$work/$name.log" 2>&1; then
        tail -8 "$work/$name.log"
        fail "$name was not caught"
    fi
    grep -q -E "$expects" "$work/$name.log" || { tail -12 "$work/$name.log"; fail "$name was caught as something else than '$expects'"; }
    if [ -z "$(head_of "$mutant" Trouble)" ] && grep -q "^0 distinct points" "$work/$name.log"; then
        [ -n "$(head_of "$mutant" Uncut)" ] || fail "$name shows without any cut"
    fi
    say "$name: caught: $(grep -m1 -E "$expects" "$work/$name.log")"
    patch -d "$work/source" -p1 --batch --reverse --fuzz=1 <"$mutant" >"$work/patch.log" 2>&1 || fail "$name cannot be taken back"
    tried=$((tried + 1))
done
[ "$tried" -gt 0 ] || fail "there is no such patch"
if [ $# -gt 2 ] && [ "$tried" -ne $(($# - 2)) ]; then fail "one of them is no patch"; fi
say "$tried mutants, all caught"
