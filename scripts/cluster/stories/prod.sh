#!/usr/bin/env bash
# prod from nothing, `helm test`, and each node powered off and on in turn under a load with books.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh
# shellcheck source=scripts/cluster/load.sh
. scripts/cluster/load.sh

load_images
make_secrets prod
start=$SECONDS
install prod
test_release prod
row "prod: from nothing to \`helm test\` passed" "$((SECONDS - start)) s" "" ""
for node in 1 2 3; do
  # The load itself is where it survives.
  LOAD_NODE=node$((node % 3 + 1)) load_on prod
  lose_node prod "$node"
  load_off prod
done
