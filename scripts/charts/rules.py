"""Rules that a rendered environment keeps and no schema can say. Each rule yields sentences that name object and fault."""

from xml.etree import ElementTree

import alerting
import survival
import values
from objects import containers, labels, matches, selected, title

# What one node has for our pods: 2 vCPU without the system's own (Calico, the control plane's or its neighbours' share).
NODE_CPU_M = 1500
OWN_TOKEN = "timescaledb"
# A standby of a pair opens no port that could be asked whether it is ready; the proxy beside it is asked.
NEVER_READY = {"artemis"}


def millicores(text):
    text = str(text)
    return int(text[:-1]) if text.endswith("m") else round(float(text) * 1000)


def request_m(template):
    """A pod's request: its containers together, or the largest of those that run before them."""
    cpu = lambda container: millicores(container.get("resources", {}).get("requests", {}).get("cpu", "0"))
    before = [cpu(container) for container in template["spec"].get("initContainers", [])]
    return max([sum(cpu(container) for container in template["spec"]["containers"]), *before])


def images_are_pinned(render):
    for item, template in render.pods():
        for container in containers(template):
            image = container["image"]
            name, _, tag = image.partition("@")[0].rpartition(":")
            if "bitnami" in image:
                yield f"{title(item)}: {image} is Bitnami's, which are no longer maintained"
            if "@sha256:" not in image and (not name or "/" in tag or tag in ("", "latest")):
                yield f"{title(item)}: image {image} has no tag of its own"


def resources_are_set(render):
    for item, template in render.pods():
        for container in containers(template):
            resources = container.get("resources", {})
            for group, key in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
                if key not in resources.get(group, {}):
                    yield f"{title(item)}: container {container['name']} has no resources.{group}.{key}"
        if request_m(template) > NODE_CPU_M:
            yield (
                f"{title(item)} requests {request_m(template)}m CPU, more than the {NODE_CPU_M}m that a node of 2 vCPU "
                "has left: it would stay Pending"
            )


def pods_are_restricted(render):
    for item, template in render.pods():
        spec = template["spec"]
        pod = spec.get("securityContext", {})
        if not pod.get("runAsNonRoot") or pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{title(item)}: the pod lacks runAsNonRoot or seccompProfile RuntimeDefault"
        may_have_token = labels(template).get("app.kubernetes.io/name") == OWN_TOKEN
        if spec.get("automountServiceAccountToken") is not False and not may_have_token:
            yield f"{title(item)}: automountServiceAccountToken is not false"
        for container in containers(template):
            own = container.get("securityContext", {})
            closed = own.get("allowPrivilegeEscalation") is False and own.get("readOnlyRootFilesystem") is True
            if not closed or own.get("capabilities", {}).get("drop") != ["ALL"]:
                yield f"{title(item)}: container {container['name']} is not restricted"


def probes_are_sound(render):
    for item, template in render.pods():
        if item["kind"] not in ("Deployment", "StatefulSet"):
            continue
        for container in template["spec"]["containers"]:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                may_lack_it = container["name"] in NEVER_READY and probe != "livenessProbe"
                if probe not in container and not may_lack_it:
                    yield f"{title(item)}: container {container['name']} has no {probe}"
            if container.get("livenessProbe", {}).get("httpGet", {}).get("path") == "/readyz":
                yield f"{title(item)}: livenessProbe asks /readyz, so a lost database would restart it for ever"


def references(item, template):
    """(kind, name, keys) of what a pod needs to start."""
    spec = template["spec"]
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], keys_of(volume["configMap"])
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"], keys_of(volume["secret"])
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], []
    for container in containers(template):
        for variable in container.get("env", []):
            source = variable.get("valueFrom", {})
            if "secretKeyRef" in source:
                yield "Secret", source["secretKeyRef"]["name"], [source["secretKeyRef"]["key"]]
            if "configMapKeyRef" in source:
                yield "ConfigMap", source["configMapKeyRef"]["name"], [source["configMapKeyRef"]["key"]]
    account = spec.get("serviceAccountName", "default")
    if account != "default":
        yield "ServiceAccount", account, []


def keys_of(volume):
    return [entry["key"] for entry in volume.get("items", [])]


def references_exist(render):
    issued = {item["spec"]["secretName"] for item in render.of("Certificate")}
    for item, template in render.pods():
        mounted = {volume["name"] for volume in template["spec"].get("volumes", [])}
        mounted |= {claim["metadata"]["name"] for claim in item.get("spec", {}).get("volumeClaimTemplates", [])}
        for container in containers(template):
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in mounted:
                    yield f"{title(item)}: container {container['name']} mounts {mount['name']}, which is no volume of the pod"
        for kind, name, keys in references(item, template):
            yield from reference_exists(render, issued, item, kind, name, keys)


def reference_exists(render, issued, item, kind, name, keys):
    if kind == "Secret" and (name in issued or name in render.external):
        return
    found = [other for other in render.of(kind) if other["metadata"]["name"] == name]
    if not found:
        hint = ", and no existingSecret names it" if kind == "Secret" else ""
        yield f"{title(item)} needs {kind}/{name}, which is not in the release{hint}"
        return
    there = {**found[0].get("data", {}), **found[0].get("stringData", {})}
    for key in keys:
        if key not in there:
            yield f"{title(item)} needs key {key} of {kind}/{name}, which has {', '.join(sorted(there))}"


def selectors_match(render):
    for item in render.objects:
        spec = item.get("spec", {})
        if item["kind"] == "Service" and spec.get("selector") and not selected(render, spec["selector"]):
            yield f"{title(item)} selects no pod: {spec['selector']}"
        if item["kind"] in ("PodDisruptionBudget", "Deployment", "StatefulSet"):
            selector = spec["selector"]["matchLabels"]
            if not selected(render, selector):
                yield f"{title(item)} selects no pod: {selector}"
            if "helm.sh/chart" in selector or "app.kubernetes.io/version" in selector:
                yield f"{title(item)} selects by a label that changes with the version"
        if item["kind"] == "NetworkPolicy":
            yield from policy_matches(render, item)
        if item["kind"] == "ServiceMonitor":
            yield from monitor_matches(render, item)


def policy_matches(render, item):
    spec = item["spec"]
    own = selected(render, spec["podSelector"].get("matchLabels", {}))
    if not own:
        yield f"{title(item)} selects no pod: {spec['podSelector']}"
    ports = {port.get("name") for template in own for container in containers(template) for port in container.get("ports", [])}
    for rule in spec.get("ingress", []):
        for port in rule.get("ports", []):
            if isinstance(port["port"], str) and port["port"] not in ports:
                yield f"{title(item)} lets port {port['port']} in, which its pods don't have"
    for rule in spec.get("ingress", []) + spec.get("egress", []):
        for peer in rule.get("from", []) + rule.get("to", []):
            selector = peer.get("podSelector", {}).get("matchLabels", {})
            # Peers such as the migration's Job are there only sometimes.
            sometimes = selector.get("app.kubernetes.io/name") in ("backup", "smoke", "topics", "migrate", "operator", "kafka-exporter")
            if "namespaceSelector" not in peer and not sometimes and selector and not peer_there(render, selector):
                yield f"{title(item)} names a peer that selects no pod: {selector}"


def peer_there(render, selector):
    """A component that is switched off is no fault of those that would let it in."""
    name = selector.get("app.kubernetes.io/name")
    if selected(render, selector):
        return True
    return name in KNOWN_COMPONENTS and selector.get("app.kubernetes.io/instance") == render.name


KNOWN_COMPONENTS = {"mqtt-ingest", "timescale-sink", "aggregator", "query-api", "kafka", "timescaledb", "mqtt"}


def monitor_matches(render, item):
    selector = item["spec"]["selector"]["matchLabels"]
    services = [other for other in render.of("Service") if matches(selector, other["metadata"].get("labels", {}))]
    if not services:
        yield f"{title(item)} selects no Service: {selector}"
    for endpoint in item["spec"]["endpoints"]:
        for service in services:
            if endpoint["port"] not in {port["name"] for port in service["spec"]["ports"]}:
                yield f"{title(item)}: {title(service)} has no port {endpoint['port']}"


def ports_exist(render):
    services = {item["metadata"]["name"]: item for item in render.of("Service")}
    for item in services.values():
        for template in selected(render, item["spec"].get("selector", {})):
            named = {port.get("name") for container in containers(template) for port in container.get("ports", [])}
            for port in item["spec"]["ports"]:
                if isinstance(port.get("targetPort"), str) and port["targetPort"] not in named:
                    yield f"{title(item)}: its pods have no port named {port['targetPort']}"
    for item in render.of("Ingress"):
        for rule in item["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                yield from backend_exists(services, item, backend["name"], backend["port"].get("name"), "name")
    for item in render.of("HTTPRoute"):
        for rule in item["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                yield from backend_exists(services, item, backend["name"], backend["port"], "port")


def backend_exists(services, item, name, port, by):
    if name not in services:
        yield f"{title(item)} leads to Service/{name}, which is not in the release"
    elif port not in {entry[by] for entry in services[name]["spec"]["ports"]}:
        yield f"{title(item)}: Service/{name} has no port {port}"


def autoscalers_agree(render):
    targets = {}
    for item in render.of("HorizontalPodAutoscaler", "ScaledObject"):
        reference = item["spec"]["scaleTargetRef"]
        target = (reference["kind"], reference["name"])
        if target in targets:
            yield f"{title(item)} and {targets[target]} both scale {'/'.join(target)}"
        targets[target] = title(item)
        found = [other for other in render.of(target[0]) if other["metadata"]["name"] == target[1]]
        if not found:
            yield f"{title(item)} scales {'/'.join(target)}, which is not in the release"
        elif "replicas" in found[0]["spec"]:
            yield f"{title(found[0])} has replicas, which {title(item)} sets too"


def prod_has_no_literal_secret(render):
    if render.environment != "prod":
        return
    for item in render.of("Secret"):
        if item.get("data") or item.get("stringData"):
            yield f"{title(item)} holds literal values, and this is prod"
    for item, template in render.pods():
        for container in containers(template):
            for variable in container.get("env", []):
                secret = any(word in variable["name"].upper() for word in ("PASSWORD", "TOKEN", "SECRET"))
                if secret and variable.get("value") and not variable["name"].upper().endswith("_FILE"):
                    yield f"{title(item)}: {variable['name']} is a literal, and this is prod"


# Artemis has no exporter that counts what it drops (docs/telemetry.md), so it must drop nothing.
NEVER_DROPS = {"address-full-policy": "PAGE", "max-delivery-attempts": "-1", "no-expiry": "true"}


def artemis_drops_nothing(render):
    for item in render.of("ConfigMap"):
        for file, text in item.get("data", {}).items():
            if not file.startswith("broker-"):
                continue
            for setting in ElementTree.fromstring(text).iterfind(".//{*}address-setting"):
                for key, wanted in NEVER_DROPS.items():
                    found = setting.findtext(f"{{*}}{key}")
                    if found != wanted:
                        yield f"{title(item)}: {file} has {key} {found} for {setting.get('match')}, and drops messages that nobody counts: {wanted}"


def every_role_has_a_password(render):
    for item, template in render.pods():
        if labels(template).get("app.kubernetes.io/name") == "migrate":
            given = {word.partition("=")[0] for word in template["spec"]["containers"][0]["args"] if "=" in word}
            for role in sorted(values.roles() - given):
                yield f"{title(item)} gives no password to the role {role} of sql/roles.sql"


def temporary_files_have_a_place(render):
    """mosquitto_passwd writes to /tmp."""
    for item, template in render.pods():
        for container in containers(template):
            places = {mount["mountPath"] for mount in container.get("volumeMounts", [])}
            if "mosquitto_passwd" in " ".join(container.get("command", [])) and "/tmp" not in places:
                yield f"{title(item)}: container {container['name']} runs mosquitto_passwd on a read-only root without a volume at /tmp"


def names_are_unique(render):
    seen = set()
    for item in render.objects:
        key = (item["apiVersion"], title(item))
        if key in seen:
            yield f"{title(item)} is there twice"
        seen.add(key)
        if len(item["metadata"]["name"]) > 63:
            yield f"{title(item)}: the name is longer than 63 characters"


ALL = [
    images_are_pinned,
    resources_are_set,
    pods_are_restricted,
    probes_are_sound,
    references_exist,
    selectors_match,
    ports_exist,
    autoscalers_agree,
    prod_has_no_literal_secret,
    artemis_drops_nothing,
    every_role_has_a_password,
    temporary_files_have_a_place,
    names_are_unique,
    *survival.ALL,
    *alerting.ALL,
]


def broken(render):
    """All faults of an environment."""
    return [f"{render.name} ({render.environment}): {fault}" for rule in ALL for fault in rule(render)]
