"""Renders the umbrella chart, as `helm install` would."""

import subprocess

import yaml

from objects import Render
from values import ROOT, Mistake

UMBRELLA = ROOT / "charts/wattline"
ENVIRONMENTS = ["dev", "staging", "prod"]
RELEASE = "wattline"
# Values that name what exists before the release.
EXTERNAL = {"existingSecret", "caSecret"}
# PyYAML's own loader in C, ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def case_files():
    """The cases: values files for one combination each."""
    return sorted((UMBRELLA / "ci").glob("*-values.yaml"))


def template(files, namespace, upgrade=False):
    """The finished `helm template`."""
    command = ["helm", "template", RELEASE, str(UMBRELLA), "--namespace", namespace]
    if upgrade:
        command.append("--is-upgrade")
    for file in files:
        command += ["--values", str(file)]
    return subprocess.run(command, capture_output=True, text=True)


def render(files, namespace, upgrade=False):
    """(Render, text) of the umbrella chart with values files laid over its defaults."""
    done = template(files, namespace, upgrade)
    if done.returncode:
        raise Mistake(f"helm template with {', '.join(str(file) for file in files)}: {done.stderr.strip()}")
    values = [yaml.load(file.read_text(), LOADER) or {} for file in files]
    return parse(done.stdout, environment_of(values), external_names(values)), done.stdout


def parse(text, environment, external):
    objects = [item for item in yaml.load_all(text, LOADER) if item]
    return Render(RELEASE, objects, environment, external)


def environment_of(values):
    found = "dev"
    for document in values:
        found = document.get("global", {}).get("environment", found)
    return found


def external_names(value):
    """Every name under a key such as `existingSecret`."""
    if isinstance(value, list):
        return set().union(*map(external_names, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    names = {inner for key, inner in value.items() if key in EXTERNAL and isinstance(inner, str)}
    return names.union(*map(external_names, value.values())) if value else names
