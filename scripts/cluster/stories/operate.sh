#!/usr/bin/env bash
# What an operator does, and what he gets wrong, on staging under a load with books: another version there and back, images
# and Secrets that are wrong and their cures, certificates renewed, a backup restored.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh
alone_in staging

version=$(sed -n 's/^appVersion: "\(.*\)"$/\1/p' charts/wattline/Chart.yaml)
n() { k --namespace staging "$@"; }
# Without the Jobs' own.
uids() { n get pods --selector 'app.kubernetes.io/part-of=wattline,!batch.kubernetes.io/job-name' --output 'jsonpath={.items[*].metadata.uid}'; }
# What a person sees of pods that don't run.
waiting() {
  n get pods --output 'jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].state.waiting.reason}{"\n"}{end}' | grep -E "$1"
}
ready_again() { eventually 300 "not everything in staging is ready again" all_is_ready staging; }
# A row of what happened since the last one, once everything is ready and stored on.
done_with() { ready_again; flow 200; gap_row "staging: $1" "$2" "$(mark)"; }

# The same programs under another name: what changes are charts, hooks and every pod. Two versions' programs side by side
# are `make failover`'s.
load_images
for node in 1 2 3; do
  for image in mqtt-ingest timescale-sink aggregator query-api wattlinectl; do
    in_node "$node" "$containers/ctr" --namespace k8s.io images tag "docker.io/wattline/$image:$version" "docker.io/wattline/$image:next" >/dev/null
  done
done

from_nothing staging
load_on staging

mark >/dev/null
start=$SECONDS
install staging --set global.image.tag=next
done_with "another version" "upgraded in $((SECONDS - start)) s"
start=$SECONDS
helm rollback wattline --namespace staging --wait --timeout 5m >/dev/null || fail "no rollback"
done_with "and back by \`helm rollback\`" "in $((SECONDS - start)) s"

# Its first hook doesn't come up: nothing else has been touched.
before=$(uids)
if helm upgrade wattline charts/wattline --namespace staging --values charts/wattline/values-staging.yaml --set global.image.tag=missing \
  --rollback-on-failure --wait --timeout 60s >"$state/refused.log" 2>&1; then fail "an image that is nowhere was upgraded to"; fi
[ "$(uids)" = "$before" ] || fail "an upgrade that was refused has touched pods"
done_with "an upgrade to an image that is nowhere" "refused after its first hook; no pod touched"

# One service's image only: a StatefulSet replaces its pod by one that never starts. The broker keeps what meters send.
if helm upgrade wattline charts/wattline --namespace staging --values charts/wattline/values-staging.yaml --set mqtt-ingest.image.tag=missing \
  --wait --timeout 60s >"$state/refused.log" 2>&1; then fail "an image that is nowhere was upgraded to"; fi
seen=$(waiting 'ErrImagePull|ImagePullBackOff') || fail "no pod says that its image is nowhere"
helm rollback wattline --namespace staging >/dev/null || fail "no rollback"
n delete pod wattline-mqtt-ingest-0 >/dev/null
done_with "an image of one service that is nowhere" "seen: $seen; back by \`helm rollback\` and the pod's deletion"

# A Secret that says another password than the broker has.
password=$(secret staging wattline-mqtt-passwords ingest)
set_password() { n patch secret wattline-mqtt-passwords --type merge --patch "{\"stringData\": {\"ingest\": \"$1\"}}" >/dev/null; }
set_password wrong
n delete pod wattline-mqtt-ingest-0 >/dev/null
# Of a log's line.
message() { python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["message"])'; }
says() { n logs wattline-mqtt-ingest-0 | grep -q "$1"; }
eventually 90 "mqtt-ingest does not say that its password is wrong" says 'mqtt.password'
seen=$(n logs wattline-mqtt-ingest-0 | grep -m 1 'mqtt.password' | message)
set_password "$password"
n delete pod wattline-mqtt-ingest-0 >/dev/null
done_with "a Secret with a wrong password" "seen: $seen"

# A role whose password has expired.
psql() { n exec wattline-timescaledb-0 --container timescaledb -- psql --username postgres --quiet --tuples-only --no-align "$@"; }
psql --command "ALTER ROLE wattline_sink VALID UNTIL '2020-01-01'" --command "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'wattline_sink'" >/dev/null
says_sink() { n logs wattline-timescale-sink-0 --since 60s | grep -q "$1"; }
eventually 90 "the sink does not say that its password is refused" says_sink 'password authentication failed'
seen=$(n logs wattline-timescale-sink-0 --since 60s | grep -m 1 'password authentication failed' | message)
install staging
done_with "an expired password of the sink's role" "seen: $seen; cured by \`helm upgrade\`, whose migration sets it anew"

# Every server's certificate made anew, and each server restarted, as docs/kubernetes.md has it.
certificates=$(n get certificates --output json | python3 -c '
import json, sys
print(*(item["spec"]["secretName"] for item in json.load(sys.stdin)["items"] if not item["spec"].get("isCA")))')
[ -n "$certificates" ] || fail "staging has no certificates"
for name in $certificates; do n delete secret "$name" >/dev/null; done
renewed() { local name; for name in $certificates; do n get secret "$name" >/dev/null || return 1; done; }
eventually 120 "cert-manager does not make the certificates again" renewed
n rollout restart statefulset wattline-kafka wattline-timescaledb wattline-mqtt >/dev/null
done_with "certificates made anew" "$(wc -w <<<"$certificates") of them, servers restarted"

# A dump of now put in the database's place later, while everything runs: what came between is read from Kafka again.
in_cluster scripts/dumps.sh staging make >"$state/dumps.log" 2>&1 || { cat "$state/dumps.log" >&2; fail "no dump was made"; }
flow 1000
dump=$(in_cluster scripts/dumps.sh staging list | awk '{ print $NF }' | tail -n 1)
in_cluster scripts/dumps.sh staging get "$dump" >"$state/of_staging.dump"
# In the pod of the primary: the end of each connection would end `kubectl port-forward`.
restore() {
  n exec --stdin wattline-timescaledb-0 --container timescaledb -- env WATTLINE__DATABASE__URL='postgres:///wattline?user=postgres' \
    bash -c "$(cat scripts/backup.sh)" backup.sh restore - <"$state/of_staging.dump"
}
start=$SECONDS
restore >"$state/restore.log" 2>&1 || { cat "$state/restore.log" >&2; fail "the dump was not restored"; }
done_with "a dump restored under load" "$(du -h "$state/of_staging.dump" | cut -f1)iB, in $((SECONDS - start)) s"
load_off staging

# The same into a release that knows nothing, whose Kafka is another one.
count() { psql --dbname wattline --command 'SELECT count(*) FROM reading'; }
in_cluster scripts/dumps.sh staging make >"$state/dumps.log" 2>&1 || { cat "$state/dumps.log" >&2; fail "no dump was made"; }
before=$(count)
dump=$(in_cluster scripts/dumps.sh staging list | awk '{ print $NF }' | tail -n 1)
in_cluster scripts/dumps.sh staging get "$dump" >"$state/of_staging.dump"
uninstall staging
eventually 120 "the release before stays" is_empty staging
from_nothing staging
restore >"$state/restore.log" 2>&1 || { cat "$state/restore.log" >&2; fail "the dump was not restored"; }
[ "$(count)" = "$before" ] || fail "of $before readings $(count) are in the new release"
for topic in wattline.readings.v1 wattline.dead-letters.v1; do
  in_cluster scripts/wattlinectl-job.sh staging offsets reset --topic "$topic" >/dev/null
done
ready_again
LOAD_NODE='' load_on staging
flow 400
load_off staging
row "staging: a dump restored into a fresh release" "$before readings" "all there, and new ones stored" ""
uninstall staging
