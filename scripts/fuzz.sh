#!/usr/bin/env bash
# Fuzzes the decoders with the stable compiler: `scripts/fuzz.sh [TARGET] [RUNS]`.
# TARGET: `all`, the name of a decoder, `declarative`, `routes` or `scalars`. RUNS: of each of them, 1,000,000 by default.
# What is found is left in fuzz/target/artifacts and ends the script; `fuzz/README.md` says how to go on.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=${1:-all}
runs=${2:-1000000}
host=$(rustc -vV | sed -n 's/^host: //p')
export CARGO_TARGET_DIR=${WATTLINE_FUZZ_TARGET_DIR:-fuzz/target}
formats=crates/formats/test_data

# The coverage counters that libFuzzer reads. Only with --target do they stay out of build scripts and macros.
flags="-Cpasses=sancov-module"
for flag in level=4 inline-8bit-counters pc-table trace-compares; do
    flags="$flags -Cllvm-args=-sanitizer-coverage-$flag"
done
RUSTFLAGS="$flags" nice -n 10 cargo build --release --locked --manifest-path fuzz/Cargo.toml --target "$host" \
    --bin decode --bin declarative --bin routes --bin scalars
nice -n 10 cargo build --release --locked --manifest-path fuzz/seeds/Cargo.toml
bin=$CARGO_TARGET_DIR/$host/release

# fuzz TARGET NAME: seeds the corpus and runs. The fuzzer's own limits come beside those of fuzz/src/memory.rs.
fuzz() {
    local corpus=$CARGO_TARGET_DIR/corpus/$2 artifacts=$CARGO_TARGET_DIR/artifacts/$2
    mkdir -p "$corpus" "$artifacts"
    local families=("$2")
    [ "$1" = decode ] || mapfile -t families < <(basename -s .txt "$formats"/*.txt)
    for family in "${families[@]}"; do
        "$CARGO_TARGET_DIR/release/wattline-fuzz-seeds" "$1" "$family" "$formats" "$corpus"
    done
    WATTLINE_FAMILY=$2 nice -n 10 "$bin/$1" "$corpus" -runs="$runs" -max_len=8192 -timeout=20 -rss_limit_mb=1024 \
        -malloc_limit_mb=64 -len_control=20 -print_final_stats=1 -artifact_prefix="$artifacts/" -verbosity=0 \
        >"$CARGO_TARGET_DIR/artifacts/$2.log" 2>&1 || { tail -n 40 "$CARGO_TARGET_DIR/artifacts/$2.log" >&2; return 1; }
    echo "$2: $(sed -n 's/^stat::number_of_executed_units: *//p' "$CARGO_TARGET_DIR/artifacts/$2.log") runs, nothing found"
}

mkdir -p $CARGO_TARGET_DIR/artifacts
names=$(basename -s .txt "$formats"/*.txt | grep -vx declarative)
case $wanted in
    all)
        for name in scalars routes declarative; do fuzz "$name" "$name"; done
        for name in $names; do fuzz decode "$name"; done
        ;;
    scalars | routes | declarative) fuzz "$wanted" "$wanted" ;;
    *) fuzz decode "$wanted" ;;
esac
