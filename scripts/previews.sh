#!/usr/bin/env bash
# Draws the pictures of docs/images anew: the previews of the dashboards, from the results that the tests' queries give, and the
# live page, of a simulated street whose readings go through the whole system.
set -euo pipefail
cd "$(dirname "$0")/.."

pictures=$(mktemp -d)
stack=$(mktemp -d)
cargo build --release --locked --workspace --lib --bins --tests
target/release/wattline-stack up --dir "$stack" --services --homes 12 --json "$pictures/stack.json" >"$pictures/stack.log" 2>&1 &
street=$!
trap 'kill "$street" 2>/dev/null; wait "$street" || true; target/release/wattline-stack down --dir "$stack" >/dev/null; rm -rf "$pictures" "$stack"' EXIT
until [ -s "$pictures/stack.json" ]; do
  kill -0 "$street" 2>/dev/null || { cat "$pictures/stack.log" >&2; exit 1; }
  sleep 1
done
# What the street has behind it is stored and rolled up after some seconds.
sleep "${STREET_S:-60}"

# Home 2 has a roof with solar.
page=$(sed -n 's/.*"live_page": *"\([^"]*\)".*/\1/p' "$pictures/stack.json")
WATTLINE_PREVIEWS=$pictures WATTLINE_SCREENS=$pictures WATTLINE_PAGE="$page?meter=home-02" scripts/test.sh --workspace previews
base64 -d "$pictures/live-page.png.base64" >docs/images/live-page.png
printf 'docs/images/live-page.png\n'
for picture in "$pictures"/*.svg; do
  name=$(basename "$picture" .svg)
  size=$(sed -n '1s/.* width="\([0-9]*\)[^"]*" height="\([0-9]*\)[^"]*".*/\1,\2/p' "$picture")
  # Without a sandbox, which needs rights that a container doesn't give; the page is our own file.
  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$pictures/profile" \
    --window-size="$size" --screenshot="docs/images/dashboard-$name.png" "file://$picture" >/dev/null 2>&1
  printf 'docs/images/dashboard-%s.png\n' "$name"
done
