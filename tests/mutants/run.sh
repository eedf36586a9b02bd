#!/usr/bin/env bash
# Proves that the fleet simulator and the drawn rollouts find what they are there to find: each patch beside this file plants one
# fault into a copy of the sources, and the soak over that copy, or a row of serin-bench-rollout, must fail as the patch's head says.
#
#   run.sh ROOT BUILD      ROOT: the checkout; BUILD: a folder for the copy
#
# The head of a patch: "Expects: REGEX" (of the soak's words); where the first seeds do not do it, "Seeds: FIRST COUNT"; where it is
# for a row, "Row: NAME SEEDS DEVICES", which must hold without the fault and miss a limit with it (REGEX is of the row's words then); and with
# "Shown: by serin simulate" the operator's command must show it too, with its exit status and a command that replays it.
# A patch that does not apply fails, and so does the copy without a patch if its soak does not pass.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$1" && pwd)
work=$2
parts=(core device proto host adapters orchestrator gateway sim cli cmake CMakeLists.txt)
devices=40 sound="1 200" seeds="1 1000"

say() { printf '%s\n' "$*"; }
fail() {
    say "FAILED: $*"
    exit 1
}
head_of() { sed -n "s/^$2: //p;/^--- /q" "$1"; }

# build WHAT PROGRAM...
build() { cmake --build "$work/build" --target "${@:2}" >"$work/build.log" 2>&1 || { tail -20 "$work/build.log"; fail "$1 does not build"; }; }
soak() { "$work/build/bin/serin-soak-fleet" --devices-max "$devices" --seed "$1" --runs "$2" --breaches 1; }
row() { "$work/build/bin/serin-bench-rollout" --row "$1" --seeds "$2" --devices "$3"; }

# The row misses a limit, and nothing else is wrong with it.
missed() {
    local status=0 name=$1 log=$work/$1.log
    row "$3" "$4" "$5" >"$log" 2>&1 || status=$?
    [ "$status" -eq 1 ] || { cat "$log"; fail "$name: row $3 ended with status $status, not 1"; }
    grep -q -E "$2.*MISSED" "$log" || { cat "$log"; fail "$name: row $3 does not miss '$2'"; }
    say "$name: caught: $(grep -m1 -E "$2.*MISSED" "$log" | tr -s ' ')"
}

# The command ends with status 7, and what it names as its replay says the same again.
shown() {
    local status=0 words
    printf 'product: lamp\nchannel: stable\nreleases: [{version: 2.0.0}]\n' >"$work/policy.yaml"
    "$work/build/bin/serin" simulate "$work/policy.yaml" --devices 50 --gateways 2 --seed 1 >"$work/first.out" 2>"$work/first.err" || status=$?
    [ "$status" -eq 7 ] || fail "$1: serin simulate ended with status $status, not 7"
    read -r -a words <<<"$(sed -n 's/^  replay: //p' "$work/first.out")"
    [ "${words[*]:0:2}" = "serin simulate" ] || fail "$1: serin simulate names no command that replays it"
    "$work/build/bin/serin" "${words[@]:1}" >"$work/again.out" 2>"$work/again.err" && fail "$1: the replay held"
    cmp -s "$work/first.out" "$work/again.out" || fail "$1: the replay says something else"
    grep -q -E "^invariants: BROKEN: $2" "$work/first.out" || fail "$1: serin simulate does not name '$2'"
}

mkdir -p "$work"
rm -rf "$work/source"
mkdir -p "$work/source/tests"
for part in "${parts[@]}"; do
    cp -r "$root/$part" "$work/source/"
done
cp "$root/tests/CMakeLists.txt" "$work/source/tests/"
cp -r "$root/tests/soak" "$root/tests/bench" "$work/source/tests/"
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
# Copies of the sources that lie alike beside their builds share what a cache has of them (tests/cuts/plain.sh).
export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR
CCACHE_BASEDIR=$(cd "$work" && pwd)
cmake -S "$work/source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release "${launcher[@]}" \
    -DSERIN_PARTS="core;device;proto;host;adapters;orchestrator;gateway;sim;cli;tests" >"$work/configure.log" 2>&1 ||
    { tail -20 "$work/configure.log"; fail "the copy cannot be configured"; }

build "the copy without a fault" serin-soak-fleet serin-bench-rollout serin
read -r first count <<<"$sound"
soak "$first" "$count" >"$work/sound.log" || { cat "$work/sound.log"; fail "the soak of the copy without a fault"; }
say "no fault: $count seeds hold"
while read -r name count of; do
    row "$name" "$count" "$of" >"$work/sound.log" 2>&1 || { cat "$work/sound.log"; fail "row $name of the copy without a fault"; }
    say "no fault: $count seeds of row $name hold"
done < <(sed -n 's/^Row: //p' "$here"/*.patch)

tried=0
for mutant in "$here"/*.patch; do
    [ -f "$mutant" ] || fail "there are no patches"
    name=$(basename "$mutant" .patch)
    expects=$(head_of "$mutant" Expects)
    [ -n "$expects" ] || fail "$name says nothing of what it expects"
    own=$(head_of "$mutant" Seeds)
    read -r first count <<<"${own:-$seeds}"
    patch -d "$work/source" -p1 --batch --forward --fuzz=1 <"$mutant" >"$work/patch.log" 2>&1 ||
        { cat "$work/patch.log"; fail "$name does not apply"; }
    drawn=$(head_of "$mutant" Row) programs=(serin-soak-fleet)
    [ -z "$drawn" ] || programs=(serin-bench-rollout)
    [ -z "$(head_of "$mutant" Shown)" ] || programs+=(serin)
    build "$name" "${programs[@]}"
    if [ -n "$drawn" ]; then
        read -r row count of <<<"$drawn"
        missed "$name" "$expects" "$row" "$count" "$of"
    elif soak "$first" "$count" >"$work/$name.log" 2>&1; then
        tail -8 "$work/$name.log"
        fail "$name was not caught in $count seeds"
    else
        grep -q -E "$expects" "$work/$name.log" || { tail -12 "$work/$name.log"; fail "$name was caught as something else than '$expects'"; }
        [ -z "$(head_of "$mutant" Shown)" ] || shown "$name" "$expects"
        say "$name: caught: $(grep -m1 -E "$expects" "$work/$name.log")"
    fi
    patch -d "$work/source" -p1 --batch --reverse --fuzz=1 <"$mutant" >"$work/patch.log" 2>&1 || fail "$name cannot be taken back"
    tried=$((tried + 1))
done
say "$tried mutants, all caught"
