"""compose.yaml says the same as the charts: images and their tags; and only settings that the services have."""

import tomllib

import yaml

import values
from values import ROOT

SERVICES = ["mqtt-ingest", "timescale-sink", "aggregator", "query-api"]
PUBLIC = [("kafka", ("image",)), ("timescaledb", ("image",)), ("mqtt", ("mosquitto", "image"))]


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


def check():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    allowed = set(chart_images())
    for name, service in services.items():
        image = service["image"]
        if not image.startswith("wattline/") and image not in allowed:
            yield f"compose.yaml: {name} has {image}, the charts have {', '.join(sorted(allowed))}"
        for dependency in service.get("depends_on", {}):
            if dependency not in services:
                yield f"compose.yaml: {name} depends on {dependency}, which is not there"
    for name in SERVICES:
        yield from unknown_settings(name, services[name]["environment"])
