#!/usr/bin/env bash
# Prometheus in the namespace `monitoring`, which the network policies let in, and Alertmanager beside it, as the operator would set
# them up for one environment: monitoring.sh NAMESPACE|all [ARGUMENT …], with further arguments of wattline-monitoring. LOAD_NODE is
# where Prometheus is put.
set -euo pipefail
# shellcheck source=scripts/cluster/lib.sh
. scripts/cluster/lib.sh
read_tools
namespace=$1
shift
curl_api() { in_control_plane_network curl --silent --output /dev/null --max-time 2 "http://$api:$1$2"; }
prometheus=$cache/$(sed -n 's/^readonly PROMETHEUS_PART="\(.*\)"$/\1/p' scripts/install-debian.sh)
alertmanager=$cache/$(sed -n 's/^readonly ALERTMANAGER_PART="\(.*\)"$/\1/p' scripts/install-debian.sh)
programs=${BINARIES:-${CARGO_TARGET_DIR:-target}/release}
folder=$state/monitoring
rm -rf "$folder"
mkdir -p "$folder"
for i in 1 2 3 4 5 6 7 8 9; do if node_is_on "$i"; then set -- "$@" --kubelet "$(node_address "$i"):10250"; fi; done

# shellcheck disable=SC2046 # One word or two.
k $([ "$namespace" = all ] && echo --all-namespaces || echo "--namespace $namespace") get servicemonitors,prometheusrules,alertmanagerconfigs --output json |
  "$programs/wattline-monitoring" "$namespace" "http://$api:9098" "$api:9093" "$folder" "$@"

# Each environment has a configuration of its own.
if [ "$namespace" != all ] && [ -e "$folder/alertmanager.yml" ]; then
  in_control_plane_network pkill --full "^$alertmanager/prometheus-alertmanager" || true
  mkdir -p "$folder/alertmanager"
  # Debian's looks for its templates in one place only.
  start_in_control_plane /usr/bin/unshare --mount sh -c 'mount -t overlay none -o "lowerdir=$0:/usr/share" /usr/share && exec "$@"' "$alertmanager" \
    "$alertmanager/prometheus-alertmanager" --config.file="$folder/alertmanager.yml" --storage.path="$folder/alertmanager" \
    --web.listen-address="$api:9093" --cluster.listen-address=
fi

# Debian's Prometheus is built without discovery in Kubernetes.
if ! curl_api 9098 / >/dev/null; then
  export KUBECONFIG=$state/pki/admin.kubeconfig PATH=$kubernetes:$PATH
  start_in_control_plane /usr/bin/python3 scripts/cluster/discovery.py "$api" 9098
fi

k delete namespace monitoring --ignore-not-found >/dev/null
k create namespace monitoring >/dev/null
k --namespace monitoring create configmap prometheus --from-file="$folder/prometheus.yml" --from-file="$folder/rules.yml" >/dev/null
k apply --filename - >/dev/null <<YAML
# Kubelets ask whether whoever reads them may.
apiVersion: v1
kind: ServiceAccount
metadata: { name: prometheus, namespace: monitoring }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: prometheus }
rules: [{ apiGroups: [""], resources: [nodes/metrics], verbs: [get] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: prometheus }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: prometheus }
subjects: [{ kind: ServiceAccount, name: prometheus, namespace: monitoring }]
---
apiVersion: v1
kind: Pod
metadata: { name: prometheus, namespace: monitoring, labels: { app: prometheus } }
spec:
  serviceAccountName: prometheus
  ${LOAD_NODE:+nodeName: $LOAD_NODE}
  securityContext: { runAsNonRoot: true, runAsUser: 65534, runAsGroup: 65534, fsGroup: 65534 }
  containers:
    - name: prometheus
      image: localhost/busybox:1
      # The machine's own program, with its libraries.
      command: [/program/prometheus, --config.file=/config/prometheus.yml, --storage.tsdb.path=/data, "--web.listen-address=:9090"]
      readinessProbe: { httpGet: { path: /-/ready, port: 9090 } }
      volumeMounts:
        - { name: program, mountPath: /program, readOnly: true }
        - { name: libraries, mountPath: /lib, readOnly: true }
        - { name: loader, mountPath: /lib64, readOnly: true }
        - { name: config, mountPath: /config }
        - { name: data, mountPath: /data }
  volumes:
    - { name: program, hostPath: { path: "$prometheus" } }
    - { name: libraries, hostPath: { path: /usr/lib } }
    - { name: loader, hostPath: { path: /usr/lib64 } }
    - { name: config, configMap: { name: prometheus } }
    - { name: data, emptyDir: {} }
---
apiVersion: v1
kind: Service
metadata: { name: prometheus, namespace: monitoring }
spec: { selector: { app: prometheus }, ports: [{ port: 9090 }] }
YAML
is_ready() { k --namespace monitoring wait pod prometheus --for=condition=Ready --timeout=5s; }
eventually 90 "Prometheus does not get ready" is_ready || { k --namespace monitoring logs prometheus --tail 20 >&2; exit 1; }
