# A load inside of a cluster, whose books say what was lost or doubled, and how long nothing new was stored. Sourced by
# story.sh. The image has no shell: it is asked by HTTP.
# shellcheck shell=bash

# Waits until the load's pod answers.
load_on() {
  local namespace=$1 scheme=mqtt port=1883 tls='' secret_mqtt=wattline-mqtt secret_database=wattline-database
  if [ "$namespace" != dev ]; then
    scheme=mqtts port=8883 secret_mqtt=wattline-mqtt-passwords secret_database=wattline-database-passwords
    tls=', "kafka_security": "tls", "tls_root_file": "/run/load/ca.crt"'
  fi
  k --namespace "$namespace" delete pod,secret,networkpolicy --selector wattline.test=load --ignore-not-found --wait >/dev/null
  local ca owner meters
  owner=$(secret "$namespace" "$secret_database" owner)
  meters=$(secret "$namespace" "$secret_mqtt" meters)
  ca=$([ "$namespace" = dev ] || secret "$namespace" wattline-authority ca.crt)
  k apply --namespace "$namespace" --filename - >/dev/null <<YAML
apiVersion: v1
kind: Secret
metadata: { name: load, labels: { wattline.test: load } }
stringData:
  meters: "$meters"
  owner: "$owner"
  ca.crt: |
$(sed 's/^/    /' <<<"$ca")
  stack.json: |
    { "mqtt": "$scheme://wattline-mqtt.$namespace.svc.cluster.local:$port", "kafka": "$(of_the_sink "$namespace" brokers)",
      "database": "$(of_the_sink "$namespace" url | sed "s#//wattline_sink@#//postgres@#")",
      "database_password_file": "/run/load/owner",
      "mqtt_password_files": { "meters": "/run/load/meters" }$tls }
---
# Beside the release's own policies, which let nobody else in.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: load, labels: { wattline.test: load } }
spec:
  podSelector: { matchExpressions: [{ key: app.kubernetes.io/name, operator: In, values: [kafka, timescaledb, mqtt] }] }
  policyTypes: [Ingress]
  ingress: [{ from: [{ podSelector: { matchLabels: { wattline.test: load } } }] }]
---
apiVersion: v1
kind: Pod
metadata: { name: load, labels: { wattline.test: load } }
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  ${LOAD_NODE:+nodeName: $LOAD_NODE}
  securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: { type: RuntimeDefault } }
  # A new pod's address comes to the network policies a moment after it runs.
  initContainers:
    - { name: wait, image: "localhost/busybox:1", command: [sleep, "5"], securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } } }
  containers:
    - name: load
      image: wattline/loadtest:1
      args: [endure, --stack, /run/load/stack.json, --rate, "${LOAD_RATE:-200}"]
      securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
      volumeMounts: [{ name: load, mountPath: /run/load, readOnly: true }]
  volumes: [{ name: load, secret: { secretName: load } }]
YAML
  loaded=$namespace
  eventually 120 "the load in $namespace stores nothing" stored_something || { k --namespace "$namespace" logs load --tail 20 >&2; return 1; }
}

secret() { k --namespace "$1" get secret "$2" --output "jsonpath={.data.${3//./\\.}}" | base64 --decode; }
# An address as the release's own sink has it.
of_the_sink() {
  k --namespace "$1" get configmap wattline-timescale-sink --output 'jsonpath={.data.timescale-sink\.toml}' |
    python3 -c 'import sys, tomllib
print(next(table[sys.argv[1]] for table in tomllib.loads(sys.stdin.read()).values() if sys.argv[1] in table))' "$2"
}
load_address() { k --namespace "$loaded" get pod load --output 'jsonpath={.status.podIP}'; }
ask_load() { in_control_plane_network curl --silent --show-error --fail --max-time 10 "$@"; }
progress() { ask_load "http://$(load_address):9500/progress"; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
stored_something() { [ "$(progress | field stored)" -gt 0 ]; }

# Ends what was measured so far, and prints the longest gaps in it: of what was stored, and of PUBACKs.
mark() { ask_load --request POST "http://$(load_address):9500/mark"; }

# Waits until COUNT more readings are stored.
flow() {
  local count=$1 before now end=$((SECONDS + 240))
  before=$(progress | field stored)
  until now=$(progress 2>/dev/null | field stored 2>/dev/null) && [ "$now" -ge $((before + count)) ]; do
    [ "$SECONDS" -lt "$end" ] || fail "nothing is stored any more"
    sleep 1
  done
}

# Ends the load, and says what its books say.
load_off() {
  local namespace=$1 code said sent stored
  ask_load --request POST "http://$(load_address):9500/end" >/dev/null
  ended() { [[ $(k --namespace "$namespace" get pod load --output 'jsonpath={.status.phase}') =~ Succeeded|Failed ]]; }
  eventually 600 "the load in $namespace does not end" ended
  code=$(k --namespace "$namespace" get pod load --output 'jsonpath={.status.containerStatuses[0].state.terminated.exitCode}')
  said=$(k --namespace "$namespace" logs load --tail 40)
  [ "$code" = 0 ] || {
    printf '%s\n' "$said" >&2
    show_trouble "$namespace"
    keep_logs "$namespace"
    fail "the books of the load in $namespace do not add up"
  }
  said=$(grep '^{' <<<"$said" | tail -n 1)
  sent=$(field sent <<<"$said")
  stored=$(field stored_once <<<"$said")
  if [ "$sent" -eq 0 ] || [ "$sent" -ne "$stored" ]; then fail "of $sent readings $stored were read back"; fi
  row "$namespace: the load's books" "$sent sent" "$stored read back, once each" ""
  k --namespace "$namespace" delete pod,secret,networkpolicy --selector wattline.test=load --wait >/dev/null
}

# Whole logs of who had the readings in hand, beside the reports: what was lost has gone by them.
keep_logs() {
  local pod folder=${CARGO_TARGET_DIR:-target}/reports/cluster-logs
  rm -rf "$folder"
  mkdir -p "$folder"
  for pod in $(k --namespace "$1" get pods --output name | grep -E 'mqtt|kafka|sink'); do
    k --namespace "$1" logs "$pod" --all-containers --timestamps >"$folder/${pod#pod/}.log" 2>&1 || true
  done
  say "logs of brokers, ingest and sinks: $folder" >&2
}

# Kills every pod of COMPONENT at once, as a crash does, and says how long nothing new was stored.
kill_pods() {
  local namespace=$1 component=$2 gaps
  mark >/dev/null
  k --namespace "$namespace" delete pod --selector "app.kubernetes.io/name=$component" --force --grace-period=0 >/dev/null 2>&1
  pods_are_ready() { k --namespace "$namespace" wait pod --selector "app.kubernetes.io/name=$component" --for=condition=Ready --timeout=5s; }
  sleep 1
  eventually 300 "$component in $namespace does not come back" pods_are_ready
  flow 400
  gaps=$(mark)
  gap_row "$namespace: pods of $component killed" "" "$gaps"
}

# Powers NODE off under a load and on again, and says how long nothing new was stored, and what was on it. A story may have
# `while_off`, for what it wants to see meanwhile.
lose_node() {
  local namespace=$1 node=$2 held gaps back
  held=$(k --namespace "$namespace" get pods --field-selector "spec.nodeName=node$node,status.phase=Running" --no-headers --output \
    'custom-columns=N:.metadata.name,R:.metadata.labels.role' | grep -v '^load ' | awk '{ sub("wattline-", "", $1); print ($2 == "primary" ? $1 " (primary)" : $1) }' | paste -sd, | sed 's/,/, /g')
  mark >/dev/null
  say "power off of node $node with $held"
  node_off "$node"
  is_given_up() { k wait node "node$node" --for=condition=Ready=Unknown --timeout=5s; }
  eventually 120 "nobody takes node $node for lost" is_given_up
  ! declare -F while_off >/dev/null || while_off "$node"
  flow 200
  gaps=$(mark)
  back=$SECONDS
  node_on "$node"
  eventually 420 "not everything in $namespace is ready again" all_is_ready "$namespace"
  back=$((SECONDS - back))
  flow 200
  gap_row "$namespace: node off with $held" "ready again $back s after power on" "$gaps"
  gaps=$(mark)
  gap_row "$namespace: the same node on again" "" "$gaps"
}

# Every workload has the replicas that it wants.
all_is_ready() {
  k --namespace "$1" get statefulsets,deployments --output json | python3 -c '
import json, sys
late = [item["metadata"]["name"] for item in json.load(sys.stdin)["items"]
        if item["status"].get("readyReplicas", 0) < item["spec"]["replicas"]]
sys.exit("not ready: " + ", ".join(late) if late else 0)'
}
