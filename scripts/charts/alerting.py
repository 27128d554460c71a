"""Rules for what Alertmanager is told: somebody gets each alert, and no secret stands in the release."""

from objects import title

# What the operator takes from a Secret in an AlertmanagerConfig; in place of the first it would also take a plain text.
PLAIN = {"url": "urlSecret"}
REFERENCES = {"urlSecret", "authPassword", "authSecret", "apiURL", "apiKey", "apiSecret", "routingKey", "serviceKey", "token", "userKey", "botToken", "webhookUrl"}


def pairs(value):
    """Every (key, value), however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from pairs(inner)


def routes(route):
    yield route
    for inner in route.get("routes", []):
        yield from routes(inner)


def alerts_reach_somebody(render):
    for item in render.of("AlertmanagerConfig"):
        receivers = {receiver["name"]: receiver for receiver in item["spec"].get("receivers", [])}
        for route in routes(item["spec"]["route"]):
            receiver = receivers.get(route["receiver"], {})
            if not any(receiver.get(key) for key in receiver if key.endswith("Configs")):
                yield f"{title(item)} leads alerts to {route['receiver']}, which tells nobody"


def receivers_name_their_secrets(render):
    for item in render.of("AlertmanagerConfig"):
        for key, value in pairs(item["spec"].get("receivers", [])):
            if key in PLAIN or (key in REFERENCES and not isinstance(value, dict)):
                yield f"{title(item)} holds {key} as it is: name a Secret and its key ({PLAIN.get(key, key)})"


ALL = [alerts_reach_somebody, receivers_name_their_secrets]
