# A node on and off. To be sourced after lib.sh.
# shellcheck shell=bash

node_on() {
  local i=$1 n=$state/node$1 pid
  ! node_is_on "$i" || fail "node $i is on"
  mkdir -p "$n"
  spawn "node$i" nsenter --target "$(machine_pid)" --pid --mount -- \
    unshare --net --pid --uts --ipc --mount --fork --kill-child=KILL --mount-proc --propagation private "$kubernetes/pause"
  pid=$(pid_of "node$i")
  in_control_plane_network sh -ec "
    ip link del wl$i 2>/dev/null || true
    ip link add wl$i type veth peer name eth0 netns $pid
    ip link set wl$i master wl0 up
    ip route replace 10.244.$i.0/24 via $(node_address "$i")"
  in_node "$i" scripts/cluster/node.sh "$i" 6>&- 7>&- 8>&-
  # Its pods' addresses, once the kubelet has registered it: handed out by the control plane they would be another node's.
  patch() {
    k patch node "node$i" --patch "{\"spec\":{\"podCIDR\":\"10.244.$i.0/24\",\"podCIDRs\":[\"10.244.$i.0/24\"]}}"
  }
  eventually 120 "node $i does not register" patch
}

# Power off: its cable is cut, so that it takes leave of nobody, and its first process is killed, and with it the kubelet, the
# containers and their network. Its disk stays.
node_off() {
  local i=$1 t
  node_is_on "$i" || fail "node $i is off"
  in_control_plane_network ip link set "wl$i" down
  kill -KILL "$(pid_of "node$i")"
  for ((t = 0; t < 100; t++)); do node_is_on "$i" || break; sleep 0.1; done
  rm -f "$state/node$i.pid"
  remove_cgroups "$cgroup/node$i"
}
