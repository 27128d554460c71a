"""Starts every stand-in as the charts render it, one pod at a time: `scripts/images.sh try OUT`. With the word `compose`, what
compose.yaml says, too.

What a cluster would add is not there: peers, the Kubernetes API, certificates of an authority.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

import composed
from dockerfile import ROOT
from pod import Images, Pod

NAMESPACE = "try"
DEADLINE_S = 120
PUBLISH = ["mosquitto_pub", "-h", "127.0.0.1", "-V", "5", "-q", "1", "-u", "meters", "-t", "try/x", "-m", "1"]
# One of everything, and in a second rendering what only stands in for it in prod.
DEV = ['global.monitoring={"enabled":true}']
PAIR = [*DEV, 'timescaledb.mode="patroni"', 'global.database.members=3', 'mqtt.provider="artemis"']


class Failed(Exception):
    """A sentence that says what a stand-in did not do, and its last words."""


def rendered(settings):
    command = ["helm", "template", "wattline", ROOT / "charts/wattline", "--namespace", NAMESPACE]
    command += ["--values", ROOT / "charts/wattline/values-dev.yaml"]
    for setting in settings:
        command += ["--set-json", setting]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"helm template: {done.stderr}")
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def until(pod, container, what, condition):
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > DEADLINE_S or not pod.runs(container):
            raise Failed(f"{container['name']}: {what}: not after {time.monotonic() - began:.0f} s\n{pod.log(container)[-3000:]}")
        time.sleep(0.2)
    return f"{time.monotonic() - began:.1f} s"


def opened(pod, container):
    """When all its ports are open."""
    ports = [port["containerPort"] for port in container["ports"]]
    return until(pod, container, f"ports {ports}", lambda: all(map(pod.opens, ports)))


def succeeds(done):
    if done.returncode:
        raise Failed(f"{done.args}: {done.returncode} {done.stdout[-500:]} {done.stderr[-1500:]}")
    return done.stdout.strip()


def fails(done):
    if done.returncode == 0:
        raise Failed(f"{done.args} succeeds")


def stopped(pod, container, signal="TERM"):
    took, code = pod.stop(container, signal)
    if code is None:
        raise Failed(f"{container['name']} does not end by {signal}")
    return f"ended {took:.1f} s after SIG{signal} with {code}"


def exporter(pod, container):
    pod.start(container)
    took = opened(pod, container)
    port = container["ports"][0]["containerPort"]
    lines = succeeds(pod.in_network(["curl", "-sf", f"http://127.0.0.1:{port}/metrics"])).splitlines()
    return f"exporter open after {took}, {len(lines)} lines of metrics"


def mosquitto(pod, passwords, server, measures):
    if pod.start(passwords).wait(timeout=DEADLINE_S):
        raise Failed(pod.log(passwords))
    pod.start(server)
    yield "open after " + opened(pod, server)
    password = (pod.volumes["secret"] / "meters").read_text()
    succeeds(pod.exec(server, [*PUBLISH, "-P", password]))
    fails(pod.exec(server, [*PUBLISH, "-P", "wrong"]))
    yield "took a message of QoS 1, refused a wrong password"
    yield exporter(pod, measures)
    yield stopped(pod, server)


def kafka(pod, server):
    pod.start(server)
    yield "open after " + opened(pod, server)
    yield "started after " + until(pod, server, "started", lambda: "Kafka Server started" in pod.log(server))
    if "Formatting" not in pod.log(server):
        raise Failed("its storage was not formatted")
    yield stopped(pod, server)


def kafka_exporter(pod, measures):
    yield exporter(pod, measures)


def timescaledb(pod, server, measures):
    pod.start(server)
    ready = server["readinessProbe"]["exec"]["command"]
    yield "initialised and ready after " + until(pod, server, "ready", lambda: pod.exec(server, ready).returncode == 0)
    password = (pod.volumes["secret"] / "owner").read_text()

    def ask(statement, password=password):
        address = f"postgres://postgres:{password}@127.0.0.1:5432/wattline"
        return pod.exec(server, ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", address, "-c", statement])

    extension = succeeds(ask("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"))
    succeeds(ask("CREATE TABLE t (at timestamptz); SELECT create_hypertable('t', by_range('at')); INSERT INTO t VALUES (now())"))
    fails(ask("SELECT 1", "wrong"))
    yield f"{succeeds(ask('SHOW server_version'))}, TimescaleDB {extension}, a hypertable; refused a wrong password"
    yield f"max_connections {succeeds(ask('SHOW max_connections'))}, checksums {succeeds(ask('SHOW data_checksums'))}"
    yield exporter(pod, measures)
    yield stopped(pod, server, "INT")


def patroni(pod, server, _):
    pod.start(server)
    yield "asks for the API after " + until(pod, server, "asks", lambda: "Connection refused" in pod.log(server))
    yield succeeds(pod.exec(server, ["patroni", "--version"]))
    yield stopped(pod, server)


def artemis(pod, server, proxy):
    pod.start(server)
    yield "open after " + until(pod, server, "port 11883", lambda: pod.opens(11883))
    succeeds(pod.exec(server, server["livenessProbe"]["exec"]["command"]))
    yield "passes its probe"
    pod.start(proxy)
    yield "proxy open after " + opened(pod, proxy)
    password = (pod.volumes["secret"] / "meters").read_text()
    # Within half a minute: then HAProxy drops brokers whose names no resolver knows, and here is none.
    client = ["chroot", pod.images.root_of("eclipse-mosquitto"), *PUBLISH, "-P"]
    until(pod, proxy, "a broker", lambda: pod.in_network([*client, password]).returncode == 0)
    fails(pod.in_network([*client, "wrong"]))
    yield "took a message of QoS 1 by the proxy, refused a wrong password"
    yield stopped(pod, proxy, "USR1")
    yield stopped(pod, server)


# (how it is tried, its rendering, the workload, the pod's name)
TRIALS = [
    (mosquitto, DEV, "StatefulSet/wattline-mqtt", "wattline-mqtt-0"),
    (kafka, DEV, "StatefulSet/wattline-kafka", "wattline-kafka-0"),
    (kafka_exporter, DEV, "Deployment/wattline-kafka-exporter", "wattline-kafka-exporter"),
    (timescaledb, DEV, "StatefulSet/wattline-timescaledb", "wattline-timescaledb-0"),
    (patroni, PAIR, "StatefulSet/wattline-timescaledb", "wattline-timescaledb-0"),
    (artemis, PAIR, "StatefulSet/wattline-mqtt", "wattline-mqtt-0"),
]


def hosts(objects, name):
    """Names within the cluster, of services and of their pods."""
    pods = {name.rpartition("-")[0] + f"-{number}" for number in range(3)}
    for item in objects:
        if item["kind"] == "Service":
            service = f"{item['metadata']['name']}.{NAMESPACE}.svc.cluster.local"
            yield from (service, *(f"{pod}.{service}" for pod in sorted(pods)))


def attempt(images, trial, settings, workload, name, folder):
    objects = rendered(settings)
    kind, _, workload = workload.partition("/")
    template = next(item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, workload))
    pod = Pod(images, objects, template["spec"]["template"]["spec"], name, folder, NAMESPACE, list(hosts(objects, name)))
    try:
        containers = pod.spec.get("initContainers", []) + pod.spec["containers"]
        for said in trial(pod, *containers):
            print(f"images: {trial.__name__}: {said}", flush=True)
    finally:
        pod.close()


def main():
    wanted = sys.argv[2:]
    with tempfile.TemporaryDirectory() as temporary:
        images = Images(Path(sys.argv[1]), Path(temporary) / "roots")
        for trial, *rest in TRIALS:
            if not wanted or trial.__name__ in wanted:
                attempt(images, trial, *rest, Path(temporary) / trial.__name__)
        if "compose" in wanted:
            for said in composed.run(images, Path(temporary) / "compose"):
                print(f"images: compose: {said}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(str(failed))
