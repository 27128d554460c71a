#!/usr/bin/env bash
# Builds everything once and runs the tests: `scripts/test.sh [cargo test arguments]`.
set -euo pipefail
cd "$(dirname "$0")/.."
# Doc tests have no binary to link against the real servers and would be compiled one by one; there are none.
if [ $# -eq 0 ]; then set -- --workspace; fi
# The whole-path tests start the services' binaries. Built together with the tests, libraries have the same features
# and nothing is compiled twice.
cargo build --release --locked --workspace --lib --bins --tests
exec cargo test --release --locked --lib --bins --tests --no-fail-fast "$@"
