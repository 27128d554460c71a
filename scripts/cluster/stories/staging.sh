#!/usr/bin/env bash
# staging from nothing, with TLS everywhere and policies that are enforced: `helm test`, a load, and its autoscalers on a real lag.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh
# shellcheck source=scripts/cluster/load.sh
. scripts/cluster/load.sh

load_images
make_secrets staging
start=$SECONDS
install staging
test_release staging
row "staging: from nothing to \`helm test\` passed" "$((SECONDS - start)) s" "" ""
load_on staging
flow 2000
load_off staging
