#!/usr/bin/env bash
# scripts/bench gateway with few nodes: one site after the other on a cable of its own, slow and cut, each figure within its
# limit. Memory is not judged in a build with sanitizers, nor times where others have the machine. Without root what needs a
# slow link is left out, and that is a skip.
status=0
"$(dirname "$0")/../../scripts/bench" gateway --short --no-build || status=$?
[ $status -ne 77 ] || echo "SKIP: a network namespace needs root, ip and tc"
exit $status
