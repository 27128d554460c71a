#!/usr/bin/env bash
# Builds everything once and runs all tests, two programs of them at a time, for they mostly wait for servers:
# `scripts/test.sh`. With arguments it is `cargo test` with these: `scripts/test.sh --workspace --test it -- tidy`.
set -euo pipefail
cd "$(dirname "$0")/.."
# Doc tests have no binary to link against the real servers and would be compiled one by one; there are none.
what=(--release --locked --lib --bins --tests)
# The whole-path tests start the services' binaries. Built together with the tests, libraries have the same features
# and nothing is compiled twice.
cargo build --workspace "${what[@]}"
[ $# -eq 0 ] || exec cargo test "${what[@]}" --no-fail-fast "$@"

# Two lines for each program: the folder of its crate, where it runs, and its path. The largest first, they take longest.
programs() {
    cargo test --workspace "${what[@]}" --no-run --message-format=json 2>/dev/null | python3 -c '
import json, os, sys
made = [json.loads(line) for line in sys.stdin]
programs = [(os.path.dirname(m["manifest_path"]), m["executable"]) for m in made
            if m.get("executable") and m["profile"]["test"]]
for folder, program in sorted(programs, key=lambda p: -os.path.getsize(p[1])):
    print(folder, program, sep="\n")'
}

# Prints what a program says when it has ended, so that programs do not talk at once.
run() {
    local folder=$1 program=$2 said code=0 start=$SECONDS
    said=$(mktemp)
    (cd "$folder" && "$program") >"$said" 2>&1 || code=$?
    {
        flock 9
        printf '\n== %s of %s: %s s\n' "${program##*/}" "$folder" $((SECONDS - start))
        cat "$said"
    } 9>"$lock"
    rm -f "$said"
    [ "$code" = 0 ] || { echo "$folder" >>"$failed" && return 1; }
}
export -f run
lock=$(mktemp) failed=$(mktemp)
export lock failed
trap 'rm -f "$lock" "$failed"' EXIT

listed=$(programs)
[ -n "$listed" ] || { echo "test: there is no test program" >&2; exit 1; }
ran=0
xargs -d '\n' -n 2 -P 2 bash -c 'run "$@"' - <<<"$listed" || ran=$?
[ "$ran" = 0 ] || { printf '\ntest: failed in:\n' >&2; sort -u "$failed" >&2; exit 1; }
