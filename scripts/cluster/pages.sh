#!/usr/bin/env bash
# Leads ports of this machine to the live pages of all environments in the cluster, and prints where. Called by scripts/cluster.sh.
set -euo pipefail
# shellcheck source=scripts/cluster/lib.sh
. scripts/cluster/lib.sh
read_tools

# An address of a Service is one of every node: the control plane has no kube-proxy, and goes by the first that is on.
route_to_services() {
  local i
  for i in 1 2 3 4 5 6 7 8 9; do
    if node_is_on "$i"; then in_control_plane_network ip route replace 10.96.0.0/16 via "$(node_address "$i")"; return; fi
  done
}

lead() {
  local what=$1 port=$2 namespace=$3 service=$4 service_port=$5 address
  address=$(k --namespace "$namespace" get service "$service" --output 'jsonpath={.spec.clusterIP}' 2>/dev/null) || return 0
  # A release that was installed anew has another address.
  while is_on "forward-$port"; do pkill --parent "$(cat "$state/forward-$port.pid")" || true; sleep 0.1; done
  # In the machine's process namespace, so that it ends with it, and in this network.
  spawn "forward-$port" nsenter --target "$(machine_pid)" --pid --mount --wd="$PWD" -- \
    python3 scripts/cluster/forward.py "$port" "/proc/$(pid_in_machine control-plane)/ns/net" "$address" "$service_port"
  say "$what: http://127.0.0.1:$port/"
}

# What the namespaces' first process is called inside of the machine's.
pid_in_machine() { awk '/^NSpid:/ { print $3 }' "/proc/$(pid_of "$1")/status"; }

route_to_services
[ -z "$(k get servicemonitors --all-namespaces --output name 2>/dev/null)" ] || scripts/cluster/monitoring.sh all
lead Prometheus 9409 monitoring prometheus 9090
port=9410
for environment in dev staging prod; do
  lead "live page of $environment" "$port" "$environment" wattline-query-api 9400
  port=$((port + 1))
done
