#!/usr/bin/env bash
# prod from nothing, `helm test`, each node powered off and on in turn, and one drained, under loads with books.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh

from_nothing prod
sleep 60
usage prod idle
for node in 1 2 3; do
  # The load itself is where it survives.
  LOAD_NODE=node$((node % 3 + 1)) load_on prod
  if [ "$node" = 1 ]; then
    flow 12000
    usage prod 'under 200 messages a second'
  fi
  lose_node prod "$node"
  load_off prod
done

LOAD_NODE=node1 load_on prod
mark >/dev/null
start=$SECONDS
k drain node2 --ignore-daemonsets --delete-emptydir-data --timeout=300s >/dev/null || fail "node 2 is not drained"
took=$((SECONDS - start))
k uncordon node2 >/dev/null
eventually 420 "not everything in prod is ready again" all_is_ready prod
flow 200
gaps=$(mark)
gap_row "prod: node 2 drained and back" "drained in $took s" "$gaps"
load_off prod
uninstall prod
