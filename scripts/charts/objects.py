"""The objects of a rendered environment, and what of them several rules ask for."""

from dataclasses import dataclass, field

# Labels that a program sets on its own pods: Patroni says so who is primary.
RUNTIME_LABELS = {"role"}


@dataclass
class Render:
    """The objects of one environment."""

    name: str
    objects: list
    environment: str = "dev"
    external: set = field(default_factory=set)

    def of(self, *kinds):
        return [item for item in self.objects if item["kind"] in kinds]

    def names(self, kind):
        return {item["metadata"]["name"] for item in self.of(kind)}

    def pods(self):
        """(object, pod template) of all that makes pods."""
        for item in self.objects:
            kind, spec = item["kind"], item.get("spec", {})
            if kind == "Pod":
                yield item, item
            elif kind in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
                yield item, spec["template"]
            elif kind == "CronJob":
                yield item, spec["jobTemplate"]["spec"]["template"]


def title(item):
    return f"{item['kind']}/{item['metadata']['name']}"


def containers(template):
    spec = template["spec"]
    return spec.get("initContainers", []) + spec["containers"]


def labels(template):
    return template["metadata"].get("labels", {})


def texts(value):
    """Every string in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def matches(selector, given):
    wanted = {key: value for key, value in selector.items() if key not in RUNTIME_LABELS}
    return all(given.get(key) == value for key, value in wanted.items())


def selected(render, selector):
    return [template for _, template in render.pods() if matches(selector, labels(template))]
