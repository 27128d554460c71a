#!/usr/bin/env bash
# Prometheus reads all of staging through its network policies, and alerts reach a person: what causes them is done, and what their
# runbooks say.
set -euo pipefail
# shellcheck source=scripts/cluster/story.sh
. scripts/cluster/story.sh

n() { k --namespace staging "$@"; }
load_images
leave_nothing staging
make_secrets staging
n create secret generic wattline-pager --from-literal=url="http://$api:9099/" >/dev/null
install staging --set observability.alertmanager.enabled=true,observability.alertmanager.webhook.existingSecret=wattline-pager
test_release staging

told=$state/told
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

is_told() { grep -q "^$1 $2 staging$" "$told"; }
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
uninstall staging
