#!/usr/bin/env bash
# Draws the previews of the dashboards anew, into docs/images: from the results that the tests' queries give.
set -euo pipefail
cd "$(dirname "$0")/.."

pictures=$(mktemp -d)
trap 'rm -rf "$pictures"' EXIT
WATTLINE_PREVIEWS=$pictures scripts/test.sh --workspace previews
for picture in "$pictures"/*.svg; do
  name=$(basename "$picture" .svg)
  size=$(sed -n '1s/.* width="\([0-9]*\)[^"]*" height="\([0-9]*\)[^"]*".*/\1,\2/p' "$picture")
  # Without a sandbox, which needs rights that a container doesn't give; the page is our own file.
  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$pictures/profile" \
    --window-size="$size" --screenshot="docs/images/dashboard-$name.png" "file://$picture" >/dev/null 2>&1
  printf 'docs/images/dashboard-%s.png\n' "$name"
done
