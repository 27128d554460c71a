#!/usr/bin/env bash
# Images without Docker, as OCI archives that `ctr images import` takes:
#
# services BINARIES OUT   the Dockerfile's images, and wattline/loadtest:1 for a load from within a cluster, of the programs
#                         in the folder BINARIES. They say VERSION and REVISION, by default the tree's own.
# stand-ins OUT           what stands in for the public images that the charts name, of Debian 13's packages and the jars of
#                         scripts/install-debian.sh; docs/images.md says how true each is. Needs root, Debian and a JDK; it
#                         stays in the cache folder, so a second run takes seconds.
# try OUT [TRIAL…]        starts each stand-in as the charts render it, in a container of its own by runc (Debian's package),
#                         with no network but a loopback: mosquitto, kafka, kafka_exporter, timescaledb, patroni, artemis. As
#                         `compose`, which must be named, it runs compose.yaml; that needs the archives of `services`, too.
# check                   that the first are what the Dockerfile makes, that the charts and compose.yaml name no image that
#                         nobody makes, and that deliberate mistakes are found. Seconds; builds nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

# Not one of the Dockerfile's.
readonly LOADTEST=wattline/loadtest:1

say() { printf 'images: %s\n' "$*"; }
fail() { printf 'images: %s\n' "$*" >&2; exit 1; }
oci() { python3 scripts/images/oci.py "$@"; }
dockerfile() { python3 scripts/images/dockerfile.py "$@"; }

# With helm and the YAML reader that the charts' checks have.
with_charts() {
  local tools
  tools=$(scripts/charts.sh path)
  PATH=$tools:$PATH PYTHONPATH=${tools%/bin}/python "$@"
}

# As the charts render them: REPOSITORY:TAG, for an empty tag with the charts' own version.
chart_images() {
  awk -v version="$(sed -n 's/^appVersion: *//p' charts/wattline/Chart.yaml | tr -d '"')" '
    $1 == "repository:" { repository = $2 }
    $1 == "tag:" && repository { tag = $2; gsub(/"/, "", tag); print repository ":" (tag ? tag : version); repository = "" }
  ' charts/*/values.yaml | sort -u
}

# The one name with its tag that the charts have for a repository.
chart_image() {
  local found
  found=$(chart_images | grep "^$1:") || fail "the charts name no image $1"
  [ "$(wc -l <<<"$found")" = 1 ] || fail "the charts name $1 with several tags"
  printf '%s\n' "$found"
}

say_made() {
  local file=$1 name=$2
  say "$name: $(du --apparent-size --block-size=1 "$file" | awk '{ printf "%.1f MB", $1 / 1e6 }')"
}

make_service() {
  local service=$1 program=$2 name=$3 work=$4
  [ -x "$program" ] || fail "$program is missing: build it, or name the folder of the programs"
  # The build stage's umask. Its owner is root: an archive's too, whoever makes it.
  (umask 022 && scripts/image-root.sh "$program" "$work/$service" >/dev/null)
  oci layer "$work/$service" "$work/layer.tar" --owner 0:0 >/dev/null
  dockerfile config "$service" "VERSION=${name##*:}" "REVISION=$revision" >"$work/config.json"
  oci archive "$out/$service.tar" --name "$name" --config "$work/config.json" --layer "$work/layer.tar" >/dev/null
  say_made "$out/$service.tar" "$name"
}

make_services() {
  local binaries=$1 out=$2 service name work services revision
  services=$(dockerfile services)
  revision=${REVISION:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
  work=$(mktemp -d)
  # Its value now: a function's variables are gone when the script ends.
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  mkdir -p "$out"
  for service in $services; do
    name=$(chart_image "wattline/$service")
    make_service "$service" "$binaries/$(dockerfile binary "$service")" "${name%:*}:${VERSION:-${name##*:}}" "$work"
  done
  make_service loadtest "$binaries/wattline-loadtest" "$LOADTEST" "$work"
}

case "${1:-}" in
  services)
    [ $# = 3 ] || fail "usage: scripts/images.sh services BINARIES OUT"
    make_services "$2" "$3"
    ;;
  stand-ins)
    [ $# = 2 ] || fail "usage: scripts/images.sh stand-ins OUT"
    # shellcheck source=scripts/images/stand-ins.sh
    . scripts/images/stand-ins.sh
    make_stand_ins "$2"
    ;;
  try)
    [ $# -ge 2 ] || fail "usage: scripts/images.sh try OUT [TRIAL…]"
    command -v runc >/dev/null || fail "'runc' is missing: apt-get install runc"
    with_charts scripts/charts.sh dependencies
    with_charts python3 scripts/images/trial.py "${@:2}"
    ;;
  check)
    with_charts python3 scripts/images/check.py
    ;;
  *) fail "usage: scripts/images.sh services BINARIES OUT | stand-ins OUT | try OUT | check" ;;
esac
