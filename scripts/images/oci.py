#!/usr/bin/env python3
"""OCI image archives without an engine and without a registry, as `ctr images import` takes them.

    oci.py layer FOLDER FILE [--owner UID:GID] [--times]
    oci.py archive FILE --name REPOSITORY:TAG --config FILE.json --layer FILE…

`layer` keeps owners, modes, and links of both kinds. Times are 0, so that the same content is the same layer; with `--times`
they are the folder's: Python and Java believe a compiled file by the time of its source. `--config` is what OCI calls so:
an object with `User`, `Entrypoint` and the like. Both print the digest.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import tarfile
from dataclasses import dataclass
from pathlib import Path

MEDIA = "application/vnd.oci.image."
NAME = "io.containerd.image.name"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Where a name leads that begins with no host. In pieces, since no registry's address is written in this tree.
HOST = ".".join(("docker", "io"))


def full_name(name):
    """As the kubelet asks for it: with the host and the folder that a short name leaves out."""
    first, slash, _ = name.partition("/")
    if not slash:
        return f"{HOST}/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"{HOST}/{name}"


def digest_of(file):
    """The digest of a file's bytes, and how many there are."""
    with open(file, "rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return "sha256:" + digest, os.path.getsize(file)


def entries(folder):
    """Every path below the folder, parents first, in an order of its own."""
    for path, folders, files in os.walk(folder):
        folders.sort()
        yield from (os.path.join(path, name) for name in sorted(folders + files))


def write_layer(folder, file, owner=None, times=False):
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in entries(folder):
            info = tar.gettarinfo(path, os.path.relpath(path, folder))
            if info is None or info.isdev():
                continue  # A runtime mounts its own /dev, and sockets mean nothing.
            info.uname = info.gname = ""
            info.mtime = int(info.mtime) if times else 0
            if owner:
                info.uid, info.gid = owner
            if info.isreg():
                with open(path, "rb") as content:
                    tar.addfile(info, content)
            else:
                tar.addfile(info)
    return digest_of(file)


def blob(value):
    text = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return "sha256:" + hashlib.sha256(text).hexdigest(), text


def described(kind, digest, size):
    return {"mediaType": MEDIA + kind, "digest": digest, "size": size}


def write_archive(file, name, config, layers):
    """The image of these layers' files, the lowest first. Its digest is the manifest's."""
    target = {"os": "linux", "architecture": ARCHITECTURES[platform.machine()]}
    layers = [(layer, *digest_of(layer)) for layer in layers]
    root = {"type": "layers", "diff_ids": [digest for _, digest, _ in layers]}
    config_digest, config_text = blob({**target, "config": config, "rootfs": root})
    manifest_digest, manifest_text = blob({
        "schemaVersion": 2,
        "mediaType": MEDIA + "manifest.v1+json",
        "config": described("config.v1+json", config_digest, len(config_text)),
        "layers": [described("layer.v1.tar", digest, size) for _, digest, size in layers],
    })
    entry = described("manifest.v1+json", manifest_digest, len(manifest_text))
    entry["platform"] = target
    entry["annotations"] = {NAME: full_name(name), "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    texts = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": blob({"schemaVersion": 2, "manifests": [entry]})[1],
        blob_path(manifest_digest): manifest_text,
        blob_path(config_digest): config_text,
    }
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        for path, text in texts.items():
            info = tarfile.TarInfo(path)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
        for layer, digest, size in layers:
            info = tarfile.TarInfo(blob_path(digest))
            info.size = size
            with open(layer, "rb") as content:
                tar.addfile(info, content)
    return manifest_digest


def blob_path(digest):
    return "blobs/" + digest.replace(":", "/")


@dataclass
class Archive:
    """What an archive says of itself. Its layers are the places of their blobs, the lowest first."""

    name: str
    config: dict
    layers: list


def read_archive(file):
    """Refuses an archive whose parts are not what their digests say."""
    with tarfile.open(file) as tar:

        def content(described):
            text = tar.extractfile(blob_path(described["digest"])).read()
            if "sha256:" + hashlib.sha256(text).hexdigest() != described["digest"]:
                raise ValueError(f"{file}: {described['digest']} is something else")
            return text

        (entry,) = json.load(tar.extractfile("index.json"))["manifests"]
        manifest = json.loads(content(entry))
        config = json.loads(content(manifest["config"]))
        layers = [content(layer) for layer in manifest["layers"]]
    digests = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    if config["rootfs"]["diff_ids"] != digests:
        raise ValueError(f"{file}: its configuration names other layers")
    return Archive(entry["annotations"][NAME], config["config"], layers)


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    layer = commands.add_parser("layer")
    layer.add_argument("folder")
    layer.add_argument("file")
    layer.add_argument("--owner", type=lambda text: tuple(map(int, text.split(":"))))
    layer.add_argument("--times", action="store_true")
    archive = commands.add_parser("archive")
    archive.add_argument("file")
    archive.add_argument("--name", required=True)
    archive.add_argument("--config", required=True)
    archive.add_argument("--layer", action="append", required=True)
    given = parser.parse_args()
    if given.command == "layer":
        print(write_layer(given.folder, given.file, given.owner, given.times)[0])
    else:
        config = json.loads(Path(given.config).read_text())
        print(write_archive(given.file, given.name, config, given.layer))


if __name__ == "__main__":
    main()
