#!/usr/bin/env bash
# etcd, the API server, the controllers and the scheduler, in namespaces of their own. Called by scripts/cluster.sh.
set -euo pipefail
# shellcheck source=scripts/cluster/lib.sh
. scripts/cluster/lib.sh
read_tools

start_etcd() {
  # Nothing of it outlives the cluster, so nothing waits for a disk.
  start_in_control_plane "$kubernetes/etcd" --data-dir="$state/etcd" --unsafe-no-fsync \
    --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
    --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 \
    --initial-cluster=default=http://127.0.0.1:2380
}

start_api() {
  # Aggregator routing: this side has no kube-proxy, so webhooks and APIServices are reached by the pods' own addresses.
  start_in_control_plane "$kubernetes/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --bind-address=0.0.0.0 --advertise-address="$api" --secure-port=6443 \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
    --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key" \
    --kubelet-preferred-address-types=InternalIP --service-cluster-ip-range=10.96.0.0/16 \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$pki/accounts.key" --service-account-signing-key-file="$pki/accounts.key" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
    --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group \
    --requestheader-username-headers=X-Remote-User --proxy-client-cert-file="$pki/front-proxy.crt" \
    --proxy-client-key-file="$pki/front-proxy.key" --enable-aggregator-routing=true
}

start_controllers() {
  local config=$pki/controllers.kubeconfig
  start_in_control_plane "$kubernetes/kube-controller-manager" --kubeconfig="$config" --authentication-kubeconfig="$config" --authorization-kubeconfig="$config" \
    --bind-address=127.0.0.1 --leader-elect=false --use-service-account-credentials=true --allocate-node-cidrs=false \
    --service-account-private-key-file="$pki/accounts.key" --root-ca-file="$pki/ca.crt" \
    --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key"
  config=$pki/scheduler.kubeconfig
  start_in_control_plane "$kubernetes/kube-scheduler" --kubeconfig="$config" --authentication-kubeconfig="$config" --authorization-kubeconfig="$config" \
    --bind-address=127.0.0.1 --leader-elect=false
}

pki=$state/pki
scripts/cluster/pki.sh "$pki" "$api"
spawn control-plane nsenter --target "$(machine_pid)" --pid --mount -- \
  unshare --net --pid --uts --ipc --mount --fork --kill-child=KILL --mount-proc --propagation private "$kubernetes/pause"
# The machine's own /sys shows the cgroups; a bridge that all nodes have a leg in is their network.
in_control_plane sh -ec "
  ip link set lo up
  ip link add wl0 type bridge
  ip addr add $api/24 dev wl0
  ip link set wl0 up
  echo 1 >/proc/sys/net/ipv4/ip_forward"
start_etcd
start_api
eventually 120 "the API server is not ready, see $state/kube-apiserver.log" k get --raw /readyz
start_controllers
