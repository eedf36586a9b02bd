#!/usr/bin/env bash
# lint.tidy: clang-tidy over every file of ours in the compilation database, but tests and generated code, each once: what several
# programs are built from stands there several times, and clang-tidy would go through all of them.
set -euo pipefail
root=$(cd "$1" && pwd) build=$2
once=$build/lint-tidy
mkdir -p "$once"
# Of one file the entry of its own library, not that of a test which is built from it, too.
jq --arg root "$root/" '
    map(select(.file | startswith($root) and
        (ltrimstr($root) | test("^(core|device|orchestrator|broker-plugin|gateway|host|adapters|sim|cli)/"))))
    | group_by(.file)
    | map(sort_by(.command | test(" -o tests/"))[0])' "$build/compile_commands.json" >"$once/compile_commands.json"
# The largest first, so that no long one is left for the end.
mapfile -t files < <(jq -r '.[].file' "$once/compile_commands.json" | xargs -d '\n' stat -c '%s %n' | sort -rn | cut -d' ' -f2-)
[ ${#files[@]} -gt 0 ] || { echo "tidy: no files found"; exit 1; }
printf '%s\n' "${files[@]}" | xargs -P 2 -n 1 clang-tidy -p "$once" --quiet \
    --extra-arg=-Wno-unknown-warning-option 2>/dev/null
echo "tidy: ${#files[@]} files"
