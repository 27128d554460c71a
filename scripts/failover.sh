#!/usr/bin/env bash
# The failovers and the upgrade under load, round after round, and the table of their gaps:
# `scripts/failover.sh [kafka|database|broker|mirror|upgrade …]`, all by default. WATTLINE_FAULT_ROUNDS=n, 3 by default.
#
# The upgrade comes from the programs in WATTLINE_OLD_BIN. Without it those of WATTLINE_OLD_REF are built once, into the
# cache: by default the newest tag, and as long as there is none the last commit before the schema grew.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
readonly BEFORE_MIGRATION_5=905a754
target=${CARGO_TARGET_DIR:-$root/target}
stories=("$@")
[ $# -gt 0 ] || stories=(kafka database broker mirror upgrade)
# A name that no test has would run nothing, and be green.
for story in "${stories[@]}"; do
  grep -qs "tokio::test" "tests/it/failover/$story.rs" || { echo "failover: there is no story '$story' in tests/it/failover" >&2; exit 2; }
done

say() { printf 'failover: %s\n' "$*"; }

# Prints the folder with the programs of a commit.
build_version() {
  local commit=$1 folder program
  folder=$(scripts/cache-folder.sh)/version-$commit
  if [ ! -e "$folder/complete" ]; then
    say "building $commit into $folder" >&2
    rm -rf "$folder"
    mkdir -p "$folder"
    git worktree prune
    git worktree add --quiet --force --detach "$folder/tree" "$commit"
    # Beside this version's own: dependencies that both have are compiled once.
    (cd "$folder/tree" && cargo build --release --locked --workspace --bins --target-dir "$target") >&2
    for program in wattline-mqtt-ingest wattline-timescale-sink wattline-aggregator wattline-query-api wattlinectl; do
      cp "$target/release/$program" "$folder/"
    done
    git worktree remove --force "$folder/tree"
    touch "$folder/complete"
  fi
  printf '%s\n' "$folder"
}

if [[ " ${stories[*]} " = *" upgrade "* ]] && [ -z "${WATTLINE_OLD_BIN:-}" ]; then
  ref=${WATTLINE_OLD_REF:-$(git describe --tags --abbrev=0 2>/dev/null || printf '%s' "$BEFORE_MIGRATION_5")}
  WATTLINE_OLD_BIN=$(build_version "$(git rev-parse --short=12 "$ref^{commit}")")
  export WATTLINE_OLD_BIN
fi
cargo build --release --locked --workspace --lib --bins --tests
for program in ${WATTLINE_OLD_BIN:+"$WATTLINE_OLD_BIN"/wattline-*}; do
  if cmp --silent "$program" "$target/release/${program##*/}"; then
    say "$program is of this version, too: there is no upgrade to show"
    exit 1
  fi
done

WATTLINE_FAILOVER_REPORT=$(mktemp)
export WATTLINE_FAILOVER_REPORT
trap 'rm -f "$WATTLINE_FAILOVER_REPORT"' EXIT
failed=()
for story in "${stories[@]}"; do
  # By name through the workspace, so that features and therefore dependencies are the same as for `make test`.
  cargo test --release --locked --workspace --test it "failover::$story" -- --ignored --test-threads=1 --nocapture ||
    failed+=("$story")
done
printf '\n| what happens | rounds | stored: median (least–most), s | PUBACK: median (least–most), s |\n'
printf '| --- | --- | --- | --- |\n'
cat "$WATTLINE_FAILOVER_REPORT"
[ ${#failed[@]} = 0 ] || { say "failed: ${failed[*]}"; exit 1; }
