"""What the environments ask of the cluster's own layer (charts/platform) is there: hosts, listeners, issuers."""

import copy

import yaml

from values import ROOT

FOLDER = ROOT / "charts/platform"
OBJECTS = [FOLDER / "gateway.yaml", FOLDER / "issuers.yaml", FOLDER / "namespaces.yaml"]


def load():
    """(objects, cert-manager's values)."""
    objects = [item for file in OBJECTS for item in yaml.safe_load_all(file.read_text()) if item]
    return objects, yaml.safe_load((FOLDER / "cert-manager-values.yaml").read_text())


def of(objects, kind):
    return {item["metadata"]["name"]: item for item in objects if item["kind"] == kind}


def solvers(issuer):
    return [next(iter(solver["http01"])) if "http01" in solver else "dns01" for solver in issuer["spec"]["acme"]["solvers"]]


def issuable(objects, cert_manager):
    """Faults by which a certificate never comes."""
    by_gateway = any("gatewayHTTPRoute" in solvers(issuer) for issuer in of(objects, "ClusterIssuer").values())
    if by_gateway and not cert_manager.get("config", {}).get("enableGatewayAPI"):
        yield "charts/platform/issuers.yaml solves by the Gateway, and cert-manager-values.yaml lacks config.enableGatewayAPI"
    for name, gateway in of(objects, "Gateway").items():
        asked = gateway["metadata"]["annotations"]["cert-manager.io/cluster-issuer"]
        issuer = of(objects, "ClusterIssuer").get(asked)
        if issuer is None:
            yield f"Gateway/{name} asks the ClusterIssuer {asked}, which charts/platform/issuers.yaml doesn't have"
            continue
        for listener in gateway["spec"]["listeners"]:
            if listener.get("hostname", "").startswith("*") and "dns01" not in solvers(issuer):
                yield f"Gateway/{name}: {listener['hostname']} is a wildcard, which needs DNS-01, and {asked} has HTTP-01"


def admits(listener, environment):
    namespaces = listener["allowedRoutes"]["namespaces"]
    chosen = namespaces.get("selector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
    return namespaces["from"] == "All" or chosen == environment


def attachable(objects, environment, rendered):
    """Faults by which an environment's hosts or certificates hang in the air."""
    gateways = of(objects, "Gateway")
    for item in rendered.of("HTTPRoute"):
        for parent in item["spec"]["parentRefs"]:
            gateway = gateways.get(parent["name"], {"spec": {"listeners": []}})
            found = [one for one in gateway["spec"]["listeners"] if one["name"] == parent["sectionName"]]
            hosts = set(item["spec"]["hostnames"])
            if not found or not admits(found[0], environment) or hosts != {found[0]["hostname"]}:
                yield f"{environment}: no listener {parent['sectionName']} of Gateway/{parent['name']} takes {', '.join(sorted(hosts))} from there"
    for item in rendered.of("Ingress"):
        yield f"{environment}: Ingress/{item['metadata']['name']} wants a controller, and charts/platform installs a Gateway"
    here = {(item["kind"], item["metadata"]["name"]) for item in [*objects, *rendered.of("Issuer")]}
    for item in rendered.of("Certificate"):
        issuer = item["spec"]["issuerRef"]
        if (issuer["kind"], issuer["name"]) not in here:
            yield f"{environment}: Certificate/{item['metadata']['name']} asks {issuer['kind']} {issuer['name']}, which nothing makes"


def faults(objects, cert_manager, environments):
    yield from issuable(objects, cert_manager)
    for environment, rendered in environments:
        yield from attachable(objects, environment, rendered)


def wildcard(objects, _cert_manager, _environments):
    of(objects, "Gateway")["wattline"]["spec"]["listeners"][1]["hostname"] = "*.wattline.example"


def blind(_objects, cert_manager, _environments):
    del cert_manager["config"]


def other_host(_objects, _cert_manager, environments):
    for _, rendered in environments:
        for item in rendered.of("HTTPRoute"):
            item["spec"]["hostnames"] = ["other.example"]


def ingress(_objects, _cert_manager, environments):
    environments[-1][1].objects.append({"kind": "Ingress", "metadata": {"name": "wattline-query-api"}})


MISTAKES = [
    (wildcard, "needs DNS-01"),
    (blind, "enableGatewayAPI"),
    (other_host, "takes other.example"),
    (ingress, "installs a Gateway"),
]


def check(environments):
    """Faults, those of deliberate mistakes that pass among them. `environments`: (name, Render)."""
    yield from faults(*load(), environments)
    for breaks, word in MISTAKES:
        broken = (*load(), copy.deepcopy(environments))
        breaks(*broken)
        if not any(word in fault for fault in faults(*broken)):
            yield f"deliberate mistake in the platform not found: {breaks.__name__}"
    print(f"charts: the platform has what the environments ask for; {len(MISTAKES)} deliberate mistakes in it found")
