#!/usr/bin/env bash
# wire_text.sh ROOT: each golden vector of the wire, and of sites, is what protoc's own encoder makes of the text beside it.
set -euo pipefail
cd "$1"
count=0
failed=0
for text in tests/vectors/v1/{wire,site}/*.txtpb; do
    read -r _ message <"$text"
    if ! protoc-c --proto_path=proto --encode="serin.v1.$message" serin.proto <"$text" |
        cmp - "${text%.txtpb}.bin"; then
        echo "wire_text: $text and its bytes differ"
        failed=1
    fi
    count=$((count + 1))
done
[ "$count" -ge 50 ] || { echo "wire_text: only $count vectors"; exit 1; }
echo "wire_text: $count vectors"
exit "$failed"
