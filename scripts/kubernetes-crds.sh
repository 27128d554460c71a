#!/usr/bin/env bash
# Puts the definitions of the cluster layer's resources into a folder, for `make kubernetes` on a machine that has none:
# `scripts/kubernetes-crds.sh FOLDER`. They come out of the projects' own Go modules, and nothing is built.
set -euo pipefail
[ $# = 1 ] || { sed -n 's/^# //;2,3p' "$0" >&2; exit 64; }

# module@version, its checksum as in a go.sum, the files; versions as charts/platform/README.md names them.
readonly MODULES="
github.com/cert-manager/cert-manager@v1.21.1 h1:0LttV37Q5c2CBNoHkjuI8sLKTXWZDC2SwQkxrBMKV9w= deploy/crds/cert-manager.io_*.yaml
github.com/kedacore/keda/v2@v2.20.2 h1:SR60v8uIcelbveS8n/1jcl8tLdBBIbHMxmdOHw8tKqA= config/crd/bases/keda.sh_*.yaml
github.com/prometheus-operator/prometheus-operator@v0.93.0 h1:AohlYJT+En8TmNpAcEUJ3GsaJTAqfEBwHmGTVpRm/Io= example/prometheus-operator-crd/*.yaml
sigs.k8s.io/gateway-api@v1.6.1 h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY= config/crd/standard/gateway.networking.k8s.io_*.yaml
"

fail() { printf 'kubernetes crds: %s\n' "$*" >&2; exit 1; }
command -v go >/dev/null || fail "'go' is missing: install Go 1.26 or newer first"

mkdir -p "$1"
folder=$(realpath "$1")
while read -r module sum files; do
  [ -n "$module" ] || continue
  # Outside of any module, so that none is asked for.
  answer=$(cd / && go mod download -json "$module") || fail "$module: $answer"
  value() { sed -n "s/^\t\"$1\": \"\(.*\)\",*\$/\1/p" <<<"$answer"; }
  [ "$(value Sum)" = "$sum" ] || fail "$module is $(value Sum), and not $sum as pinned"
  (cd "$(value Dir)" && install -m 644 $files "$folder/")
done <<<"$MODULES"
printf 'kubernetes crds: %s definitions in %s\n' "$(find "$folder" -name '*.yaml' | wc -l)" "$folder"
