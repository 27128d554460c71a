#!/usr/bin/env bash
# staging, installed: a backlog that KEDA sees brings a second sink, and goes; then it is one again.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh
# shellcheck source=scripts/cluster/load.sh
. scripts/cluster/load.sh

sinks() { k --namespace staging get statefulset wattline-timescale-sink --output 'jsonpath={.status.readyReplicas}'; }
sinks_are() { [ "$(sinks)" = "$1" ]; }

LOAD_RATE=400 load_on staging
k --namespace staging annotate scaledobject wattline-timescale-sink autoscaling.keda.sh/paused-replicas=0 >/dev/null
eventually 120 "KEDA does not stop the sink" sinks_are ""
# More than `lagRecords`, for which one is meant to be enough.
sleep 75
k --namespace staging annotate scaledobject wattline-timescale-sink autoscaling.keda.sh/paused-replicas- >/dev/null
start=$SECONDS
eventually 180 "KEDA starts no second sink" sinks_are 2
row "staging: a backlog of 30,000 readings brings a second sink" "$((SECONDS - start)) s" "" ""
load_off staging
start=$SECONDS
eventually 600 "the second sink stays" sinks_are 1
row "staging: and it goes when the backlog has gone" "$((SECONDS - start)) s" "" ""
