#!/usr/bin/env bash
# staging from nothing, with TLS everywhere and policies that are enforced: `helm test`, queries and the HPA, a load, a backlog and
# KEDA.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh
alone_in staging

# Nobody waits 10 minutes to see a second pod go. One sink stores what is left of a short absence of the database before KEDA looks, so
# less lag than usual is made what one is enough for.
from_nothing staging --set query-api.autoscaling.hpa.stabilizationSeconds=30 \
  --set timescale-sink.autoscaling.keda.lagRecords=1000,timescale-sink.autoscaling.keda.stabilizationSeconds=30

# A pod that lives for a second: policies must let it in before it gives up.
for _ in 1 2; do
  said=$(in_cluster scripts/wattlinectl-job.sh staging offsets show)
  grep -q "timescale-sink .* fits" <<<"$said" || fail "wattlinectl-job.sh staging does not say where the sink is: $said"
done
row "staging: wattlinectl by \`scripts/wattlinectl-job.sh\`" "two of two" "" ""

# Queries from where the gateway would be, the only place from which the policies let any in.
k create namespace ingress >/dev/null
k apply --namespace ingress --filename - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: { name: asker }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: asker
      image: "localhost/busybox:1"
      command:
        - sh
        - -c
        - |
          ask() { while :; do wget -q -O /dev/null --header "Content-Type: application/json" --header "Authorization: Bearer $(secret staging wattline-api-token token)" \
            --post-data '{"query": "{ __schema { types { name fields { name } } } }"}' http://wattline-query-api.staging.svc.cluster.local:9400/graphql && echo asked; done; }
          ask & ask & ask & ask
YAML
apis_are() { [ "$(k --namespace staging get deployment wattline-query-api --output 'jsonpath={.status.readyReplicas}')" = "$1" ]; }
start=$SECONDS
eventually 240 "the HPA starts no second query-api" apis_are 2
row "staging: the HPA starts a second query-api under queries" "after $((SECONDS - start)) s" "" ""
k --namespace ingress logs asker --tail 1 | grep -q asked || fail "no query was answered"
k delete namespace ingress >/dev/null

sinks_are() { [ "$(k --namespace staging get statefulset wattline-timescale-sink --output 'jsonpath={.status.readyReplicas}')" = "$1" ]; }

load_on staging
start=$SECONDS
k --namespace staging scale statefulset/wattline-timescaledb --replicas 0 >/dev/null
sinks_asked_for() { [ "$(k --namespace staging get statefulset wattline-timescale-sink --output 'jsonpath={.spec.replicas}')" = 2 ]; }
eventually 180 "KEDA asks for no second sink" sinks_asked_for
row "staging: KEDA starts a second sink at a backlog" "$((SECONDS - start)) s after the database had left" "" ""
k --namespace staging scale statefulset/wattline-timescaledb --replicas 1 >/dev/null
eventually 120 "the second sink is not ready" sinks_are 2
flow 4000
load_off staging
eventually 300 "the second sink stays" sinks_are 1
eventually 300 "the second query-api stays" apis_are 1
row "staging: and both are ended when there is nothing to do" "seen" "" ""
uninstall staging
