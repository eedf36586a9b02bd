#!/usr/bin/env bash
# lint.format: every C file as clang-format leaves it, and no line over 100 columns in C.
set -euo pipefail
cd "$1"
mapfile -t files < <(find . -path ./build -prune -o -name '*.[ch]' -print)
[ ${#files[@]} -gt 0 ] || { echo "format: no files found"; exit 1; }
clang-format --dry-run -Werror "${files[@]}"
echo "format: ${#files[@]} files"
