#!/usr/bin/env bash
# Measures Wattline on stacks of its own: every stage alone and the whole path, at full speed and at steady rates.
#
#   scripts/bench.sh                       all stages of this build; reports in loadtest/reports
#   scripts/bench.sh --stage steady …      only these stages
#   scripts/bench.sh --against DIR         this build and the programs in DIR in turns; medians and ratios
#                                          The load generator of this build reads table sink_outcome: beside the services
#                                          of a build without it, put this build's wattline-stack and wattlinectl into DIR.
#   scripts/bench.sh --traces RATIO …      this build without traces and with, in turns; medians and ratios: what it costs
#                                          to send the spans of so large a share of the messages to a collector
#
#   --rounds N      how often each build is measured; 1, with --against and --traces 5
#   --report DIR    for the reports; with --against and --traces the default is a folder below the temporary one, which
#                   stays
#   --dir DIR       for the stacks' data; a temporary folder without it
#   --broker-save-s N   seconds from one save of the broker's queues to the next; 3600. The stage `saving` has 1.
#   --payload-bytes N   messages are filled up to so many bytes
#   --seconds N     for the stages idle and ask; 30 and 15
#
# Stages, in this order; with --against and --traces the default is door, sink, whole, steady and idle:
#   door      MQTT to Kafka, as fast as it goes; sink, aggregator and query-api stand still
#   sink      Kafka to the store from a filled topic; the others stand still
#   whole     the whole path as fast as it goes
#   mixed     the same with devices of all families, three times in turns with `whole`
#   steady    10,000 messages per second of meters that catch up
#   fleet     370, 1,000 and 10,000 messages per second of meters in real time
#   disturbed duplicates, conflicts, garbage
#   ask       query-api asked by four at once
#   idle      nothing is sent, on servers that are warm: share of a core and memory of each process
#   saving    whole and steady where the broker saves its queues each second; a stack of its own
#   decode    ns per message of each decoder; with --against DIR needs DIR/bench-decode, which
#             `scripts/bench.sh --stage decode` leaves beside the programs
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${CARGO_TARGET_DIR:-target}/release
against="" traces="" rounds="" report="" dir="" save_s=3600 seconds=""
collector_address=127.0.0.1:4318
stages=() load=()
while [ $# -gt 0 ]; do
    case $1 in
        --stage) stages+=("$2") ;;
        --against) against=$2 ;;
        --traces) traces=$2 ;;
        --rounds) rounds=$2 ;;
        --report) report=$2 ;;
        --dir) dir=$2 ;;
        --broker-save-s) save_s=$2 ;;
        --payload-bytes) load+=(--payload-bytes "$2") ;;
        --seconds) seconds=$2 ;;
        *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
    esac
    shift 2
done
known="door sink whole mixed steady fleet disturbed ask idle saving decode"
for stage in "${stages[@]}"; do
    [[ " $known " == *" $stage "* ]] || { echo "there is no stage $stage: $known" >&2; exit 2; }
done
if [ ${#stages[@]} -eq 0 ]; then
    if [ -n "$against$traces" ]; then stages=(door sink whole steady idle); else read -ra stages <<<"$known"; fi
fi
if [ -n "$against" ] && [ ! -x "$against/wattline-stack" ]; then
    echo "$against holds no wattline-stack: name the folder of the other build's programs" >&2
    exit 2
fi
if [ -n "$against" ] && [ -n "$traces" ]; then
    echo "--against compares two builds, --traces one with itself: give one of them" >&2
    exit 2
fi
rounds=${rounds:-$([ -n "$against$traces" ] && echo 5 || echo 1)}
if [ -z "$dir" ]; then
    dir=$(mktemp -d) temporary=yes
fi
mkdir -p "$dir"
report=${report:-$([ -n "$against$traces" ] && mktemp -d || echo loadtest/reports)}
json=$dir/stack.json

# What traces are measured against; it throws spans away.
collector=""
if [ -n "$traces" ]; then
    "$bin/wattline-loadtest" collector --listen "$collector_address" &
    collector=$!
fi

stack=""
down() {
    [ -z "$stack" ] && return
    kill -TERM "$stack" 2>/dev/null || true
    wait "$stack" 2>/dev/null || true
    stack=""
    rm -rf "$dir/stack"
}
cleanup() {
    down
    [ -z "$collector" ] || { kill -TERM "$collector" 2>/dev/null && wait "$collector"; } || true
    [ -z "${temporary:-}" ] || rm -rf "$dir"
}
trap cleanup EXIT

# up BIN SAVE_S: a new stack of the programs in BIN.
up() {
    down
    "$1/wattline-stack" up --dir "$dir/stack" --services --broker-save-s "$2" --json "$json" >"$dir/up.log" 2>&1 &
    stack=$!
    for _ in $(seq 180); do
        [ -f "$json" ] && return
        kill -0 "$stack" 2>/dev/null || { cat "$dir/up.log" >&2; exit 1; }
        sleep 1
    done
    cat "$dir/up.log" >&2
    echo "the stack was not ready within 180 s; see above" >&2
    exit 1
}

# The load generator is always this build's: both builds are measured by the same one.
measure() { "$bin/wattline-loadtest" "$@" --stack "$json" --report "$out"; }
run() { measure run --scenario "loadtest/scenarios/$1.toml" --name "run-$1${2:-}$suffix" "${load[@]}"; }

# stage NAME BIN: one stage on the stack that is up.
stage() {
    case $1 in
        idle) measure idle --name "idle$suffix" --seconds "${seconds:-30}" ;;
        door) measure door --scenario loadtest/scenarios/whole-path.toml --name "door$suffix" "${load[@]}" ;;
        sink) measure sink --readings 500 --name "sink$suffix" ;;
        whole) run whole-path ;;
        mixed) mixed ;;
        steady) run steady ;;
        fleet) for rate in 370 1000 10000; do run "fleet-$rate"; done ;;
        disturbed) run disturbed ;;
        ask) measure ask --name "ask$suffix" --seconds "${seconds:-15}" ;;
        saving) up "$2" 1; run whole-path -saving; run steady -saving; up "$2" "$save_s" ;;
        decode) decode "$2" ;;
    esac
}

# Messages per second until all was stored.
per_s() {
    awk -F'[:,]' '/"rates"/ { in_rates = 1 } in_rates && /"count"/ && !count { count = $2 }
        in_rates && /"stored_s"/ && !seconds { seconds = $2 } END { printf "%.0f", count / seconds }' \
        "$(ls -t "$out"/*-run-"$1$suffix".json | head -n 1)"
}
# Devices of all families against Wattline's own JSON: in turns on one stack, since a shared machine is not as fast in one
# minute as in the next.
mixed() {
    local turns=3 ratios=() turn own mixed
    for turn in $(seq $turns); do
        run whole-path
        "$bin/wattline-loadtest" run --scenario loadtest/scenarios/mixed.toml --name "run-mixed$suffix" \
            --stack "$json" --report "$out"
        own=$(per_s whole-path) mixed=$(per_s mixed)
        ratios+=("$(awk "BEGIN { printf \"%.2f\", $mixed / $own }")")
        echo "turn $turn of $turns: mixed traffic $mixed messages/s, own JSON $own; ratio ${ratios[-1]}"
    done
    echo "mixed traffic against own JSON, median of $turns: $(printf '%s\n' "${ratios[@]}" | sort -n | sed -n "$(((turns + 1) / 2))p")"
}

# decode BIN: the benchmark's program is built by cargo where BIN is this build's, and stays beside the programs.
decode() {
    local program=$1/bench-decode
    if [ "$1" = "$bin" ]; then
        cargo bench --profile release --locked -p wattline-routes --bench decode --no-run --message-format json 2>/dev/null |
            sed -n 's/.*"name":"decode".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1 | xargs -I{} cp {} "$program"
    fi
    if [ ! -x "$program" ]; then
        echo "$program is missing: decoders are not compared" >&2
        return
    fi
    mkdir -p "$out"
    "$program" --bench | tee "$out/$(date -u +%F)-decode$suffix.md"
}

begun=$SECONDS
for round in $(seq "$rounds"); do
    suffix=$([ "$rounds" -gt 1 ] && echo "-$round" || true)
    for side in ${against:+old} ${traces:+without} new; do
        side_bin=$bin out=$report
        unset WATTLINE__TRACES__ENDPOINT WATTLINE__TRACES__SAMPLE_RATIO
        if [ -n "$traces" ]; then
            out=$report/$side
            if [ "$side" = new ]; then
                out=$report/with
                export WATTLINE__TRACES__ENDPOINT=http://$collector_address WATTLINE__TRACES__SAMPLE_RATIO=$traces
            fi
            echo "round $round of $rounds, ${out##*/} traces"
        fi
        if [ -n "$against" ]; then
            out=$report/$side
            [ "$side" = new ] || side_bin=$against
            echo "round $round of $rounds, $side"
        fi
        [ "${stages[*]}" = decode ] || up "$side_bin" "$save_s"
        for name in "${stages[@]}"; do
            stage "$name" "$side_bin"
        done
        down
    done
done
if [ -n "$against" ]; then
    "$bin/wattline-loadtest" compare "$report/old" "$report/new" | tee "$report/compare.md"
    echo "reports of each round: $report"
fi
if [ -n "$traces" ]; then
    echo "traces of a share of $traces: old is without, new with"
    "$bin/wattline-loadtest" compare "$report/without" "$report/with" | tee "$report/compare.md"
    echo "reports of each round: $report"
fi
echo "measured in $(((SECONDS - begun) / 60)) min $(((SECONDS - begun) % 60)) s"
