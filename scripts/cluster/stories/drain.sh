#!/usr/bin/env bash
# prod, installed: a node is drained as for its maintenance and comes back, under a load with books.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh
# shellcheck source=scripts/cluster/load.sh
. scripts/cluster/load.sh

LOAD_NODE=node1 load_on prod
mark >/dev/null
start=$SECONDS
k drain node2 --ignore-daemonsets --delete-emptydir-data --timeout=300s >/dev/null || fail "node 2 is not drained"
took=$((SECONDS - start))
k uncordon node2 >/dev/null
eventually 420 "not everything in prod is ready again" all_is_ready prod
flow 200
gaps=$(mark)
row "prod: a node drained and back" "drained in $took s" "$(field stored_s <<<"$gaps") s" "$(field acknowledged_s <<<"$gaps") s"
load_off prod
