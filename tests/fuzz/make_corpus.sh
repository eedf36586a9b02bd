#!/usr/bin/env bash
# make_corpus.sh: writes the seeds of the fuzz targets anew from the golden vectors, good and refused; topics with one of
# each. Inputs that a campaign found are kept beside them, under names of their own, and are not touched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
vectors=../vectors/v1

seed() { # seed TARGET NAME < content
    mkdir -p "corpus/$1"
    cat >"corpus/$1/$2"
}

for kind in manifest trust bundle; do
    seed "$kind" good <"$vectors/$kind.bin"
done
while read -r file kind _; do
    seed "$kind" "refused-${file%.bin}" <"$vectors/refused/$file"
done <"$vectors/refused.txt"

for file in "$vectors"/wire/*.bin; do
    name=$(basename "$file" .bin)
    case "$name" in
    report-*-body) ;; # not a payload of its own
    envelope-*) seed directive "wire-$name" <"$file" ;;
    *) seed "${name%%-*}" "wire-$name" <"$file" ;;
    esac
done

number=0
while read -r topic; do
    number=$((number + 1))
    printf 'serin/1/%s' "$topic" | seed topic "kind-$(printf %02d "$number")"
done <<'TOPICS'
directive/lamp/stable
dev/d-7/directive
dev/d-7/report
dev/d-7/ack
dev/d-7/beat
dev/d-7/get
dev/d-7/block
gw/g-1/reports
gw/g-1/acks
gw/g-1/status
gw/g-1/get
gw/g-1/block
trust/lamp
hold/lamp
depot/have
depot/want
presence/d-7
TOPICS
