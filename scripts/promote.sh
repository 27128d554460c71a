#!/usr/bin/env bash
# Lets an environment run what the one before it runs: the same image digests. Usage: scripts/promote.sh staging | prod
set -euo pipefail
cd "$(dirname "$0")/../charts/wattline"

fail() { printf 'promote: %s\n' "$*" >&2; exit 1; }

case "${1:-}" in
  staging) from=dev ;;
  prod) from=staging ;;
  *) fail "usage: scripts/promote.sh staging | prod" ;;
esac
readonly from to=$1 services=(mqtt-ingest timescale-sink aggregator query-api wattlinectl)

for service in "${services[@]}"; do
  grep -qE "^$service: .*sha256:[0-9a-f]{64}" "images-$from.yaml" ||
    fail "images-$from.yaml has no digest of $service: $from runs no built image that could be promoted"
done
# The first line names the environment.
{ sed "1s/that $from runs/that $to runs/" "images-$from.yaml"; } >"images-$to.yaml.new"
mv "images-$to.yaml.new" "images-$to.yaml"
printf 'promote: %s runs what %s runs:\n' "$to" "$from"
grep sha256 "images-$to.yaml"
