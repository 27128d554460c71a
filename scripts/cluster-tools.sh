#!/usr/bin/env bash
# Builds what a cluster of real nodes has beside Kubernetes itself, from the modules in tools/cluster, and prints the folder
# that holds it: CoreDNS, the provisioner of local volumes, network policies, metrics, what Kubernetes says of its objects, and KEDA.
#
# 15 CPU minutes. Each module's programs stay in the cache folder under the hash of its files and the flags, linked into the
# one folder that is printed: a change of one module builds no other.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly MODULES=tools/cluster
readonly FLAGS=(-trimpath -ldflags "-s -w")

say() { printf 'cluster tools: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# What a module builds: its own program, named after its folder, or those of its go.mod's `tool` lines.
packages() {
  if [ -e "$1/main.go" ]; then echo .; else go -C "$1" mod edit -json | python3 -c '
import json, sys
for tool in json.load(sys.stdin)["Tool"]: print(tool["Path"])'; fi
}

# KEDA's programs have names that say nothing without it, and a version is no name.
name_of() {
  local module=$1 package=$2 name
  name=$(basename "$package")
  case $module in
    keda) echo "keda-$name" ;;
    *) if [ "$package" = . ] || [[ $name =~ ^v[0-9]+$ ]]; then echo "$module"; else echo "$name"; fi ;;
  esac
}

# An image holds the program and nothing else, so that the time zones of CronJobs are in it, or it ends at the first one.
flags_of() { [ "$1" != kube-state-metrics ] || echo -tags=timetzdata; }

# What the module says a cluster must be told for its programs: objects for `kubectl kustomize`.
copy_objects() {
  local module=$1 part=$2 path folder
  case $module in
    keda) path=github.com/kedacore/keda/v2 folder=config ;;
    metrics-server) path=sigs.k8s.io/metrics-server folder=manifests/base ;;
    kube-state-metrics) path=k8s.io/kube-state-metrics/v2 folder=examples/standard ;;
    *) return 0 ;;
  esac
  cp -r --no-preserve=mode "$(go -C "$MODULES/$module" list -m -f '{{.Dir}}' "$path")/$folder" "$part/objects"
}

build_module() {
  local module=$1 path=$MODULES/$1 part package name start=$SECONDS
  part=$cache/cluster-$module-$( (cat "$path"/go.mod "$path"/go.sum "$path"/*.go 2>/dev/null; printf '%s\n' "${FLAGS[@]}"; flags_of "$module") | sha256sum | cut -c1-16)
  if [ ! -e "$part/complete" ]; then
    mkdir -p "$part"
    for package in $(packages "$path"); do
      name=$(name_of "$module" "$package")
      say "building $name"
      # shellcheck disable=SC2046 # One word or none.
      go -C "$path" build "${FLAGS[@]}" $(flags_of "$module") -o "$part/$name" "$package" || fail "$name was not built, see above"
    done
    copy_objects "$module" "$part"
    touch "$part/complete"
    say "$module: $((SECONDS - start)) s"
  fi
  find "$cache" -maxdepth 1 -type d -name "cluster-$module-*" ! -path "$part" -exec rm -rf {} +
  find "$part" -maxdepth 1 -type f -perm -u+x -exec ln -sf -t "$links" {} +
  [ ! -e "$part/objects" ] || ln -sfn "$part/objects" "$links/$module-objects"
}

command -v go >/dev/null || fail "'go' is missing: install Go 1.26 or newer first"
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false
cache=$(scripts/cache-folder.sh)
links=$cache/cluster-tools
mkdir -p "$links"
# Two runs at once would build the same twice.
exec 9>"$cache/cluster-tools.lock"
flock -n 9 || { say "another run is at work, waiting for it"; flock 9; }
renice -n 10 $$ >/dev/null 2>&1 || true
find "$links" -type l -delete
for path in "$MODULES"/*/; do build_module "$(basename "$path")"; done
printf '%s\n' "$links"
