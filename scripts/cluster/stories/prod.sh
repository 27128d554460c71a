#!/usr/bin/env bash
# prod from nothing, `helm test`, each node powered off and on in turn, and one drained, under loads with books.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh
alone_in prod

from_nothing prod
alone
usage prod idle

# A standby that goes with its node is told of, where the node is neither Prometheus' own nor of those who say what runs.
alert() {
  in_control_plane_network curl --silent --fail --max-time 10 "http://$(k --namespace monitoring get pod prometheus --output 'jsonpath={.status.podIP}'):9090/api/v1/alerts" |
    python3 -c '
import json, sys
sys.exit(not any(alert["labels"]["alertname"] == sys.argv[1] and alert["state"] == "firing" for alert in json.load(sys.stdin)["data"]["alerts"]))' "$1"
}
on_node() { k --namespace "$1" get pods --selector "$2" --field-selector "spec.nodeName=node$3" --output name; }
told=0
while_off() {
  local node=$1
  if [ -z "$(on_node prod app.kubernetes.io/name=mqtt "$node")" ] || [ -n "$(on_node kube-system app.kubernetes.io/name=kube-state-metrics "$node")" ]; then return; fi
  eventually 180 "BrokerStandbyAway does not fire" alert BrokerStandbyAway
  told=$((told + 1))
}

# The load itself is where it survives.
LOAD_NODE=node2 load_on prod
LOAD_NODE=node2 scripts/cluster/monitoring.sh prod --soon 5s
flow 6000
usage prod 'under 200 messages a second'
for node in 1 3; do lose_node prod "$node"; done
load_off prod

LOAD_NODE=node1 load_on prod
LOAD_NODE=node1 scripts/cluster/monitoring.sh prod --soon 5s
lose_node prod 2
[ "$told" -gt 0 ] || fail "no node was lost that would have been told of"
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
