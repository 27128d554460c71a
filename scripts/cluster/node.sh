#!/usr/bin/env bash
# Boots a node, inside of its namespaces: node.sh N. Called by scripts/cluster.sh.
set -euo pipefail
# shellcheck source=scripts/cluster/lib.sh
. scripts/cluster/lib.sh
read_tools
i=$1 n=$state/node$1
export PATH=$containers:$PATH

# What the programs of a node write goes to the node's folder, under the paths that they all take by default.
mount_disk() {
  local folder
  mount --make-rshared /
  hostname "node$i"
  for folder in /var/lib/{kubelet,containerd,cni} /var/log/{pods,containers} /opt/local-path-provisioner /etc/cni/net.d; do
    mkdir -p "$n$folder" "$folder"
    mount --bind "$n$folder" "$folder"
  done
  mount -t tmpfs -o mode=755 run /run
  mkdir -p /run/containerd
  printf 'nameserver 127.0.0.1\n' >"$n/resolv.conf"
  printf '127.0.0.1 localhost\n%s node%s\n' "$(node_address "$i")" "$i" >"$n/hosts"
  printf '%032d\n' "$i" >"$n/machine-id"
  for folder in resolv.conf hosts machine-id; do
    [ ! -e "/etc/$folder" ] || mount --bind "$n/$folder" "/etc/$folder"
  done
}

connect() {
  local other name
  ip link set lo up
  ip addr add "$(node_address "$i")/24" dev eth0
  ip link set eth0 up
  ip route add default via "$api"
  for other in 1 2 3 4 5 6 7 8 9; do
    [ "$other" = "$i" ] || ip route add "10.244.$other.0/24" via "$(node_address "$other")"
  done
  for name in ipv4/ip_forward bridge/bridge-nf-call-iptables; do echo 1 >"/proc/sys/net/$name"; done
  cat >/etc/cni/net.d/10-pods.conflist <<JSON
{ "cniVersion": "1.0.0", "name": "pods", "plugins": [
  { "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
    "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.244.$i.0/24" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
  { "type": "portmap", "capabilities": { "portMappings": true } } ] }
JSON
}

make_cgroups() {
  local tree
  while read -r tree; do
    mkdir -p "$tree$cgroup/node$i"
    # A new group of v1 has no CPUs and no memory of its own, and takes no process.
    if [ -e "$tree/cpuset.cpus" ]; then
      for group in "$tree$cgroup" "$tree$cgroup/node$i"; do
        cat "$tree/cpuset.cpus" >"$group/cpuset.cpus"
        cat "$tree/cpuset.mems" >"$group/cpuset.mems"
      done
    elif [ -e "$tree/cgroup.subtree_control" ]; then
      for group in "$tree" "$tree$cgroup" "$tree$cgroup/node$i"; do
        sed 's/\([a-z_]*\)/+\1/g' "$group/cgroup.controllers" >"$group/cgroup.subtree_control"
      done
    fi
  done < <(cgroup_trees)
}

start() {
  local name=$1
  shift
  setsid "$@" >>"$n/$name.log" 2>&1 </dev/null &
}

start_containers() {
  cat >"$n/containerd.toml" <<TOML
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  # Without CAP_SYS_RESOURCE runc can't lower oom_score_adj, and no sandbox would start.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$containers/cni"
    conf_dir = "/etc/cni/net.d"
TOML
  start containerd "$containers/containerd" --config "$n/containerd.toml"
  eventually 30 "containerd does not answer, see $n/containerd.log" "$containers/ctr" version
  "$containers/ctr" --namespace k8s.io images ls -q | grep -q localhost/pause ||
    "$containers/ctr" --namespace k8s.io images import "$images/cluster/pause.tar" >/dev/null
}

# Each node offers 2 CPUs and 7 GiB, as docs/kubernetes.md plans, whatever this machine has more.
start_kubelet() {
  local reserved
  reserved=$(awk '/^MemTotal/ { print int($2 / 1024) - 7168 }' /proc/meminfo)
  [ "$reserved" -gt 0 ] || fail "a node offers 7 GiB of memory, and this machine has less"
  cat >"$n/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: $cgroup/node$i
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
address: 0.0.0.0
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
resolvConf: /etc/resolv.conf
authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: "$state/pki/ca.crt" } }
authorization: { mode: Webhook }
failSwapOn: false
# Images came by hand and could not be had again.
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: { memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1% }
systemReserved: { memory: "${reserved}Mi", cpu: "$(($(nproc) - 2))" }
enforceNodeAllocatable: [pods]
serializeImagePulls: false
YAML
  start kubelet "$kubernetes/kubelet" --config="$n/kubelet.yaml" --kubeconfig="$state/pki/node$i.kubeconfig" --hostname-override="node$i" \
    --node-ip="$(node_address "$i")" --node-labels="topology.kubernetes.io/zone=zone$i" --v=1
}

# With 0 it leaves alone what is the machine's own.
start_proxy() {
  start kube-proxy "$kubernetes/kube-proxy" --kubeconfig="$state/pki/proxy.kubeconfig" --hostname-override="node$i" --proxy-mode=iptables \
    --cluster-cidr=10.244.0.0/16 --conntrack-max-per-core=0 --conntrack-min=0 --conntrack-tcp-timeout-established=0s \
    --conntrack-tcp-timeout-close-wait=0s
}

start_policies() {
  start kube-router "$add_ons/kube-router" --kubeconfig="$state/pki/admin.kubeconfig" --hostname-override="node$i" --run-firewall=true \
    --run-router=false --run-service-proxy=false --service-cluster-ip-range=10.96.0.0/16 --health-port=0
}

mount_disk
connect
make_cgroups
start_containers
start_kubelet
start_proxy
start_policies
