#!/usr/bin/env bash
# dev from nothing: one command, `helm test`, a load with books, and every pod killed once under it.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh
# shellcheck source=scripts/cluster/load.sh
. scripts/cluster/load.sh

load_images
start=$SECONDS
install dev
test_release dev
row "dev: from nothing to \`helm test\` passed" "$((SECONDS - start)) s" "" ""
load_on dev
for component in timescale-sink aggregator mqtt-ingest query-api mqtt kafka timescaledb; do
  kill_pods dev "$component"
done
load_off dev
uninstall dev
