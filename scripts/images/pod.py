"""One rendered pod as real containers, without a cluster: a kubelet's part that matters to an image. runc starts each
container in a network of the pod's own, with only a loopback, as the user, with the read-only root, the capabilities, the
environment and the files that the manifest says.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from io import BytesIO

import oci

# Kubernetes' own for a container that may write nowhere.
MASKED = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/sys/firmware"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
KINDS = ["bounding", "effective", "permitted"]
# What root keeps where nothing is dropped, of that which is used here.
CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"]
NAMESPACES = ["pid", "mount", "ipc", "uts"]


class Images:
    """Roots of archives, unpacked once."""

    def __init__(self, archives, folder):
        self.folder, self.unpacked = folder, {}
        self.archives = {name_of(path): path for path in sorted(archives.glob("*.tar"))}

    def get(self, name):
        """(root, configuration) of an image."""
        name = oci.full_name(name)
        if name not in self.unpacked:
            path = self.archives.get(name)
            if path is None:
                raise KeyError(f"no archive holds {name}")
            archive, root = oci.read_archive(path), self.folder / path.stem
            root.mkdir(parents=True)
            for layer in archive.layers:
                with tarfile.open(fileobj=BytesIO(layer)) as tar:
                    # All as it is: these files are ours, and the argument for it is younger than Python 3.11.
                    tar.extraction_filter = lambda member, _: member
                    tar.extractall(root, numeric_owner=True)
            self.unpacked[name] = root, archive.config
        return self.unpacked[name]

    def root_of(self, repository):
        """The root of the image of a repository, to run a client that it has."""
        named = (name for name in self.archives if name.startswith(oci.full_name(repository) + ":"))
        return self.get(next(named))[0]


def name_of(path):
    with tarfile.open(path) as tar:
        return json.load(tar.extractfile("index.json"))["manifests"][0]["annotations"][oci.NAME]


class Pod:
    """`objects` are all of a rendering: ConfigMaps and Secrets are looked up there. `name` is the pod's, with its ordinal.
    `hosts` are names that lead to the pod itself, since nobody else is there."""

    def __init__(self, images, objects, spec, name, folder, namespace, hosts):
        self.images, self.objects, self.name = images, objects, name
        self.spec, self.folder, self.namespace = spec, folder, namespace
        folder.mkdir(parents=True)
        self.volumes = {volume["name"]: self.volume(volume) for volume in self.spec.get("volumes", [])}
        (folder / "hosts").write_text(f"127.0.0.1 localhost {name} {' '.join(hosts)}\n")
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        self.processes = {}
        self.pause = self.make_network()
        self.account = self.make_account() if self.spec.get("automountServiceAccountToken") else None

    def make_network(self):
        """A process that holds the pod's network: containers come and go."""
        hold = "ip link set lo up && echo up && exec sleep infinity"
        process = subprocess.Popen(["unshare", "--net", "sh", "-c", hold], stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "up\n":
            raise OSError("the pod has no network: ip (iproute2) and root are needed")
        self.network = f"/proc/{process.pid}/ns/net"
        return process

    def make_account(self):
        """What a pod gets that may ask the Kubernetes API. Nobody answers at its address."""
        place = self.folder / "account"
        place.mkdir()
        for name, text in {"token": "none", "namespace": self.namespace}.items():
            (place / name).write_text(text)
        shutil.copy(AUTHORITIES, place / "ca.crt")
        return place

    def user(self):
        return self.spec.get("securityContext", {})

    def found(self, kind, name):
        return next(item for item in self.objects if (item["kind"], item["metadata"]["name"]) == (kind, name))

    def values(self, kind, name):
        item = self.found(kind, name)
        given = {key: value.encode() for key, value in (item.get("data") or {}).items()}
        if kind == "Secret":
            given = {key: base64.b64decode(value) for key, value in given.items()}
            given |= {key: value.encode() for key, value in (item.get("stringData") or {}).items()}
        return given

    def volume(self, volume):
        place = self.folder / "volumes" / volume["name"]
        place.mkdir(parents=True)
        group = self.user().get("fsGroup", 0)
        for kind, source, key in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
            if source in volume:
                for name, value in self.values(kind, volume[source][key]).items():
                    (place / name).write_bytes(value)
                    os.chown(place / name, 0, group)
                    (place / name).chmod(volume[source].get("defaultMode", 0o644) | (0o040 if group else 0))
        os.chown(place, 0, group)
        place.chmod(0o2777)
        return place

    def environment(self, container, config):
        known = dict(pair.split("=", 1) for pair in config.get("Env", []))
        known["HOSTNAME"] = self.name
        if self.account:
            known |= {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
        fields = {"metadata.name": self.name, "metadata.namespace": self.namespace, "status.podIP": "127.0.0.1"}
        for one in container.get("env", []):
            source = one.get("valueFrom", {})
            if "fieldRef" in source:
                value = fields[source["fieldRef"]["fieldPath"]]
            elif "secretKeyRef" in source:
                value = self.values("Secret", source["secretKeyRef"]["name"])[source["secretKeyRef"]["key"]].decode()
            else:
                value = one.get("value", "")
            for name in known:
                value = value.replace(f"$({name})", known[name])
            known[one["name"]] = value
        return [f"{name}={value}" for name, value in known.items()]

    def mounts(self, container):
        def bind(source, target, *options):
            return {"destination": target, "type": "bind", "source": str(source), "options": ["bind", *options]}

        yield {"destination": "/proc", "type": "proc", "source": "proc"}
        yield {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}
        yield {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]}
        yield {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777", "size=65536k"]}
        yield {"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "ro"]}
        for name in ("hosts", "resolv.conf"):
            yield bind(self.folder / name, f"/etc/{name}", "ro")
        if self.account:
            yield bind(self.account, "/var/run/secrets/kubernetes.io/serviceaccount", "ro")
        for mount in container.get("volumeMounts", []):
            source = self.volumes.get(mount["name"])
            if source is None:  # A volume claim.
                source = self.volumes[mount["name"]] = self.volume({"name": mount["name"]})
            yield bind(source, mount["mountPath"], *(["ro"] if mount.get("readOnly") else []))

    def numbers(self, security, root, config):
        """User and group: the container's, the pod's, or the image's, which may be a name."""
        given = {**self.user(), **security}
        if "runAsUser" in given:
            return given["runAsUser"], given.get("runAsGroup", 0)
        name, _, group = config.get("User", "0").partition(":")
        for line in (root / "etc/passwd").read_text().splitlines():
            fields = line.split(":")
            if name in (fields[0], fields[2]):
                return int(fields[2]), int(group or fields[3])
        return int(name), int(group or 0)

    def runtime_spec(self, container):
        root, config = self.images.get(container["image"])
        security = container.get("securityContext", {})
        dropped = security.get("capabilities", {}).get("drop")
        user, group = self.numbers(security, root, config)
        entry, command = container.get("command"), container.get("args")
        words = (entry or config.get("Entrypoint", [])) + (command or ([] if entry else config.get("Cmd", [])))
        names = [{"type": kind} for kind in NAMESPACES]
        names.append({"type": "network", "path": self.network})
        groups = [self.user()["fsGroup"]] if "fsGroup" in self.user() else []
        return {
            "ociVersion": "1.0.2",
            "hostname": self.name,
            "root": {"path": str(root), "readonly": security.get("readOnlyRootFilesystem", False)},
            "process": {
                "user": {"uid": user, "gid": group, "additionalGids": groups},
                "args": words,
                "cwd": container.get("workingDir") or config.get("WorkingDir") or "/",
                "env": self.environment(container, config),
                "capabilities": dict.fromkeys(KINDS, [] if dropped == ["ALL"] or user else CAPABILITIES),
                "noNewPrivileges": not security.get("allowPrivilegeEscalation", True),
            },
            "mounts": list(self.mounts(container)),
            "linux": {"namespaces": names, "maskedPaths": MASKED, "readonlyPaths": READ_ONLY},
        }

    def id_of(self, container):
        return f"wattline-try-{os.getpid()}-{self.name}-{container['name']}"

    def log(self, container):
        return (self.folder / f"{container['name']}.log").read_text()

    def start(self, container):
        """Starts a container of the manifest."""
        bundle = self.folder / container["name"]
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(self.runtime_spec(container)))
        command = ["runc", "run", "--bundle", bundle, self.id_of(container)]
        with open(self.folder / f"{container['name']}.log", "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes[container["name"]] = process
        return process

    def runs(self, container):
        return self.processes[container["name"]].poll() is None

    def exec(self, container, command):
        """As a probe by command: in a container, with its user and environment."""
        return subprocess.run(["runc", "exec", self.id_of(container), *command], capture_output=True, text=True, timeout=60)

    def in_network(self, command):
        return subprocess.run(["nsenter", f"--net={self.network}", *command], capture_output=True, text=True, timeout=60)

    def opens(self, port):
        attempt = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        return self.in_network([sys.executable, "-c", attempt]).returncode == 0

    def stop(self, container, signal):
        """(seconds, code) of its end, or None as code if it doesn't end."""
        process, began = self.processes[container["name"]], time.monotonic()
        subprocess.run(["runc", "kill", self.id_of(container), signal], capture_output=True)
        try:
            code = process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            code = None
        return time.monotonic() - began, code

    def close(self):
        for container in self.spec.get("initContainers", []) + self.spec["containers"]:
            subprocess.run(["runc", "delete", "--force", self.id_of(container)], capture_output=True)
        for process in self.processes.values():
            process.wait(timeout=10)
        self.pause.kill()
        self.pause.wait()
