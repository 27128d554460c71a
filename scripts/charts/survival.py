"""Rules by which an environment starts as a whole and survives the loss of a node. Each stands for something that was seen to go
wrong on real nodes."""

import hashlib
import re
from pathlib import PurePosixPath

import yaml

from objects import containers, labels, matches, texts, title

# A new pod's address comes to its peers' network policies a moment after the pod runs.
WAIT_S_MIN = 30
# Of a bundled server at an installation, its image to be fetched first.
INSTALL_WAIT_S_MIN = 300
# Files that were open in a power failure are read anew.
RECOVERY_S_MIN = 1800
DNS_OPTIONS = {"ndots": "2", "timeout": "1", "attempts": "2"}
DATABASE_URL = re.compile(r"postgres://(\w+)@([^/\s\"']+)/\w+\?([^\s\"']*)")


def names_are_whole(render):
    """HAProxy's resolver knows no search list, and KEDA asks from a namespace of its own."""
    services = "|".join(sorted(map(re.escape, render.names("Service")), key=len, reverse=True))
    address = re.compile(rf"(?<![\w.-])((?:[\w${{}}-]+\.)?(?:{services})((?:\.[\w-]+)*)):\d+")
    for item in render.objects:
        for text in texts(item):
            for name, rest in address.findall(text):
                if not re.fullmatch(r"\.[\w-]+\.svc\.cluster\.local", rest):
                    yield f"{title(item)} names {name}, which is no whole name: …svc.cluster.local"


def patroni_takes_changes(render):
    """What is in `bootstrap` counts once in a cluster's life."""
    for item in render.of("ConfigMap"):
        text = item.get("data", {}).get("patroni.yaml")
        if text:
            patroni = yaml.safe_load(text)
            local = patroni["postgresql"]["parameters"]
            fixed = {"wal_level", "hot_standby", "max_wal_senders", "max_replication_slots"}
            for name, wanted in patroni["bootstrap"]["dcs"]["postgresql"]["parameters"].items():
                if name not in fixed and local.get(name) != wanted:
                    yield f"{title(item)}: {name} is {wanted} for a new cluster only, an existing one keeps {local.get(name)}"


def pods_ask_names_once(render):
    """Of two resolvers one may be gone with its node: each question that is not needed is lost with one half."""
    for item, template in render.pods():
        options = {option["name"]: option["value"] for option in template["spec"].get("dnsConfig", {}).get("options", [])}
        if options != DNS_OPTIONS:
            yield f"{title(item)} asks for names with {options or 'the defaults of its node'}, not with {DNS_OPTIONS}"


def patroni_of(render):
    """(the ConfigMap, Patroni's configuration), where there is one."""
    for item in render.of("ConfigMap"):
        text = item.get("data", {}).get("patroni.yaml")
        if text:
            yield item, yaml.safe_load(text)


def the_new_primary_leads_alone(render):
    """A primary that is gone with its node can't take its label off."""
    for item, patroni in patroni_of(render):
        callback = patroni["postgresql"].get("callbacks", {}).get("on_role_change", "")
        if PurePosixPath(callback).name not in item["data"]:
            yield f"{title(item)}: no program is called on_role_change, and a lost primary stays behind the Service"


def clients_know_each_server(render):
    servers = [
        f"{item['metadata']['name']}-{ordinal}"
        for item in render.of("StatefulSet")
        if labels(item["spec"]["template"]).get("wattline.io/patroni")
        for ordinal in range(item["spec"]["replicas"])
    ]
    for item in render.objects if servers else []:
        for text in texts(item):
            for role, hosts, options in DATABASE_URL.findall(text):
                missing = [name for name in servers if f"{name}." not in hosts]
                if missing:
                    yield f"{title(item)} reaches the database by {hosts}, without {', '.join(missing)}"
                # Its transactions are read-only by default: no server would do.
                if (role != "wattline_api") != ("target_session_attrs=read-write" in options):
                    yield f"{title(item)} reaches the database as {role} with {options}: only who writes asks for the primary"


def jobs_wait_for_their_server(render):
    """A Job that gives up is started again after ever longer pauses, in which an installation waits."""
    for item, template in render.pods():
        name = labels(template).get("app.kubernetes.io/name")
        if item["kind"] == "Job" and name in ("migrate", "topics"):
            least = INSTALL_WAIT_S_MIN if item["metadata"]["name"].endswith("-install") else WAIT_S_MIN
            environment = {variable["name"]: variable.get("value") for variable in template["spec"]["containers"][0]["env"]}
            wait = int(environment.get("WATTLINECTL_SERVER_WAIT_S", 0))
            if wait < least:
                yield f"{title(item)} waits {wait} s for its server, not {least}"
            if item["spec"]["activeDeadlineSeconds"] <= wait:
                yield f"{title(item)} is ended before it says that its server is away"
            if template["spec"]["restartPolicy"] != "Never":
                yield f"{title(item)}: its pod goes with the last try, and its log with it"
        for container in containers(template):
            script = " ".join(container.get("command", []))
            if "pg_dump" in script and "pg_isready" not in script.partition("pg_dump")[0]:
                yield f"{title(item)}: container {container['name']} runs pg_dump before it knows that the database takes connections"


def checksum(files):
    """As wattline-lib.checksum."""
    return hashlib.sha256("\n".join(f"{name}\n{text.strip()}" for name, text in sorted(files.items())).encode()).hexdigest()


def other_files_start_pods_anew(render):
    maps = {item["metadata"]["name"]: item.get("data", {}) for item in render.of("ConfigMap")}
    for item in render.of("Deployment", "StatefulSet"):
        template = item["spec"]["template"]
        volumes = template["spec"].get("volumes", [])
        files = {}
        for volume in volumes:
            files |= maps.get(volume.get("configMap", {}).get("name"), {})
        found = template["metadata"].get("annotations", {}).get("checksum/config")
        if files and found != checksum(files):
            yield f"{title(item)}: checksum/config is not that of {', '.join(sorted(files))}, so a change of them would start no pod anew"


def recovery_has_time(render):
    for item in render.of("StatefulSet"):
        claims = {claim["metadata"]["name"] for claim in item["spec"].get("volumeClaimTemplates", [])}
        for container in containers(item["spec"]["template"]):
            holds = claims & {mount["name"] for mount in container.get("volumeMounts", [])}
            probe = container.get("startupProbe")
            seconds = probe and probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
            if holds and probe and seconds < RECOVERY_S_MIN:
                yield f"{title(item)}: container {container['name']} has {seconds} s to read its files after a power failure, not {RECOVERY_S_MIN}"


def connections_stay_on_the_node(render):
    """A Service leads to pods of a node that is gone until the node is known to be, 40 s later."""
    for item in render.of("Service"):
        spec = item["spec"]
        selector = spec.get("selector", {})
        several = any(
            other["spec"]["replicas"] > 1 and matches(selector, labels(other["spec"]["template"]))
            for other in render.of("StatefulSet")
            if "replicas" in other["spec"]
        )
        headless = spec.get("clusterIP") == "None"
        if several and not headless and "role" not in selector and spec.get("trafficDistribution") != "PreferSameNode":
            yield f"{title(item)} leads to servers of any node, and not first to the one of its client's own"
        if spec.get("publishNotReadyAddresses") and not headless:
            yield f"{title(item)} leads to pods that are not ready"


def checks_say_something(render):
    """Of a connection that is reset before it has said anything a broker writes an error, each second."""
    for item in render.of("ConfigMap"):
        text = item.get("data", {}).get("haproxy.cfg")
        if text and 'tcp-check send-binary "${CHECK}"' not in text:
            yield f"{title(item)}: haproxy.cfg checks by a bare connection, which fills the broker's log"


def brokers_are_remembered(render):
    """A proxy whose resolver went with its node takes living brokers out after 30 s, unless their last addresses count."""
    for item in render.of("ConfigMap"):
        text = item.get("data", {}).get("haproxy.cfg")
        for answer in ("timeout", "refused", "other"):
            if text and f"hold {answer} 1d" not in text:
                yield f"{title(item)}: haproxy.cfg forgets its brokers where a resolver answers by '{answer}'"


def fields_are_not_dropped(render):
    """A field that is off where it is alpha is dropped without a word."""
    for item, template in render.pods():
        for container in containers(template):
            if "stopSignal" in container.get("lifecycle", {}):
                yield f"{title(item)}: container {container['name']} has lifecycle.stopSignal, which an API server drops: the image says it"


def one_reader_has_a_subscription_of_its_own(render):
    """Mosquitto forgets a shared subscription over its own restart until a member is back; what is published meanwhile is lost."""
    replicas = {item["metadata"]["name"]: item["spec"].get("replicas") for item in render.of("StatefulSet")}
    for item in render.of("ConfigMap"):
        text = item.get("data", {}).get("mqtt-ingest.toml")
        if text and replicas.get(item["metadata"]["name"]) == 1 and 'group = ""' not in text and ".svc." in text:
            yield f"{title(item)}: the only replica shares a subscription, which its broker forgets"


ALL = [
    names_are_whole,
    patroni_takes_changes,
    pods_ask_names_once,
    the_new_primary_leads_alone,
    clients_know_each_server,
    jobs_wait_for_their_server,
    other_files_start_pods_anew,
    recovery_has_time,
    connections_stay_on_the_node,
    checks_say_something,
    brokers_are_remembered,
    fields_are_not_dropped,
    one_reader_has_a_subscription_of_its_own,
]
