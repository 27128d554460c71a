#!/usr/bin/env bash
# The charts on a real API server: `scripts/kubernetes.sh [arguments of wattline-kubernetes]`. docs/kubernetes-tests.md
# says what it shows.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$(scripts/kubernetes-tools.sh)
# As scripts/test.sh builds, or libraries would have other features and be compiled again.
cargo build --release --locked --workspace --lib --bins --tests
exec "${CARGO_TARGET_DIR:-target}/release/wattline-kubernetes" --tools "$tools" "$@"
