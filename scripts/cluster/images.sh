#!/usr/bin/env bash
# The images of a cluster's own pods, as archives: images.sh OUT. Each holds one program that needs no library, and is called
# localhost/NAME:1. Called by scripts/cluster.sh.
set -euo pipefail
# shellcheck source=scripts/cluster/lib.sh
. scripts/cluster/lib.sh
read_tools
out=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# Packs the folder $work/NAME; CONFIG is what the image says of itself.
pack() {
  local name=$1 config=$2
  printf '%s\n' "$config" >"$work/config.json"
  python3 scripts/images/oci.py layer "$work/$name" "$work/layer.tar" --owner 0:0 >/dev/null
  python3 scripts/images/oci.py archive "$out/$name.tar" --name "localhost/$name:1" --config "$work/config.json" --layer "$work/layer.tar" >/dev/null
}

# PATH as user USER; in the image it is called INSIDE.
program() {
  local path=$1 user=${2:-0} name inside
  name=$(basename "$path")
  inside=${3:-$name}
  # Built once and not again, unless it or its recipe has changed.
  if [ "$out/$name.tar" -nt "$path" ] && [ "$out/$name.tar" -nt scripts/cluster/images.sh ]; then return; fi
  mkdir -p "$work/$name"
  cp -L "$path" "$work/$name/$inside"
  pack "$name" "{ \"Entrypoint\": [\"/$inside\"], \"User\": \"$user\" }"
}

pack_busybox() {
  local applet
  [ ! -e "$out/busybox.tar" ] || return 0
  mkdir -p "$work/busybox/bin" "$work/busybox/tmp"
  cp "$(command -v busybox)" "$work/busybox/bin/busybox"
  busybox --list | while read -r applet; do [ "$applet" = busybox ] || ln -s busybox "$work/busybox/bin/$applet"; done
  pack busybox '{ "Cmd": ["sh"], "Env": ["PATH=/bin"] }'
}

program "$kubernetes/pause" 65535
for name in coredns local-path-provisioner; do program "$add_ons/$name"; done
for name in metrics-server kube-state-metrics; do program "$add_ons/$name" 65534; done
# As KEDA's own objects call them.
program "$add_ons/keda-operator" 1000 keda
program "$add_ons/keda-adapter" 1000 keda-adapter
program "$add_ons/keda-webhooks" 1000 keda-admission-webhooks
pack_busybox
