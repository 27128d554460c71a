#!/usr/bin/env bash
# Rounds of faults under load, and their table, on standard output and as faults.md among the reports in the target folder:
# `scripts/faults.sh [story …]`, such as `network`, `clock` or `disk`; all by default. WATTLINE_FAULT_ROUNDS=n, 5 by default.
#
# The tests run in a mount namespace of their own, so that they can give servers small disks which nobody else sees.
set -euo pipefail
cd "$(dirname "$0")/.."
export WATTLINE_FAULT_ROUNDS=${WATTLINE_FAULT_ROUNDS:-5}
target=${CARGO_TARGET_DIR:-target}
stories=("$@")
[ $# -gt 0 ] || stories=("")
# A name that no test has would run nothing, and be green.
for story in "$@"; do
  grep -qs "tokio::test" "tests/it/faults/$story.rs" || { echo "faults: there is no story '$story' in tests/it/faults" >&2; exit 2; }
done

apart=(unshare --mount)
[ "$(id -u)" = 0 ] || apart=(unshare --mount --user --map-current-user --keep-caps)
"${apart[@]}" true || {
  echo "faults: no mount namespace ('${apart[*]}'), which the story 'disk' needs: run as root, or allow user namespaces" >&2
  exit 1
}
cargo build --release --locked --workspace --lib --bins --tests

report=$target/reports/faults.md
mkdir -p "$target/reports"
WATTLINE_FAULTS_REPORT=$(mktemp)
export WATTLINE_FAULTS_REPORT
trap 'rm -f "$WATTLINE_FAULTS_REPORT"' EXIT
failed=()
for story in "${stories[@]}"; do
  # By name through the workspace, so that features and therefore dependencies are the same as for `make test`.
  "${apart[@]}" cargo test --release --locked --workspace --test it "faults::$story" -- --include-ignored --test-threads=1 ||
    failed+=("${story:-some}")
done
{
  printf '# Faults under load\n\n%s, %s, %s cores.\n\n' "$(date -u +%FT%TZ)" "$(git describe --always --dirty)" "$(nproc)"
  printf '| what happens | rounds | readings sent | read back, once each | longest gap, s | largest memory of a service, MiB |\n'
  printf '| --- | --- | --- | --- | --- | --- |\n'
  cat "$WATTLINE_FAULTS_REPORT"
} | tee "$report"
[ ${#failed[@]} = 0 ] || { echo "faults: failed: ${failed[*]}" >&2; exit 1; }
