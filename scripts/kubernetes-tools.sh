#!/usr/bin/env bash
# Builds the Go tools of tools/kubernetes, a Kubernetes control plane among them, and prints the folder that holds them.
# `scripts/kubernetes-tools.sh fake` (the default) builds what fake nodes need, `real` what real ones do; `find-fake` and
# `find-real` build nothing, and fail where they are not all there.
#
# 10–15 minutes on two cores. They stay in the cache folder of scripts/install-debian.sh, in a part whose name is the hash
# of the module's files and the flags: a second run takes no time, and a part of other files is deleted.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly MODULE=tools/kubernetes
# Of k8s.io/kubernetes in go.mod. It is stamped in: without it a server says v0.0.0 and a chart's kubeVersion refuses it.
version=$(sed -n 's|^\tk8s.io/kubernetes \(v[0-9.]*\).*|\1|p' "$MODULE/go.mod")
major_minor=${version#v}
minor=${major_minor#*.}
ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$version"
ldflags+=" -X k8s.io/component-base/version.gitMajor=${major_minor%%.*}"
ldflags+=" -X k8s.io/component-base/version.gitMinor=${minor%%.*}"
ldflags+=" -X k8s.io/client-go/pkg/version.gitVersion=$version"
readonly version ldflags
# The same flags for all tools, or they share no compiled package.
readonly FLAGS=(-trimpath -ldflags "$ldflags")
# What a fake node and its pods do, from KWOK's own module: nothing is built in.
readonly STAGES=(
  node/fast/node-initialize node/heartbeat-with-lease/node-heartbeat-with-lease
  pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete
)

say() { printf 'kubernetes tools: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Of the `tool` block, what only one kind of nodes needs.
readonly FAKE_ONLY=sigs.k8s.io/kwok/cmd/kwok
readonly REAL_ONLY='k8s.io/kubernetes/cmd/kube-proxy|k8s.io/kubernetes/cmd/kubelet'

# The packages of go.mod's `tool` block that KIND of nodes needs; the last element of a path is its program's name, but etcd's is a version.
packages() {
  local other=$REAL_ONLY
  [ "$kind" = fake ] || other=$FAKE_ONLY
  sed -n '/^tool (/,/^)/s/^\t//p' "$MODULE/go.mod" | grep -Evx "$other"
}
name_of() { case $1 in */etcd/server/v3) echo etcd ;; *) basename "$1" ;; esac }

build() {
  local package=$1 name=$2
  say "building $name"
  go -C "$MODULE" build "${FLAGS[@]}" -o "$folder/$name.new" "$package" || fail "$name was not built, see above"
  mv "$folder/$name.new" "$folder/$name"
}

# The first process of each node and pod: Kubernetes' own, which needs no library.
build_pause() {
  cc -static -Os -s -o "$folder/pause.new" "$(go -C "$MODULE" list -m -f '{{.Dir}}' k8s.io/kubernetes)/build/pause/linux/pause.c"
  mv "$folder/pause.new" "$folder/pause"
}

copy_stages() {
  local module stage
  module=$(go -C "$MODULE" list -m -f '{{.Dir}}' sigs.k8s.io/kwok)
  for stage in "${STAGES[@]}"; do
    printf -- '---\n'
    cat "$module/kustomize/stage/$stage.yaml"
  done >"$folder/stages.yaml.new"
  mv "$folder/stages.yaml.new" "$folder/stages.yaml"
}

tools_folder() {
  local recipe
  recipe=$( (cat "$MODULE/go.mod" "$MODULE/go.sum"; printf '%s\n' "${FLAGS[@]}" "${STAGES[@]}") | sha256sum | cut -c1-16)
  printf '%s/kubernetes-tools-%s\n' "$(scripts/cache-folder.sh)" "$recipe"
}

find_all() {
  local package folder
  folder=$(tools_folder)
  for package in $(packages); do
    [ -x "$folder/$(name_of "$package")" ] || return 1
  done
  [ -e "$folder/$last" ] && printf '%s\n' "$folder"
}

main() {
  command -v go >/dev/null || fail "'go' is missing: install Go 1.26 or newer first"
  local cache package name start=$SECONDS built=0
  export CGO_ENABLED=0
  cache=$(scripts/cache-folder.sh)
  folder=$(tools_folder)
  mkdir -p "$folder"
  # Two runs at once would build the same twice.
  exec 9>"$cache/kubernetes-tools.lock"
  flock -n 9 || { say "another run is at work, waiting for it"; flock 9; }
  while read -r package; do
    name=$(name_of "$package")
    if [ ! -x "$folder/$name" ]; then
      build "$package" "$name"
      built=$((built + 1))
    fi
  done < <(packages)
  [ -e "$folder/$last" ] || "$make_last"
  find "$cache" -maxdepth 1 -type d -name 'kubernetes-tools-*' ! -path "$folder" -exec rm -rf {} +
  if [ "$built" -gt 0 ]; then say "built $built in $((SECONDS - start)) s"; else say "all there ($folder)"; fi
  printf '%s\n' "$folder"
}

what=${1:-fake}
kind=${what#find-}
# `last` is what no module builds.
case $kind in
  fake) last=stages.yaml make_last=copy_stages ;;
  real) last=pause make_last=build_pause ;;
  *) fail "'$what' is none of fake, real, find-fake, find-real" ;;
esac
if [ "$what" != "$kind" ]; then
  find_all
  exit
fi
# Whoever builds in the background while tests run must not slow them down to their deadlines.
renice -n 10 $$ >/dev/null 2>&1 || true
main
