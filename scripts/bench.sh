#!/usr/bin/env bash
# Measures the whole path and the sink alone on a stack of its own, and leaves the reports in loadtest/reports.
# `scripts/bench.sh [DIR]`: DIR for the stack's data, a temporary folder without it.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${CARGO_TARGET_DIR:-target}/release
dir=${1:-$(mktemp -d)}
report=loadtest/reports
mkdir -p "$dir"
json=$dir/stack.json

# A save of all queues each second would take the broker's one core: see `wattline-stack up --help`.
"$bin/wattline-stack" up --dir "$dir/stack" --services --broker-save-s 3600 --json "$json" >"$dir/up.log" 2>&1 &
stack=$!
cleanup() {
    kill -TERM "$stack" 2>/dev/null || true
    wait "$stack" 2>/dev/null || true
    rm -rf "$dir"
}
trap cleanup EXIT

for _ in $(seq 180); do
    [ -f "$json" ] && break
    kill -0 "$stack" 2>/dev/null || { cat "$dir/up.log" >&2; exit 1; }
    sleep 1
done
[ -f "$json" ] || { echo "the stack was not ready within 180 s; see below" >&2; cat "$dir/up.log" >&2; exit 1; }

# Messages per second until all was stored.
per_s() {
    awk -F'[:,]' '/"rates"/ { in_rates = 1 } in_rates && /"count"/ && !count { count = $2 }
        in_rates && /"stored_s"/ && !seconds { seconds = $2 } END { printf "%.0f", count / seconds }' \
        "$(ls -t "$report"/*-run-"$1".json | head -n 1)"
}
# Devices of all families against Wattline's own JSON: in turns on one stack, since a shared machine is not as fast in one
# minute as in the next.
rounds=3 ratios=()
for round in $(seq $rounds); do
    "$bin/wattline-loadtest" run --stack "$json" --scenario loadtest/scenarios/whole-path.toml --report "$report"
    "$bin/wattline-loadtest" run --stack "$json" --scenario loadtest/scenarios/mixed.toml --report "$report"
    own=$(per_s whole-path) mixed=$(per_s mixed)
    ratios+=("$(awk "BEGIN { printf \"%.2f\", $mixed / $own }")")
    echo "round $round of $rounds: mixed traffic $mixed messages/s, own JSON $own; ratio ${ratios[-1]}"
done
echo "mixed traffic against own JSON, median of $rounds: $(printf '%s\n' "${ratios[@]}" | sort -n | sed -n "$(((rounds + 1) / 2))p")"

"$bin/wattline-loadtest" run --stack "$json" --scenario loadtest/scenarios/steady.toml --report "$report"
"$bin/wattline-loadtest" run --stack "$json" --scenario loadtest/scenarios/disturbed.toml --report "$report"
"$bin/wattline-loadtest" sink --stack "$json" --readings 500 --report "$report"
