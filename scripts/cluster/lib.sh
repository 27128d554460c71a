# What the scripts of the cluster share: where things are, and how to get into a namespace. To be sourced in the checkout's root.
# shellcheck shell=bash

state=$PWD/.cluster
cache=$(scripts/cache-folder.sh)
images=$cache/cluster-images
containers=$cache/$(sed -n 's/^readonly CONTAINERS_PART="\(.*\)"$/\1/p' scripts/install-debian.sh)
# Held by the first process as long as it lives: control groups and kernel settings are the whole machine's.
lock=$cache/cluster.lock
cgroup=/wattline
readonly api=10.89.0.1

say() { printf 'cluster: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
need_root() { [ "$(id -u)" = 0 ] || fail "nodes have namespaces, mounts and cgroups: run it as root"; }

# Where the programs are that have been built: an empty word before that.
read_tools() {
  kubernetes=$(scripts/kubernetes-tools.sh find-real || true)
  add_ons=$cache/cluster-tools
  export kubernetes add_ons
}

# Tries COMMAND each half second for SECONDS, and says MESSAGE where it never succeeds.
eventually() {
  local seconds=$1 message=$2 end
  end=$((SECONDS + $1))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { say "$message within $seconds s; last of it:"; "$@" >&2 || true; return 1; }
    sleep 0.5
  done
}

# 6 to 8 are locks and the line to the process that ends the cluster: what outlives a script must not have them.
# Starts COMMAND apart from this script and its terminal; NAME.pid and NAME.log in the cluster's folder are its own.
spawn() {
  local name=$1
  shift
  setsid "$@" >>"$state/$name.log" 2>&1 </dev/null 6>&- 7>&- 8>&- &
  echo $! >"$state/$name.pid"
}

# The first process of the namespaces that were spawned as NAME: the descendant that is called pause.
pid_of() {
  local pid child i
  for ((i = 0; i < 100; i++)); do
    pid=$(cat "$state/$1.pid")
    while child=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null) && [ -n "$child" ]; do
      pid=${child%% *}
      if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = pause ]; then echo "$pid"; return; fi
    done
    sleep 0.05
  done
  fail "$1 did not start, see $state/$1.log"
}

is_on() { [ -e "$state/$1.pid" ] && kill -0 "$(cat "$state/$1.pid")" 2>/dev/null; }
somebodys_is_on() { [ -e "$lock" ] && ! flock --nonblock "$lock" true; }
# Not by its process id: that may be another's after this machine's own boot.
machine_is_on() { [ -e "$state/machine.pid" ] && somebodys_is_on; }
machine_pid() { pid_of machine; }
node_is_on() { is_on "node$1"; }
node_address() { echo "10.89.0.1$1"; }

in_control_plane() { nsenter --target "$(pid_of control-plane)" --net --pid --mount --uts --ipc --wd="$PWD" -- "$@"; }
# Starts PROGRAM apart, in the control plane; its words are in NAME.log in the cluster's folder.
start_in_control_plane() {
  local program=$1
  shift
  in_control_plane setsid sh -c 'exec "$0" "$@" </dev/null' "$program" "$@" >"$state/$(basename "$program").log" 2>&1 6>&- 7>&- 8>&- &
}
in_control_plane_network() { nsenter --target "$(pid_of control-plane)" --net -- "$@"; }
in_node() {
  local i=$1
  shift
  nsenter --target "$(pid_of "node$i")" --net --pid --mount --uts --ipc --wd="$PWD" -- "$@"
}
in_cluster() {
  KUBECONFIG=$state/pki/admin.kubeconfig PATH=$kubernetes:$(scripts/charts.sh path):$PATH in_control_plane_network "$@"
}
k() { KUBECONFIG=$state/pki/admin.kubeconfig in_control_plane_network "$kubernetes/kubectl" "$@"; }

# Of cgroup v1 each controller has a tree of its own, and v2 has one for all.
cgroup_trees() {
  local tree
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup; return; fi
  for tree in /sys/fs/cgroup/*/; do
    [ "$tree" = /sys/fs/cgroup/unified/ ] || echo "${tree%/}"
  done
}

# What pods and nodes leave behind: groups can be removed as soon as their last process is gone. Where v1 and v2 are mounted
# together runc makes them in both.
remove_cgroups() {
  local tree i
  for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
    for ((i = 0; i < 50; i++)); do
      [ -d "$tree$1" ] || break
      find "$tree$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
      [ ! -d "$tree$1" ] || sleep 0.1
    done
  done
}
