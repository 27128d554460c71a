# What the stories share: installing, a load with books, faults, and rows of the table. To be sourced in the checkout's root.
# shellcheck shell=bash

# shellcheck source=scripts/cluster/lib.sh
. scripts/cluster/lib.sh
# shellcheck source=scripts/cluster/nodes.sh
. scripts/cluster/nodes.sh
# shellcheck source=scripts/cluster/load.sh
. scripts/cluster/load.sh
# shellcheck source=scripts/cluster/volumes.sh
. scripts/cluster/volumes.sh
read_tools
report=${WATTLINE_CLUSTER_REPORT:-/dev/stderr}

# Stories are told side by side: each is alone in its environment, and nodes are taken away when the others have ended.
exec 6>"$state/nodes.lock"
flock --shared 6
alone_in() {
  exec 8>"$state/$1.lock"
  flock 8
}
alone() { flock 6; }

# Images of an environment come once to all nodes.
load_images() { if [ ! -e "$state/images" ]; then scripts/cluster.sh load "$images"/services/*.tar "$images"/public/*.tar && touch "$state/images"; fi; }

helm() { in_cluster helm "$@"; }

# One line of the table: what happened, and its figures.
row() {
  printf '%s\t%s\t%s\t%s\n' "$@" >>"$report"
  say "$1: $2 $3 $4"
}

# A row of how long nothing new was stored, and no PUBACK came, as `mark` has it.
gap_row() {
  local what=$1 note=$2 gaps=$3 stored acknowledged
  stored=$(field stored_s <<<"$gaps")
  acknowledged=$(field acknowledged_s <<<"$gaps")
  row "$what" "$note" "$stored s" "$acknowledged s"
}

# What each component uses now, of a minute at most, to the report's second table.
usage() {
  local namespace=$1 when=$2 folder
  folder=$(mktemp -d)
  k --namespace "$namespace" get pods --output json >"$folder/pods"
  k get --raw "/apis/metrics.k8s.io/v1beta1/namespaces/$namespace/pods" >"$folder/metrics"
  python3 scripts/cluster/usage.py "$folder/pods" "$folder/metrics" "$namespace, $when" | tee -a "${report%.tsv}-usage.tsv" >&2
  rm -r "$folder"
}

# The Secrets that an environment names and doesn't make, as docs/kubernetes.md has it.
make_secrets() {
  local namespace=$1
  random() { head -c 24 /dev/urandom | base64 | tr -d '/+='; }
  k --namespace "$namespace" create secret generic wattline-database-passwords \
    --from-literal=owner="$(random)" --from-literal=replication="$(random)" --from-literal=wattline_sink="$(random)" \
    --from-literal=wattline_aggregator="$(random)" --from-literal=wattline_api="$(random)" --from-literal=wattline_grafana="$(random)" \
    --from-literal=wattline_operator="$(random)" >/dev/null
  k --namespace "$namespace" create secret generic wattline-mqtt-passwords \
    --from-literal=ingest="$(random)" --from-literal=meters="$(random)" --from-literal=observer="$(random)" \
    --from-literal=cluster="$(random)" >/dev/null
  k --namespace "$namespace" create secret generic wattline-api-token --from-literal=token="$(random)" >/dev/null
}

# Installs or upgrades ENVIRONMENT with further arguments of helm.
install() {
  local environment=$1
  shift
  helm upgrade --install wattline charts/wattline --namespace "$environment" --values "charts/wattline/values-$environment.yaml" \
    "$@" --wait --timeout 10m >"$state/helm-$environment.log" 2>&1 || {
    cat "$state/helm-$environment.log" >&2
    show_trouble "$environment"
    fail "$environment was not installed"
  }
}

test_release() {
  helm test wattline --namespace "$1" --timeout 5m >"$state/test-$1.log" 2>&1 || {
    cat "$state/test-$1.log" >&2
    k --namespace "$1" logs --selector app.kubernetes.io/name=smoke --tail 30 >&2 || true
    fail "helm test of $1 failed"
  }
}

# Runs each command in the notes that Helm prints, but for the test, which has been run.
follow_notes() {
  local namespace=$1 line notes=$state/notes-$1 tried=0
  helm get notes wattline --namespace "$namespace" >"$notes"
  while read -r line; do
    case $line in
      *" port-forward "*) line="$line & sleep 5; curl --fail --silent http://127.0.0.1:9400/; code=\$?; kill %1; exit \$code" ;;
      kubectl*) ;;
      *) continue ;;
    esac
    in_cluster bash -o pipefail -c "$line" </dev/null >"$notes.said" 2>&1 || { cat "$notes.said" >&2; fail "the notes of $namespace name a command that fails: $line"; }
    tried=$((tried + 1))
  done <"$notes"
  row "$namespace: commands of the notes" "$tried, each runs" "" ""
}

# ENVIRONMENT on a cluster that has nothing of it, with further arguments of helm, until its test has passed.
from_nothing() {
  local environment=$1 start
  shift
  load_images
  leave_nothing "$environment"
  [ "$environment" = dev ] || make_secrets "$environment"
  start=$SECONDS
  install "$environment" "$@"
  test_release "$environment"
  row "$environment: from nothing to \`helm test\` passed" "$((SECONDS - start)) s" "" ""
  follow_notes "$environment"
}

# Its volumes and Secrets, too: the next one begins from nothing.
uninstall() {
  helm uninstall wattline --namespace "$1" --wait >/dev/null
  k --namespace "$1" delete persistentvolumeclaims,jobs,pods,secrets --all --wait=false >/dev/null
}

# What a story that failed has left would be another one's beginning.
leave_nothing() {
  helm status wattline --namespace "$1" >/dev/null 2>&1 || return 0
  uninstall "$1"
  eventually 180 "what was in $1 before stays" is_empty "$1"
}
is_empty() { [ -z "$(k --namespace "$1" get pods,persistentvolumeclaims --output name)" ]; }

# What an operator would look at first.
show_trouble() {
  k --namespace "$1" get pods --output wide >&2 || true
  k --namespace "$1" get events --sort-by=.lastTimestamp | tail -n 25 >&2 || true
  local pod
  for pod in $(k --namespace "$1" get pods --output jsonpath='{range .items[?(@.status.phase!="Succeeded")]}{.metadata.name}{" "}{range .status.containerStatuses[*]}{.ready}{" "}{end}{"\n"}{end}' | awk '/false/ { print $1 }'); do
    printf -- '--- %s\n' "$pod" >&2
    k --namespace "$1" logs "$pod" --all-containers --tail 15 >&2 || true
  done
}
