"""What stands in several places says the same: one version everywhere; compose.yaml has the charts' images, and only
settings that the services have."""

import tomllib

import yaml

import values
from values import ROOT

SERVICES = ["mqtt-ingest", "timescale-sink", "aggregator", "query-api"]
PUBLIC = [
    ("kafka", ("image",)), ("timescaledb", ("image",)), ("mqtt", ("mosquitto", "image")),
    ("kafka", ("exporter", "image")), ("timescaledb", ("exporter", "image")),
]
# What a cluster has from its platform.
PLATFORM = {"prom/prometheus:v3.5.0", "grafana/grafana:12.3.0"}


def chart_images():
    """The public images of the charts, as repository:tag."""
    for chart, path in PUBLIC:
        node, _ = values.read(chart)
        for key in path:
            node = node[key]
        yield f"{node['repository']}:{node['tag']}"


def unknown_settings(service, environment):
    """Variables that are no setting of the service."""
    settings = tomllib.loads((ROOT / "config" / f"{service}.toml").read_text())
    for name in environment:
        _, section, key = name.lower().split("__")
        if key not in settings.get(section, {}):
            yield f"compose.yaml: {service} has no setting {section}.{key} ({name})"


def version():
    """Wattline's version."""
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def other_versions():
    """Charts of another version: an image's tag falls back to its chart's appVersion."""
    for path in sorted((ROOT / "charts").glob("*/Chart.yaml")):
        chart = yaml.safe_load(path.read_text())
        found = {chart["version"], chart["appVersion"], *(entry["version"] for entry in chart.get("dependencies", []))}
        if found != {version()}:
            yield f"{path.relative_to(ROOT)} says {', '.join(sorted(found))}, Cargo.toml {version()}"


def forgotten_roles(services):
    """Roles that compose.yaml, or the page that lists a Secret's keys, leaves out."""
    given = " ".join(services["migrate"]["command"])
    page = (ROOT / "charts/wattline/README.md").read_text()
    for role in sorted(values.roles()):
        if f"--role-password={role}=" not in given:
            yield f"compose.yaml: migrate gives no password to the role {role} of sql/roles.sql"
        if f"`{role}`" not in page:
            yield f"charts/wattline/README.md: the database's Secret has no key for the role {role} of sql/roles.sql"


def check():
    yield from other_versions()
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    allowed = set(chart_images()) | PLATFORM
    yield from forgotten_roles(services)
    for name, service in services.items():
        image = service["image"]
        if image.startswith("wattline/") and not image.endswith(f":{version()}"):
            yield f"compose.yaml: {name} has {image}, Cargo.toml says {version()}"
        if not image.startswith("wattline/") and image not in allowed:
            yield f"compose.yaml: {name} has {image}, the charts have {', '.join(sorted(allowed))}"
        for dependency in service.get("depends_on", {}):
            if dependency not in services:
                yield f"compose.yaml: {name} depends on {dependency}, which is not there"
    for name in SERVICES:
        yield from unknown_settings(name, services[name]["environment"])
