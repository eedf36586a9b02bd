#!/usr/bin/env bash
# lint.tidy: clang-tidy over every file of ours in the compilation database but generated ones, each once: what several programs are built
# from stands there several times, and clang-tidy would go through all of them.
#
#   tidy.sh SOURCE_ROOT BUILD_FOLDER              the short form, of scripts/check
#   tidy.sh SOURCE_ROOT BUILD_FOLDER --long       the long form, of scripts/lint
#   tidy.sh SOURCE_ROOT BUILD_FOLDER --planted    both on tests/lint/tidy/*.c: each line that names a check there must be named by it
#
# All but 3 % of the time is the static analyzer's, and three quarters of that are spent in a fifth of the files: functions whose paths it follows
# up to its own bound, 225,000 states each. So what ships is analyzed with all checkers across calls in both forms, and the short one gives up
# a function after 50,000 states (docs/testing.md has the figures). Left to the long form: what lies deeper in large functions, and the analyzer on
# tests. The cheap checks go over everything in both (tests/.clang-tidy says which).
set -euo pipefail
root=$(cd "$1" && pwd) build=$2 form=${3:-}
states=(--extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=50000)
# On tests not: the padding of a bench's structures, and strcpy of what the test itself has written.
analyzer=clang-analyzer-*,-clang-analyzer-valist.Uninitialized,-clang-analyzer-security.insecureAPI.*,-clang-analyzer-optin.performance.Padding

# tidy FOLDER [OPTION…]: of each file that FOLDER's compilation database names. The largest first, so that no long one is left for the end.
tidy() {
    local folder=$1 files
    shift
    mapfile -t files < <(jq -r '.[].file' "$folder/compile_commands.json" | xargs -d '\n' stat -c '%s %n' | sort -rn | cut -d' ' -f2-)
    [ ${#files[@]} -gt 0 ] || { echo "tidy: no files found"; exit 1; }
    printf '%s\n' "${files[@]}" | xargs -P 2 -n 1 clang-tidy -p "$folder" --quiet --extra-arg=-Wno-unknown-warning-option \
        --extra-arg=-Wno-ignored-optimization-argument "$@" 2>/dev/null
}

# Of one file the entry of its own library, not that of a test which is built from it, too. What gcc alone knows is taken off.
choose() { # PATTERN FOLDER
    mkdir -p "$2"
    jq --arg root "$root/" --arg pattern "$1" '
        map(select(.file | startswith($root) and (ltrimstr($root) | test($pattern))))
        | group_by(.file)
        | map(sort_by(.command | test(" -o tests/"))[0] | .command |= gsub(" -fno-reorder-[a-z-]+"; ""))' \
        "$build/compile_commands.json" >"$2/compile_commands.json"
}

if [ "$form" = --planted ]; then
    folder=$build/lint-tidy/planted
    mkdir -p "$folder"
    # As what ships, and as a test.
    expect() { # FILE CONFIGURATION OPTION…: the checks that are named line by line are the ones that the file says
        local file=$1 configuration=$2 named told
        shift 2
        jq -n --arg file "$file" --arg folder "$folder" '[{file: $file, directory: $folder, command: "cc -std=c11 -c \($file)"}]' \
            >"$folder/compile_commands.json"
        named=$(sed -n '=; s/.*\/\* names \(.*\) \*\/$/\1/p' "$file" | awk '/^[0-9]+$/ { line = $0; next } { print line, $0 }' | sort)
        told=$({ tidy "$folder" --config-file="$root/$configuration" "$@" || true; } |
            sed -n 's/^[^:]*:\([0-9]*\):[0-9]*: error: .*\[\([a-z][A-Za-z.0-9-]*\),.*/\1 \2/p' | sort -u)
        [ -n "$named" ] || { echo "tidy: nothing is planted in $file"; exit 1; }
        [ "$named" = "$told" ] || { diff <(echo "$named") <(echo "$told"); echo "tidy: $file: planted (<) is not found (>), $*"; exit 1; }
        echo "tidy: $(basename "$file"): $(wc -l <<<"$named") planted faults named"
    }
    expect "$root/tests/lint/tidy/shipped.c" .clang-tidy "${states[@]}"
    expect "$root/tests/lint/tidy/shipped.c" .clang-tidy
    expect "$root/tests/lint/tidy/test.c" tests/.clang-tidy
    exit 0
fi
shipped=$build/lint-tidy/shipped tests=$build/lint-tidy/tests
choose '^(core|device|orchestrator|broker-plugin|gateway|host|adapters|sim|cli)/' "$shipped"
choose '^tests/' "$tests"
status=0
if [ "$form" = --long ]; then
    tidy "$shipped" || status=1
    tidy "$tests" --checks="$analyzer" || status=1
else
    tidy "$shipped" "${states[@]}" || status=1
    tidy "$tests" || status=1
fi
echo "tidy: $(jq length "$shipped/compile_commands.json") files that ship, $(jq length "$tests/compile_commands.json") of tests"
exit $status
