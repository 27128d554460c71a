#!/usr/bin/env bash
# Runs wattlinectl once in a cluster, as the database role wattline_operator, prints what it says and deletes its Job:
# `scripts/wattlinectl-job.sh NAMESPACE ARGUMENT…`, such as `scripts/wattlinectl-job.sh prod dead-letters list --since 1h`.
# The release is called wattline, unless RELEASE says otherwise. Routes and limits of mqtt-ingest are in the file
# /etc/wattline/config/mqtt-ingest.toml.
set -euo pipefail
[ $# -ge 2 ] || { sed -n 's/^# //;2,3p' "$0" >&2; exit 64; }

namespace=$1
shift
name=wattlinectl-$(date -u +%Y%m%d-%H%M%S)-$$
own=(kubectl --namespace "$namespace")

# A JSON list of the arguments.
arguments=
for argument in "$@"; do
  argument=${argument//\\/\\\\}
  arguments+=",\"${argument//\"/\\\"}\""
done
arguments="[${arguments#,}]"

job=$("${own[@]}" create job "$name" --from="cronjob/${RELEASE:-wattline}-operator" --dry-run=client --output=json)
job=$("${own[@]}" patch --local --filename=- --type=json --output=json <<<"$job" \
  --patch="[{\"op\": \"replace\", \"path\": \"/spec/template/spec/containers/0/args\", \"value\": $arguments}]")
"${own[@]}" create --filename=- <<<"$job" >/dev/null
log=
trap '[ -z "$log" ] || kill "$log" 2>/dev/null || true; "${own[@]}" delete job "$name" --wait=false >/dev/null' EXIT
printf 'job %s created with %s\n' "$name" "$("${own[@]}" get job "$name" --output=jsonpath='{.spec.template.spec.containers[0].args}')" >&2

# A container that has not started has no log, and kubectl would say so.
begin_log() {
  case $("${own[@]}" get pods --selector="batch.kubernetes.io/job-name=$name" --output=jsonpath='{.items[*].status.phase}') in
    '' | *Pending*) return ;;
  esac
  "${own[@]}" logs --follow "job/$name" &
  log=$!
  idle=0 idle_max=60
}
follows() { [ -n "$log" ] && kill -0 "$log" 2>/dev/null; }

# How the program ended the Job says, not the log: of a node that is away that never ends, nor of a pod that can't start.
ended=
idle=0 idle_max=300
while [ -z "$ended" ]; do
  sleep 1
  [ -n "$log" ] || begin_log
  case $("${own[@]}" get job "$name" --output=jsonpath='{.status.succeeded} {.status.failed}') in
    1*) ended=0 ;;
    *\ 1) ended=1 ;;
    *) follows || idle=$((idle + 1)) ;;
  esac
  [ "$idle" -lt "$idle_max" ] || { printf 'job %s has not ended\n' "$name" >&2; exit 1; }
done
[ -n "$log" ] || begin_log
for ((waited = 0; waited < 10; waited++)); do
  follows || exit "$ended"
  sleep 1
done
printf 'job %s has ended, its log has not: it may be cut\n' "$name" >&2
exit "$ended"
