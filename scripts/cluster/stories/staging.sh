#!/usr/bin/env bash
# staging from nothing, with TLS everywhere and policies that are enforced: `helm test`, a load,
# and KEDA on its lag.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh

from_nothing staging

# A pod that lives for a second: policies must let it in before it gives up.
for _ in 1 2 3 4; do
  said=$(in_cluster scripts/wattlinectl-job.sh staging offsets show)
  grep -q "timescale-sink .* fits" <<<"$said" || fail "wattlinectl-job.sh staging does not say where the sink is: $said"
done
row "staging: wattlinectl by \`scripts/wattlinectl-job.sh\`" "four of four" "" ""

sinks_are() { [ "$(k --namespace staging get statefulset wattline-timescale-sink --output 'jsonpath={.status.readyReplicas}')" = "$1" ]; }

# One sink stores a backlog faster than KEDA looks, so less than this rate's lag is made what one is enough for.
install staging --set timescale-sink.autoscaling.keda.lagRecords=1000
LOAD_RATE=400 load_on staging
start=$SECONDS
eventually 180 "KEDA starts no second sink" sinks_are 2
row "staging: KEDA starts a second sink at a lag" "after $((SECONDS - start)) s" "" ""
flow 4000
load_off staging
start=$SECONDS
# Its autoscaler goes by the most of the last 10 minutes (`stabilizationWindowSeconds`).
eventually 900 "the second sink stays" sinks_are 1
row "staging: and ends it when there is none" "after $((SECONDS - start)) s" "" ""
uninstall staging
