"""That scripts/images.sh makes what the Dockerfile makes, byte for byte, and that nobody names an image that is not made.

Each image is made twice of a program that any machine has: by scripts/images.sh, and by the shell text of the Dockerfile's
build stage in the very context that an engine would be sent, with a `cargo` that yields that program.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import yaml

import mistakes
import oci
from dockerfile import ROOT, Dockerfile, Mistake, make_context

PROGRAM = shutil.which("true")
INCLUDED = re.compile(r'include_(?:str|bytes)!\(\s*"([^"]+)"')


@dataclass
class Tree:
    """What is compared. Deliberate mistakes change a copy."""

    dockerfile: str
    ignore: str
    compose: dict
    charts: list  # REPOSITORY:TAG of every values.yaml
    stand_ins: list  # the repositories that are stood in for
    version: str


def read_tree():
    script = (ROOT / "scripts/images/stand-ins.sh").read_text()
    listed = re.search(r"STAND_INS=\((.*?)\n\)", script, re.S)[1]
    return Tree(
        dockerfile=(ROOT / "Dockerfile").read_text(),
        ignore=(ROOT / ".dockerignore").read_text(),
        compose=yaml.safe_load((ROOT / "compose.yaml").read_text()),
        charts=list(chart_images()),
        stand_ins=re.findall(r'^\s*"(\S+)', listed, re.M),
        version=tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"],
    )


def chart_images():
    for path in sorted((ROOT / "charts").glob("*/values.yaml")):
        version = yaml.safe_load((path.parent / "Chart.yaml").read_text())["appVersion"]
        yield from images_in(yaml.safe_load(path.read_text()), version)


def images_in(value, version):
    if isinstance(value, dict):
        if "repository" in value:
            yield f"{value['repository']}:{value.get('tag') or version}"
        for inner in value.values():
            yield from images_in(inner, version)


# === what an archive holds


def listing(tar):
    """(kind, mode, owner, link or content's digest) by path."""
    found = {}
    for info in tar:
        digest = hashlib.sha256(tar.extractfile(info).read()).hexdigest() if info.isreg() else ""
        found[info.name] = (info.type, oct(info.mode), info.uid, info.gid, info.linkname or digest)
    return found


def listing_of_folder(folder):
    """As the build stage has it, where everything is root's."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.add(folder, arcname="", filter=owned_by_root)
        file.seek(0)
        with tarfile.open(fileobj=file) as tar:
            found = listing(tar)
    found.pop("", None)
    return found


def owned_by_root(info):
    info.uid = info.gid = 0
    return info


def differences(service, archive, wanted_name, config, content):
    """What an archive has that the Dockerfile doesn't say, and the other way round."""
    if archive.name != oci.full_name(wanted_name):
        yield f"{service}: its name is {archive.name}, the charts ask for {oci.full_name(wanted_name)}"
    for key in sorted(config.keys() | archive.config.keys()):
        if config.get(key) != archive.config.get(key):
            yield f"{service}: {key} is {archive.config.get(key)}, the Dockerfile says {config.get(key)}"
    if len(archive.layers) != 1:
        yield f"{service}: {len(archive.layers)} layers, the Dockerfile has one COPY"
        return
    with tarfile.open(fileobj=BytesIO(archive.layers[0])) as tar:
        found = listing(tar)
    for path in sorted(found.keys() | content.keys()):
        if path not in content:
            yield f"{service}: {path} is not what the Dockerfile makes"
        elif path not in found:
            yield f"{service}: {path} is missing"
        elif found[path] != content[path]:
            yield f"{service}: {path} is {found[path]}, the Dockerfile makes {content[path]}"


# === what the Dockerfile makes


class Made:
    """Everything that is made once and compared: contexts, folders, archives."""

    def __init__(self, tree, work, context=None):
        self.file = Dockerfile(tree.dockerfile)
        self.context = context or work / "context"
        if context is None:
            make_context(tree.ignore, self.context)
        self.content, self.asked = {}, {}
        for service in self.file.services():
            folder = work / "image" / service
            self.asked[service] = self.file.make_content(service, PROGRAM, self.context, folder)
            self.content[service] = listing_of_folder(folder)
            shutil.rmtree(self.context / "target")


def make_archives(tree, work):
    """By the script, of programs that have the right names."""
    programs, out = work / "programs", work / "out"
    programs.mkdir()
    file = Dockerfile(tree.dockerfile)
    for name in [*map(file.binary, file.services()), "wattline-loadtest"]:
        shutil.copy2(PROGRAM, programs / name)
    done = subprocess.run(
        [ROOT / "scripts/images.sh", "services", programs, out], capture_output=True, text=True, cwd=ROOT
    )
    if done.returncode:
        raise Mistake(f"scripts/images.sh services: {done.stderr.strip()}")
    return {path.stem: oci.read_archive(path) for path in out.glob("*.tar")}


def broken_archives(tree, made, archives):
    own = [name for name in tree.charts if name.startswith("wattline/")]
    for service, content in made.content.items():
        if service not in archives:
            yield f"{service}: the Dockerfile makes it, scripts/images.sh does not"
            continue
        archive = archives[service]
        revision = archive.config["Labels"].get("org.opencontainers.image.revision", "")
        config = made.file.config(service, {"REVISION": revision})
        name = next((one for one in own if one.startswith(f"wattline/{service}:")), f"wattline/{service}:{tree.version}")
        yield from differences(service, archive, name, config, content)


def broken_builds(made):
    """What the build stage asks `cargo` for must be there, and so must all that those programs are built of."""
    command = ["cargo", "metadata", "--offline", "--no-deps", "--format-version", "1"]
    done = subprocess.run(command, cwd=made.context, capture_output=True, text=True)
    if done.returncode:
        yield f".dockerignore: the workspace is not whole in the context: {done.stderr.strip()}"
        return
    programs = {
        (package["name"], target["name"])
        for package in json.loads(done.stdout)["packages"]
        for target in package["targets"]
        if "bin" in target["kind"]
    }
    for service, words in made.asked.items():
        package, program = (words[words.index(option) + 1] for option in ("--package", "--bin"))
        if (package, program) not in programs:
            yield f"Dockerfile: {service} is built of {program} in {package}, which the workspace has not"
    yield from missing_files(made.context)


def missing_files(context):
    """What a program includes. Tests, which no image is built of, may include more."""
    sources = (path for path in context.rglob("*.rs") if "tests" not in path.parts and not path.stem.endswith("_tests"))
    for path in sources:
        for name in INCLUDED.findall(path.read_text().partition("#[cfg(test)]")[0]):
            if not (path.parent / name).exists():
                yield f".dockerignore: {path.relative_to(context)} includes {name}, which is not in the context"


# === who names an image


def broken_names(tree):
    services = Dockerfile(tree.dockerfile).services()
    default = re.search(r"^ARG VERSION=(\S+)$", tree.dockerfile, re.M)
    if default is None or default[1] != tree.version:
        yield f"Dockerfile: VERSION is not {tree.version}, which Cargo.toml says"
    built, named = {}, set()
    for name, service in tree.compose["services"].items():
        image, build = service["image"], service.get("build")
        if image.startswith("wattline/"):
            named.add(image)
        if build:
            of = build["args"]["SERVICE"]
            built[image] = of
            if image != f"wattline/{of}:{tree.version}":
                yield f"compose.yaml: {name} builds {of} and calls it {image}"
            if of not in services:
                yield f"compose.yaml: {name} builds {of}, which the Dockerfile refuses"
    for image in sorted(named - built.keys()):
        yield f"compose.yaml: nothing builds {image}"
    for image in tree.charts:
        repository, _, tag = image.partition(":")
        if repository.startswith("wattline/"):
            if repository.removeprefix("wattline/") not in services or tag != tree.version:
                yield f"charts: {image} is none that the Dockerfile makes"
        elif repository not in tree.stand_ins:
            yield f"charts: nothing stands in for {image} (scripts/images/stand-ins.sh)"
    charts = {image.partition(":")[0] for image in tree.charts}
    for name in tree.stand_ins:
        if ":" not in name and name not in charts:
            yield f"scripts/images/stand-ins.sh: no chart names {name}"


def check():
    tree = read_tree()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        made, archives = Made(tree, work), make_archives(tree, work)
        faults = [*broken_names(tree), *broken_archives(tree, made, archives), *broken_builds(made)]
        if not faults:
            # Against something that is well: only then does a finding come from the mistake.
            faults = list(mistakes.unnoticed(sys.modules[__name__], tree, made, archives, work))
    return faults, tree


def main():
    began = time.monotonic()
    faults, tree = check()
    if faults:
        sys.exit("\n".join(faults))
    made = len(Dockerfile(tree.dockerfile).services())
    print(f"images: all {made} of the Dockerfile are what it makes; the charts name {len(set(tree.charts))} images")
    print(f"images: {mistakes.count()} deliberate mistakes noticed, {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    try:
        main()
    except Mistake as mistake:
        sys.exit(str(mistake))
