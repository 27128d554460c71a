#!/usr/bin/env bash
# dev from nothing: one command, `helm test`, a load with books, and every pod killed once under it.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh
alone_in dev

from_nothing dev
load_on dev
for component in timescale-sink aggregator mqtt-ingest query-api mqtt kafka timescaledb; do
  kill_pods dev "$component"
done
load_off dev
uninstall dev
