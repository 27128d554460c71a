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

# How the program ended the Job says, not the log: of a node that is away that never ends, nor of a pod that can't start.
"${own[@]}" logs --follow --pod-running-timeout=5m "job/$name" &
log=$!
follows() { kill -0 "$log" 2>/dev/null; }
ended=
without_log=0
while [ -z "$ended" ]; do
  sleep 1
  case $("${own[@]}" get job "$name" --output=jsonpath='{.status.succeeded} {.status.failed}') in
    1*) ended=0 ;;
    *\ 1) ended=1 ;;
    *) follows || without_log=$((without_log + 1)) ;;
  esac
  [ "$without_log" -lt 60 ] || { printf 'job %s has not ended\n' "$name" >&2; exit 1; }
done
for ((waited = 0; waited < 10; waited++)); do
  follows || exit "$ended"
  sleep 1
done
printf 'job %s has ended, its log has not: it may be cut\n' "$name" >&2
exit "$ended"
