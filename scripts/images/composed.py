"""Runs what compose.yaml says, without an engine: each service as a container of one pod, by Compose's own order, until the
four services are ready. The images are archives: those of the services are the Dockerfile's.

The loopback stands for all hosts, and a volume is a folder that everybody may write to: networks, published ports and
the owners of volumes are not shown.
"""

import json
import subprocess
import time

import yaml

from dockerfile import ROOT
from pod import Pod

DEADLINE_S = 180
READY = {9401: "mqtt-ingest", 9402: "timescale-sink", 9403: "aggregator", 9404: "query-api"}


class Stopped(Exception):
    """A service that did not do what others wait for, and its last words."""


def plain(text):
    """What Compose hands over: `$$` is a dollar sign."""
    return str(text).replace("$$", "$")


def words(value):
    return [plain(word) for word in ([value] if isinstance(value, str) else value or [])]


def container_of(name, service):
    user, _, group = service.get("user", "").partition(":")
    security = {"readOnlyRootFilesystem": service.get("read_only", False)}
    security["allowPrivilegeEscalation"] = "no-new-privileges:true" not in service.get("security_opt", [])
    security["capabilities"] = {"drop": service.get("cap_drop", [])}
    if user:
        security |= {"runAsUser": int(user), "runAsGroup": int(group or 0)}
    mounts = []
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        mounts.append({"name": source, "mountPath": target, "readOnly": mode == ["ro"]})
    for config in service.get("configs", []):
        mounts.append({"name": "config " + config["source"], "mountPath": config["target"], "readOnly": True})
    for place in service.get("tmpfs", []):
        mounts.append({"name": f"tmpfs {name} {place.strip('/')}", "mountPath": place})
    environment = service.get("environment", {})
    made = {"name": name, "image": service["image"], "securityContext": security, "volumeMounts": mounts}
    made["env"] = [{"name": key, "value": plain(value)} for key, value in environment.items()]
    if "entrypoint" in service:
        made["command"] = words(service["entrypoint"])
    if "command" in service:
        made["args"] = words(service["command"])
    return made


class Composition:
    def __init__(self, images, folder):
        document = yaml.safe_load((ROOT / "compose.yaml").read_text())
        self.services = {name: one for name, one in document["services"].items() if "profiles" not in one}
        self.containers = {name: container_of(name, one) for name, one in self.services.items()}
        spec = {"containers": list(self.containers.values())}
        self.pod = Pod(images, [], spec, "compose", folder, "compose", list(self.services))
        for name, config in document["configs"].items():
            place = folder / "volumes" / f"config {name}"
            place.parent.mkdir(exist_ok=True)
            place.write_text(plain(config["content"]))
            self.pod.volumes[f"config {name}"] = place
        self.ended = set()

    def order(self):
        """Each service after those that it depends on."""
        placed = []
        while len(placed) < len(self.services):
            free = [
                name for name, one in self.services.items()
                if name not in placed and all(other in placed for other in one.get("depends_on", {}))
            ]
            if not free:
                raise Stopped("compose.yaml: services wait for one another")
            placed += free
        return placed

    def wait(self, name, condition):
        container, process = self.containers[name], self.pod.processes[name]
        if condition == "service_completed_successfully" and name not in self.ended:
            if process.wait(timeout=DEADLINE_S):
                raise Stopped(f"{name}: {self.pod.log(container)[-3000:]}")
            self.ended.add(name)
        elif condition == "service_healthy":
            self.until(name, lambda: self.healthy(name))

    def healthy(self, name):
        kind, *command = self.services[name]["healthcheck"]["test"]
        command = ["/bin/sh", "-c", plain(command[0])] if kind == "CMD-SHELL" else words(command)
        root = self.pod.images.get(self.containers[name]["image"])[0]
        program = command[2].split()[0] if kind == "CMD-SHELL" else command[0]
        if program.startswith("/") and not (root / program[1:]).exists():
            # The stand-in for Kafka has no tools: its port must do.
            return self.pod.opens(9094)
        return self.pod.exec(self.containers[name], command).returncode == 0

    def until(self, name, condition):
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > DEADLINE_S or not self.pod.runs(self.containers[name]):
                raise Stopped(f"{name}: {self.pod.log(self.containers[name])[-3000:]}")
            time.sleep(0.3)

    def start(self, name):
        for other, dependency in self.services[name].get("depends_on", {}).items():
            self.wait(other, dependency["condition"])
        self.pod.start(self.containers[name])


def answers(pod, port, path):
    done = pod.in_network(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}{path}"])
    return done.stdout


def run(images, folder):
    composition = Composition(images, folder)
    pod, began = composition.pod, time.monotonic()
    try:
        for name in composition.order():
            composition.start(name)
            yield f"{name} started after {time.monotonic() - began:.1f} s"
        for port, name in READY.items():
            composition.until(name, lambda port=port: answers(pod, port, "/readyz") == "200")
        yield f"all four services are ready after {time.monotonic() - began:.1f} s"
        yield reading(composition)
    except Stopped as stopped:
        raise SystemExit(f"compose: {stopped}") from stopped
    finally:
        pod.close()


def reading(composition):
    """The token of the volume opens GraphQL, and without it nothing is told."""
    pod = composition.pod
    token = (pod.volumes["secrets"] / "token").read_text().strip()
    query = json.dumps({"query": "{ __typename }"})
    ask = ["curl", "-s", "-H", "content-type: application/json", "-d", query, "http://127.0.0.1:9400/graphql"]
    told = pod.in_network([*ask, "-H", f"authorization: Bearer {token}"]).stdout
    refused = pod.in_network([*ask, "-o", "/dev/null", "-w", "%{http_code}"]).stdout
    if json.loads(told).get("data") is None or refused != "401":
        raise Stopped(f"query-api: {told} with the token, {refused} without")
    return f"GraphQL answers with the token: {told}, and {refused} without"
