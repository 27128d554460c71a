#!/usr/bin/env bash
# A real Kubernetes cluster on this machine, without a container engine and without images from anywhere: the control plane and
# each node are processes in network, mount and process namespaces of their own. Needs root, Debian, Go and a C compiler.
#
#   cluster.sh prepare                what is built once and kept in the cache, and what each part of it takes
#   cluster.sh up [NODES]             from nothing: control plane, nodes (3), what a cluster has, images; stays until `down`
#   cluster.sh down                   all of it; nothing stays but the cache
#   cluster.sh run [STORY …]          up, the stories dev, staging and prod or others, side by side, down; also when it is killed
#   cluster.sh shell                  a shell inside of the cluster's network, with kubectl, helm and the addresses of the pages
#   cluster.sh k ARGUMENTS …          kubectl
#   cluster.sh in COMMAND …           any command inside of the cluster's network
#   cluster.sh node-off | node-on N   what a power failure and a boot are
#   cluster.sh in-node N COMMAND …    any command on a node
#   cluster.sh load ARCHIVE …         image archives into all nodes that are on
#
# BINARIES names a folder with programs that are built already. docs/cluster.md says what it shows and what it can't.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/cluster/lib.sh
. scripts/cluster/lib.sh
# shellcheck source=scripts/cluster/nodes.sh
. scripts/cluster/nodes.sh
# shellcheck source=scripts/cluster/leftovers.sh
. scripts/cluster/leftovers.sh

# There is one at a time.
check_that_none_is_on() {
  ! machine_is_on || fail "a cluster is there already: '$0 down' ends it"
  ! somebodys_is_on || fail "a cluster of another checkout is on, there can be one at a time"
}

up() {
  local nodes=${1:-3} start=$SECONDS i
  need_root
  check_that_none_is_on
  down quietly
  prepare
  machine_on
  scripts/cluster/control-plane.sh 7>&-
  say "control plane: $((SECONDS - start)) s"
  for ((i = 1; i <= nodes; i++)); do node_on "$i"; done
  say "$nodes nodes: $((SECONDS - start)) s"
  load "$images"/cluster/*.tar
  scripts/cluster/add-ons.sh 7>&-
  say "add-ons: $((SECONDS - start)) s"
}

# What is built once and kept in the cache.
prepare() {
  part "Debian's packages and the servers" scripts/install-debian.sh cluster
  part "Kubernetes" scripts/kubernetes-tools.sh real
  part "add-ons" scripts/cluster-tools.sh
  part "Helm and the charts' dependencies" scripts/charts.sh dependencies
  [ -n "${BINARIES:-}" ] || part "Wattline" cargo build --release --locked --workspace --lib --bins --tests
  read_tools
  part "images of add-ons" scripts/cluster/images.sh "$images/cluster"
  part "images of services" scripts/images.sh services "${BINARIES:-${CARGO_TARGET_DIR:-target}/release}" "$images/services"
  part "stand-ins" scripts/images.sh stand-ins "$images/public"
}

# COMMAND, and what it took.
part() {
  local TIMEFORMAT="cluster: $1: %0R s, %0U s of CPU and %0S s of the kernel's"
  shift
  time "$@" >/dev/null
}

# The first of all namespaces: whatever runs on this cluster ends with it.
machine_on() {
  mkdir -p "$state"
  sysctl vm.overcommit_memory kernel.panic kernel.panic_on_oops >"$state/sysctl"
  spawn machine flock --nonblock "$lock" unshare --pid --mount --fork --kill-child=KILL --mount-proc --propagation private "$kubernetes/pause"
  machine_pid >/dev/null
}

down() {
  local i
  if machine_is_on; then
    # Stories of a run that was killed, which would go on writing here.
    for i in "$state"/story-*.pid; do [ ! -e "$i" ] || kill -KILL -- "-$(cat "$i")" 2>/dev/null || true; done
    kill -KILL "$(machine_pid)"
    for ((i = 0; i < 100; i++)); do machine_is_on || break; sleep 0.1; done
    ! machine_is_on || fail "the cluster's first process, $(machine_pid), does not end"
  elif somebodys_is_on; then
    fail "the cluster that is on is another checkout's"
  fi
  remove_cgroups "$cgroup"
  # The kubelets have changed these for the whole machine.
  local settings=''
  if [ -e "$state/sysctl" ]; then
    sysctl --quiet --load="$state/sysctl"
    settings=$(cat "$state/sysctl")
  fi
  rm -rf "$state"
  nothing_is_left() { leftovers "$settings" >&2 && [ -z "$(leftovers "$settings")" ]; }
  eventually 10 "not everything is gone from the machine" nothing_is_left
  [ "${1:-}" = quietly ] || say "down"
}

load() {
  local i archive pids=() pid
  for ((i = 1; i <= 9; i++)); do
    node_is_on "$i" || continue
    (for archive in "$@"; do in_node "$i" "$containers/ctr" --namespace k8s.io images import "$(realpath "$archive")" >/dev/null; done) &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || fail "an image was not taken, see above"; done
}

# Ends the cluster when the other end of its standard input is gone, for whatever reason.
keep() {
  trap '' INT TERM HUP
  cat >/dev/null
  down quietly
}

# One of those that are told side by side, in a process group of its own.
tell() {
  local start=$SECONDS
  setsid "scripts/cluster/stories/$1.sh" &
  echo $! >"$state/story-$1.pid"
  wait $! || return 1
  say "story $1: $((SECONDS - start)) s"
}

run() {
  local story i tellers=() failed=() start=$SECONDS stories=("$@")
  [ $# -gt 0 ] || stories=(dev staging prod)
  for story in "${stories[@]}"; do
    [ -x "scripts/cluster/stories/$story.sh" ] || { echo "cluster: there is no story '$story' in scripts/cluster/stories" >&2; exit 2; }
  done
  need_root
  check_that_none_is_on
  local report=${CARGO_TARGET_DIR:-target}/reports/cluster
  mkdir -p "$(dirname "$report")"
  rm -f "$report.tsv" "$report-usage.tsv"
  export WATTLINE_CLUSTER_REPORT=$report.tsv
  # Nobody else may hold it: what is started below closes 7.
  exec 7> >(exec setsid "$0" _keep)
  trap 'exec 7>&-; while [ -e "$state" ]; do sleep 0.2; done' EXIT
  up
  load "$images"/services/*.tar "$images"/public/*.tar
  touch "$state/images"
  for story in "${stories[@]}"; do
    tell "$story" 7>&- &
    tellers+=($!)
  done
  for i in "${!stories[@]}"; do wait "${tellers[i]}" || failed+=("${stories[i]}"); done
  print_report "$report"
  [ ${#failed[@]} = 0 ] || fail "failed: ${failed[*]}"
  say "all green in $((SECONDS - start)) s"
}

# What the stories have written down, as a table.
print_report() {
  [ -e "$1.tsv" ] || return 0
  {
    printf '# The charts on real nodes\n\n%s, %s, %s cores.\n\n' "$(date -u +%FT%TZ)" "$(git describe --always --dirty)" "$(nproc)"
    printf '| what happens | | nothing new stored for | no PUBACK for |\n| --- | --- | --- | --- |\n'
    # Each environment's in their order.
    as_rows() { sort --stable --field-separator=: --key=1,1 "$1" | sed 's/\t/ | /g; s/^/| /; s/$/ |/'; }
    as_rows "$1.tsv"
    if [ -e "$1-usage.tsv" ]; then
      printf '\n| when | component | pods | mCPU asked for | used | MiB asked for | used | allowed |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n'
      as_rows "$1-usage.tsv"
    fi
  } | tee "$1.md"
}

enter_shell() {
  machine_is_on || fail "no cluster is there: '$0 up' starts one"
  scripts/cluster/pages.sh
  in_cluster "${SHELL:-/bin/bash}"
}

command=${1:-}
[ $# = 0 ] || shift
case $command in
  prepare) need_root; prepare ;;
  up) up "$@" ;;
  down) need_root; read_tools; down ;;
  run) run "$@" ;;
  shell) read_tools; enter_shell ;;
  k) read_tools; k "$@" ;;
  in) read_tools; in_cluster "$@" ;;
  node-on) read_tools; node_on "$1" ;;
  node-off) read_tools; node_off "$1" ;;
  in-node) read_tools; in_node "$@" ;;
  load) read_tools; load "$@" ;;
  _keep) read_tools; keep ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac
