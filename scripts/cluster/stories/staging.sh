#!/usr/bin/env bash
# staging from nothing, with TLS everywhere and policies that are enforced: `helm test`, a load, and
# KEDA on a real backlog.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh
# shellcheck source=scripts/cluster/load.sh
. scripts/cluster/load.sh

load_images
make_secrets staging
start=$SECONDS
install staging
test_release staging
row "staging: from nothing to \`helm test\` passed" "$((SECONDS - start)) s" "" ""

sinks_are() { [ "$(k --namespace staging get statefulset wattline-timescale-sink --output 'jsonpath={.status.readyReplicas}')" = "$1" ]; }
pause_sinks() { k --namespace staging annotate scaledobject wattline-timescale-sink "autoscaling.keda.sh/paused-replicas$1" >/dev/null; }

LOAD_RATE=400 load_on staging
flow 2000
pause_sinks "=0"
eventually 120 "KEDA does not stop the sink" sinks_are ""
# More than `lagRecords`, for which one sink is meant to be enough.
sleep 75
pause_sinks "-"
start=$SECONDS
eventually 180 "KEDA starts no second sink" sinks_are 2
row "staging: a backlog of 30,000 readings brings a second sink" "after $((SECONDS - start)) s" "" ""
load_off staging
start=$SECONDS
eventually 600 "the second sink stays" sinks_are 1
row "staging: and it goes again" "after $((SECONDS - start)) s" "" ""
uninstall staging
