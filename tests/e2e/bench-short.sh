#!/usr/bin/env bash
# scripts/bench gateway with few nodes: one site after the other on a cable of its own, slow and cut, each figure within its
# limit. Memory is not judged in a build with sanitizers, nor times where others have the machine. Without root what needs a
# slow link is left out, and that is a skip.
#
#   bench-short.sh bytes     what an update costs the uplink, at full speed and through a cut: judged on a busy machine, too
#   bench-short.sh times     one node alone and many, compared; and how many messages they cost
case ${1-} in
bytes) only=full-agents,cut-nodes ;;
times) only=one,all ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
status=0
"$(dirname "$0")/../../scripts/bench" gateway --short --no-build --only "$only" || status=$?
[ $status -ne 77 ] || echo "SKIP: a network namespace needs root, ip and tc"
exit $status
