#!/usr/bin/env bash
# Prometheus reads all of staging through its network policies, and alerts reach a person: what causes them is done, and what their
# runbooks say. Two of the causes are volumes that fill up under a load with books.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh
alone_in staging

n() { k --namespace staging "$@"; }
load_images
leave_nothing staging
make_secrets staging
n create secret generic wattline-pager --from-literal=url="http://$api:9099/" >/dev/null
settings=(--set "observability.alertmanager.enabled=true,observability.alertmanager.webhook.existingSecret=wattline-pager")
install staging "${settings[@]}"
test_release staging

told=$state/told
: >"$told"
start_in_control_plane /usr/bin/python3 scripts/cluster/webhook.py "$api" 9099 "$told"
# As long as it takes in earnest nobody waits here.
scripts/cluster/monitoring.sh staging --soon 5s --secret "wattline-pager/url=$(secret staging wattline-pager url)"
prometheus() { in_control_plane_network curl --silent --fail --max-time 10 "http://$(k --namespace monitoring get pod prometheus --output 'jsonpath={.status.podIP}'):9090/api/v1/$1"; }
all_are_up() {
  prometheus targets | python3 -c '
import json, sys
data = json.load(sys.stdin)["data"]
targets = data["activeTargets"]
down = [target["scrapePool"] + ": " + target["lastError"] for target in targets if target["health"] != "up"]
if down or len({target["scrapePool"] for target in targets}) < int(sys.argv[1]): sys.exit(f"{len(targets)} targets; down: {down}")
print(len(targets))' "$(n get servicemonitors --output name | wc -l)"
}
eventually 120 "Prometheus does not read everything" all_are_up
rules_hold() {
  prometheus rules | python3 -c '
import json, sys
rules = [rule for group in json.load(sys.stdin)["data"]["groups"] for rule in group["rules"]]
broken = [rule["name"] for rule in rules if rule["health"] != "ok"]
if broken or not rules: sys.exit(f"{len(rules)} rules; broken: {broken}")
print(len(rules))'
}
eventually 60 "rules can't be evaluated" rules_hold
row "staging: Prometheus through the network policies" "$(all_are_up) targets, all up; $(rules_hold) rules" "" ""

# Of what was told after the line SINCE.
is_told() { grep -q "^$1 $2 staging${3:+ $3}$" <(tail -n "+$((since + 1))" "$told"); }
since=0
scale() { n scale "$1" --replicas="$2" >/dev/null; }
pause() { n annotate scaledobject "$1" "autoscaling.keda.sh/paused-replicas$2" --overwrite >/dev/null; }
password=$(secret staging wattline-mqtt-passwords ingest)
set_password() { n patch secret wattline-mqtt-passwords --type merge --patch "{\"stringData\": {\"ingest\": \"$1\"}}" >/dev/null; }

alerts=(ServiceAbsent IngestDisconnected DatabaseDown)
start=$SECONDS
pause wattline-aggregator =0
set_password wrong
n delete pod wattline-mqtt-ingest-0 >/dev/null
scale statefulset/wattline-timescaledb 0
for alert in "${alerts[@]}"; do
  eventually 300 "nobody is told of $alert" is_told firing "$alert"
  row "staging: alert $alert" "told $((SECONDS - start)) s after its cause" "" ""
done
start=$SECONDS
n wait pod wattline-timescaledb-0 --for=delete --timeout=120s >/dev/null
own_disk staging data-wattline-timescaledb-0 512
pause wattline-aggregator -
set_password "$password"
n delete pod wattline-mqtt-ingest-0 >/dev/null
scale statefulset/wattline-timescaledb 1
eventually 300 "not everything in staging is ready again" all_is_ready staging
for alert in "${alerts[@]}"; do
  eventually 420 "nobody is told that $alert is over" is_told resolved "$alert"
done
row "staging: those alerts" "told to be over $((SECONDS - start)) s after the cure" "" ""
test_release staging

scale statefulset/wattline-kafka 0
n wait pod wattline-kafka-0 --for=delete --timeout=120s >/dev/null
own_disk staging data-wattline-kafka-0 512
scale statefulset/wattline-kafka 1
eventually 300 "not everything in staging is ready again" all_is_ready staging
load_on staging

# COMPONENT's volume is full, and enlarged as docs/kubernetes.md has it. POD says so in words like WORDS.
volume_full() {
  local component=$1 pod=$2 words=$3 claim=data-wattline-$1-0 start said
  says() {
    { n logs "$pod" --all-containers --since 120s || true; n logs "$pod" --all-containers --previous --tail 100 || true; } >"$state/said" 2>/dev/null
    grep -q "$words" "$state/said"
  }
  mark >/dev/null
  start=$SECONDS
  since=$(wc -l <"$told")
  fill_disk staging "$claim" 4
  eventually 400 "nobody is told that $component's volume fills up" is_told firing DiskFilling "$claim"
  row "staging: alert DiskFilling" "told $((SECONDS - start)) s after $component's volume filled up" "" ""
  eventually 300 "$pod does not say that $component's volume is full" says
  said=$(grep -m 1 --only-matching "${words}[^\"]*" "$state/said" | head -c 120)
  n patch persistentvolumeclaim "$claim" --patch '{"spec": {"resources": {"requests": {"storage": "12Gi"}}}}' >/dev/null
  n delete statefulset "wattline-$component" --cascade=orphan >/dev/null
  follow_claim staging "$claim" 1024
  install staging "${settings[@]}" --set "$component.storage.size=12Gi"
  settings+=(--set "$component.storage.size=12Gi")
  eventually 300 "not everything in staging is ready again" all_is_ready staging
  flow 200
  gap_row "staging: $component's volume full" "seen: $said; cured by a larger claim" "$(mark)"
  eventually 420 "nobody is told that $component's volume has room again" is_told resolved DiskFilling "$claim"
}
volume_full timescaledb wattline-timescale-sink-0 'No space left on device'
volume_full kafka wattline-kafka-0 'No space left on device'
load_off staging
drop_disks
uninstall staging
