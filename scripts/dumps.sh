#!/usr/bin/env bash
# The dumps that a release has made of its database, on their volume in the cluster: `scripts/dumps.sh NAMESPACE make`,
# `scripts/dumps.sh NAMESPACE list` or `scripts/dumps.sh NAMESPACE get DUMP >FILE`, such as `scripts/dumps.sh prod list`.
# The release is called wattline, unless RELEASE says otherwise. scripts/backup.sh restores what `get` prints.
set -euo pipefail
usage() { sed -n 's/^# //;2,3p' "$0" >&2; exit 64; }
[ $# -ge 2 ] || usage

namespace=$1 command=$2
cron=${RELEASE:-wattline}-timescaledb-backup
name=dumps-$(date -u +%Y%m%d-%H%M%S)-$$
own=(kubectl --namespace "$namespace")
trap '"${own[@]}" delete job "$name" --ignore-not-found --wait=false >/dev/null' EXIT

make_one() {
  "${own[@]}" create job "$name" --from="cronjob/$cron" >/dev/null
  local ended
  until ended=$("${own[@]}" get job "$name" --output=jsonpath='{.status.conditions[?(@.status=="True")].type}') && [ -n "$ended" ]; do sleep 1; done
  "${own[@]}" logs "job/$name" >&2
  case $ended in *Complete*) ;; *) echo "no dump was made, see above" >&2; exit 1 ;; esac
}

# Runs COMMAND in a pod that has the volume, as the job's own would.
beside_the_dumps() {
  local job
  job=$("${own[@]}" create job "$name" --from="cronjob/$cron" --dry-run=client --output=json)
  "${own[@]}" patch --local --filename=- --type=json --output=json <<<"$job" \
    --patch='[{"op": "replace", "path": "/spec/template/spec/containers/0/command", "value": ["sleep", "3600"]}]' |
    "${own[@]}" create --filename=- >/dev/null
  until "${own[@]}" wait pod --selector="batch.kubernetes.io/job-name=$name" --for=condition=Ready --timeout=60s >/dev/null 2>&1; do
    "${own[@]}" get job "$name" >/dev/null
    sleep 1
  done
  "${own[@]}" exec "job/$name" -- "$@"
}

case $command in
  make) make_one ;;
  list) beside_the_dumps sh -c 'cd /backup && ls -l -- *.dump' ;;
  get)
    [ $# -eq 3 ] || usage
    [ ! -t 1 ] || { echo "a dump is no text: name a file for it, as in $0 $namespace get $3 >$3" >&2; exit 64; }
    beside_the_dumps cat "/backup/${3##*/}"
    ;;
  *) usage ;;
esac
