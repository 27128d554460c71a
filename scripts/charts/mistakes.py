"""Deliberate mistakes: each must be refused, with words that name it. A check that finds nothing proves nothing."""

import copy
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rules
from rendering import UMBRELLA, render, template

PROD = UMBRELLA / "values-prod.yaml"
DEV = UMBRELLA / "values-dev.yaml"
ALERTS = UMBRELLA / "ci/alerts-values.yaml"

# (what, the environment's file, values laid over it, words of the refusal)
REFUSED_BY_HELM = [
    ("a typing error in a service's value", DEV, "timescale-sink: { replcas: 2 }", ["replcas"]),
    ("a typing error in a component's name", DEV, "timescal-sink: { replicas: 2 }", ["timescal-sink"]),
    ("a typing error in a service's setting", DEV, "query-api: { config: { limits: { dept_max: 3 } } }", ["dept_max"]),
    ("a setting of the wrong type", DEV, "aggregator: { config: { marks: { linger_ms: soon } } }", ["linger_ms"]),
    ("a broker that the chart can't close", DEV, "mqtt: { provider: hivemq }", ["provider", "external"]),
    ("a moving tag", DEV, "global: { image: { tag: latest } }", ["tag"]),
    (
        "both autoscalers",
        DEV,
        "timescale-sink: { autoscaling: { hpa: { enabled: true }, keda: { enabled: true } } }",
        ["timescale-sink", "autoscaling.hpa and autoscaling.keda"],
    ),
    (
        "no Secret in prod",
        PROD,
        "global: { database: { existingSecret: '' } }",
        ["global.database.existingSecret is missing"],
    ),
    ("no token in prod", PROD, "query-api: { auth: { existingSecret: '' } }", ["query-api.auth.existingSecret is missing"]),
    ("generated secrets in prod", PROD, "global: { secrets: { generate: true } }", ["global.secrets.generate", "prod"]),
    ("no TLS in prod", PROD, "global: { tls: { enabled: false } }", ["global.tls.enabled", "prod"]),
    (
        "two certificates for one listener",
        PROD,
        "mqtt: { tls: { existingSecret: mqtt-certificate } }",
        ["mqtt: tls and global.tls.enabled"],
    ),
    ("an open GraphQL in prod", PROD, "query-api: { auth: { mode: none } }", ["auth.mode", "prod"]),
    ("one Kafka broker in prod", PROD, "kafka: { replicas: 1 }", ["kafka.replicas"]),
    ("a single database in prod", PROD, "timescaledb: { mode: single }", ["timescaledb.mode"]),
    ("servers that the services don't know", PROD, "global: { database: { members: 1 } }", ["global.database.members is 1", "3 servers"]),
    (
        "alerts without a receiver",
        PROD,
        "observability: { alertmanager: { enabled: true } }",
        ["nobody receives an alert", "alertmanager.webhook.existingSecret"],
    ),
    ("an external Kafka without address", DEV, "kafka: { enabled: false }", ["global.kafka.brokers"]),
    (
        "Ingress and Gateway",
        DEV,
        "query-api: { ingress: { enabled: true, hosts: [a] }, gateway: { enabled: true, hosts: [a] } }",
        ["ingress and gateway"],
    ),
    (
        "a certificate that nothing uses",
        PROD,
        "query-api: { tls: { certManager: { enabled: true } } }",
        ["query-api: tls is set and ingress.enabled is false"],
    ),
]


def object_of(one, kind, name):
    return next(item for item in one.objects if item["kind"] == kind and item["metadata"]["name"] == name)


def forget_secret(one):
    one.external.discard("wattline-database-passwords")


def break_selector(one):
    object_of(one, "PodDisruptionBudget", "wattline-kafka")["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] = "kafak"


def break_service(one):
    object_of(one, "Service", "wattline-query-api")["spec"]["selector"]["app.kubernetes.io/name"] = "query"


def break_policy(one):
    object_of(one, "NetworkPolicy", "wattline-kafka")["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] = "kafak"


def break_port(one):
    object_of(one, "Service", "wattline-kafka")["spec"]["ports"][0]["targetPort"] = "klient"


def break_config(one):
    object_of(one, "ConfigMap", "wattline-aggregator")["metadata"]["name"] = "aggregator"


def container(one, kind, name):
    return object_of(one, kind, name)["spec"]["template"]["spec"]["containers"][0]


def drop_messages(one):
    data = files_of(one, "wattline-mqtt")
    data["broker-1.xml"] = data["broker-1.xml"].replace("<no-expiry>true</no-expiry>", "").replace("PAGE", "DROP")


def forget_role(one):
    arguments = container(one, "Job", "wattline-migrate-install")["args"]
    arguments[:] = [word for word in arguments if not word.startswith("wattline_operator=")]


def short_name(one):
    data = files_of(one, "wattline-mqtt")
    data["haproxy.cfg"] = data["haproxy.cfg"].replace(".svc.cluster.local", ".svc")


def frozen_setting(one):
    data = files_of(one, "wattline-timescaledb")
    head, _, tail = data["patroni.yaml"].rpartition("max_wal_size: 4GB")
    data["patroni.yaml"] = head + "max_wal_size: 1GB" + tail


def files_of(one, name):
    return object_of(one, "ConfigMap", name)["data"]


def lost_primary(one):
    data = files_of(one, "wattline-timescaledb")
    data["patroni.yaml"] = data["patroni.yaml"].replace("on_role_change:", "on_stop:")


def only_the_service(one):
    data = files_of(one, "wattline-aggregator")
    data["aggregator.toml"] = data["aggregator.toml"].replace("wattline-timescaledb-1.", "wattline-timescaledb-0.")


def impatient_job(one):
    environment = container(one, "Job", "wattline-migrate-install")["env"]
    environment[:] = [variable for variable in environment if variable["name"] != "WATTLINECTL_SERVER_WAIT_S"]


def lost_log(one):
    object_of(one, "Job", "wattline-topics-install")["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"


def impatient_dump(one):
    pod = object_of(one, "CronJob", "wattline-timescaledb-backup")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    pod["containers"][0]["command"][-1] = pod["containers"][0]["command"][-1].replace("pg_isready", "true")


def other_files(one):
    files_of(one, "wattline-mqtt")["haproxy.cfg"] += "# changed\n"


def short_recovery(one):
    container(one, "StatefulSet", "wattline-kafka")["startupProbe"]["failureThreshold"] = 60


def no_replica_for_readers(one):
    data = object_of(one, "ConfigMap", "wattline-query-api")["data"]
    for name in data:
        data[name] = data[name].replace("?sslmode=verify-full", "?sslmode=verify-full&target_session_attrs=read-write")


def any_node(one):
    del object_of(one, "Service", "wattline-mqtt")["spec"]["trafficDistribution"]


def bare_check(one):
    data = files_of(one, "wattline-mqtt")
    data["haproxy.cfg"] = data["haproxy.cfg"].replace("tcp-check send-binary", "# ")


def forgotten_brokers(one):
    data = files_of(one, "wattline-mqtt")
    data["haproxy.cfg"] = data["haproxy.cfg"].replace("hold timeout 1d", "")


def dropped_field(one):
    container(one, "StatefulSet", "wattline-kafka")["lifecycle"] = {"stopSignal": "SIGINT"}


def lonely_group(one):
    object_of(one, "StatefulSet", "wattline-mqtt-ingest")["spec"]["replicas"] = 1


def default_names(one):
    del object_of(one, "StatefulSet", "wattline-kafka")["spec"]["template"]["spec"]["dnsConfig"]


def nobody_told(one):
    object_of(one, "AlertmanagerConfig", "wattline")["spec"]["receivers"] = [{"name": "operators", "webhookConfigs": []}]


def literal_address(one):
    receiver = object_of(one, "AlertmanagerConfig", "wattline")["spec"]["receivers"][0]
    receiver["webhookConfigs"][0]["url"] = "https://hooks.example/secret"
    receiver["slackConfigs"][0]["apiURL"] = "https://chat.example/secret"


def too_big(one):
    container(one, "StatefulSet", "wattline-kafka")["resources"]["requests"]["cpu"] = "3"


def no_request(one):
    del container(one, "StatefulSet", "wattline-kafka")["resources"]["requests"]["memory"]


def moving_tag(one):
    container(one, "Deployment", "wattline-query-api")["image"] = "wattline/query-api:latest"


def bitnami(one):
    container(one, "StatefulSet", "wattline-kafka")["image"] = "bitnami/kafka:4.0.0"


def privileged(one):
    del container(one, "Deployment", "wattline-query-api")["securityContext"]["capabilities"]


def literal_secret(one):
    one.objects.append(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "literal"}, "stringData": {"password": "x"}}
    )


# (what, how prod's rendering is broken, words of the finding)
FOUND_BY_RULES = [
    ("a Secret that nobody makes", forget_secret, ["Secret/wattline-database-passwords", "not in the release"]),
    ("a disruption budget that selects nothing", break_selector, ["PodDisruptionBudget/wattline-kafka selects no pod"]),
    ("a Service that selects nothing", break_service, ["Service/wattline-query-api selects no pod"]),
    ("a network policy that selects nothing", break_policy, ["NetworkPolicy/wattline-kafka selects no pod"]),
    ("a port that nobody has", break_port, ["Service/wattline-kafka", "klient"]),
    ("a ConfigMap that is not there", break_config, ["ConfigMap/wattline-aggregator"]),
    ("a broker that drops", drop_messages, ["broker-1.xml has address-full-policy DROP", "no-expiry None"]),
    ("a role without a password", forget_role, ["Job/wattline-migrate-install gives no password to the role wattline_operator"]),
    ("a name that HAProxy never finds", short_name, ["ConfigMap/wattline-mqtt names wattline-mqtt-0.wattline-mqtt-pods"]),
    ("a setting that no running database takes", frozen_setting, ["max_wal_size is 4GB for a new cluster only"]),
    ("a primary that nobody takes out", lost_primary, ["ConfigMap/wattline-timescaledb: no program is called on_role_change"]),
    ("a server that clients don't know", only_the_service, ["ConfigMap/wattline-aggregator", "without wattline-timescaledb-1"]),
    ("a reader that asks for the primary", no_replica_for_readers, ["ConfigMap/wattline-query-api", "as wattline_api", "only who writes"]),
    ("a Job that gives up at once", impatient_job, ["Job/wattline-migrate-install waits 0 s for its server, not 300"]),
    ("a Job whose log is deleted", lost_log, ["Job/wattline-topics-install: its pod goes with the last try"]),
    ("a dump that gives up at once", impatient_dump, ["CronJob/wattline-timescaledb-backup", "pg_dump before it knows"]),
    ("a change that starts nothing anew", other_files, ["StatefulSet/wattline-mqtt: checksum/config is not that of"]),
    ("a broker that is killed as it recovers", short_recovery, ["container kafka has 300 s to read its files"]),
    ("a Service that leads to a lost node", any_node, ["Service/wattline-mqtt leads to servers of any node"]),
    ("a proxy that forgets", forgotten_brokers, ["haproxy.cfg forgets its brokers where a resolver answers by 'timeout'"]),
    ("a check that fills the broker's log", bare_check, ["haproxy.cfg checks by a bare connection"]),
    ("a field that is dropped", dropped_field, ["container kafka has lifecycle.stopSignal"]),
    ("a group of one", lonely_group, ["the only replica shares a subscription"]),
    ("names by the node's defaults", default_names, ["StatefulSet/wattline-kafka asks for names with the defaults of its node"]),
    ("a request larger than a node", too_big, ["StatefulSet/wattline-kafka requests 3000m CPU"]),
    ("no request", no_request, ["container kafka has no resources.requests.memory"]),
    ("a moving tag in a template", moving_tag, ["wattline/query-api:latest"]),
    ("an image of Bitnami's", bitnami, ["bitnami/kafka:4.0.0"]),
    ("a container with capabilities", privileged, ["container query-api is not restricted"]),
    ("a literal Secret in prod", literal_secret, ["Secret/literal holds literal values"]),
]

# The same in the case with receivers of alerts.
FOUND_IN_ALERTS = [
    ("alerts that nobody gets", nobody_told, ["AlertmanagerConfig/wattline leads alerts to operators, which tells nobody"]),
    ("an address that is a secret", literal_address, ["holds url as it is", "holds apiURL as it is"]),
]


def unnoticed_by_helm(mistake):
    what, base, text, words = mistake
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder) / "mistake.yaml"
        overlay.write_text(text)
        done = template([base, overlay], "dev")
    if done.returncode == 0:
        return [f"deliberate mistake not refused: {what}"]
    return [f"deliberate mistake, refused without naming {word}: {what}: {done.stderr}" for word in words if word not in done.stderr]


def unnoticed_by_rules(sound, mistake):
    what, breaks, words = mistake
    one = copy.deepcopy(sound)
    breaks(one)
    found = "\n".join(rules.broken(one))
    return [f"deliberate mistake not found: {what} (no word of {word}):\n{found}" for word in words if word not in found]


def unnoticed():
    """Mistakes that passed."""
    faults = []
    with ThreadPoolExecutor() as pool:
        for found in pool.map(unnoticed_by_helm, REFUSED_BY_HELM):
            faults += found
    for files, name, found_in_it in (([PROD], "prod", FOUND_BY_RULES), ([ALERTS], "ci", FOUND_IN_ALERTS)):
        one, _ = render(files, name)
        for mistake in found_in_it:
            faults += unnoticed_by_rules(one, mistake)
    print(f"charts: {len(REFUSED_BY_HELM) + len(FOUND_BY_RULES) + len(FOUND_IN_ALERTS)} deliberate mistakes, each refused by name")
    return faults
