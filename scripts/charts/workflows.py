"""The workflows: GitHub's schema, and what it doesn't ask for: pinned actions, the least rights, a bound of time."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import yaml
from jsonschema import Draft7Validator
from values import ROOT

FOLDER = ROOT / ".github/workflows"
SCHEMA = "builtin_schemas/vendor/github-workflows.json"
# A tag moves, a commit doesn't; the tag beside it is for people and for tools that raise it.
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v[0-9.]+$")
LEAST = {"contents": "read"}

# (what, the workflow, its text, what stands there instead, words of the finding)
MISTAKES = [
    ("an action by its tag", "ci.yml", r"@[0-9a-f]{40} # v4.4.0", "@v4", ["ci.yml", "checkout@v4"]),
    ("a workflow that may write", "promote.yml", r"^permissions:\n  contents: read", "permissions:\n  contents: write", ["permissions"]),
    ("a job without end", "ci.yml", r" *timeout-minutes: 90\n", "", ["check-and-test", "timeout-minutes"]),
    ("a typing error", "deploy.yml", r"max-parallel", "max-paralel", ["deploy.yml", "max-paralel"]),
    ("a trigger that doesn't exist", "nightly.yml", r"workflow_dispatch", "workflow_dispatched", ["nightly.yml"]),
]


def read(text):
    """YAML 1.1 takes the key `on` for a truth value."""
    flow = yaml.safe_load(text)
    return {"on" if key is True else key: value for key, value in flow.items()}


def messages(error):
    """A schema with alternatives says only that none fits: the reasons are below."""
    return [message for below in error.context for message in messages(below)] or [error.message]


def broken(name, text, validator):
    """What is wrong with one workflow, in words that name it."""
    flow = read(text)
    faults = []
    for error in validator.iter_errors(flow):
        place = "/".join(map(str, error.path))
        faults.append(f"{name}: {place}: {'; '.join(dict.fromkeys(messages(error)))[:1000]}")
    for number, line in enumerate(text.splitlines(), 1):
        if "uses:" in line and not PINNED.search(line):
            faults.append(f"{name}:{number}: not pinned to a commit, with its tag behind it: {line.strip()}")
    if flow.get("permissions") != LEAST:
        faults.append(f"{name}: permissions of the workflow are {flow.get('permissions')}; a job that needs more says so itself")
    for job, settings in flow.get("jobs", {}).items():
        if "timeout-minutes" not in settings:
            faults.append(f"{name}: the job {job} has no timeout-minutes")
    return faults


def check():
    """What is wrong with the workflows, and deliberate mistakes that nobody noticed."""
    # Not imported: that would need the rest of what it asks for.
    package = Path(find_spec("check_jsonschema").origin).parent
    validator = Draft7Validator(json.loads((package / SCHEMA).read_text()))
    texts = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.yml"))}
    faults = [fault for name, text in texts.items() for fault in broken(name, text, validator)]
    for what, name, pattern, instead, words in MISTAKES:
        changed = re.sub(pattern, instead, texts[name], count=1, flags=re.MULTILINE)
        found = "\n".join(broken(name, changed, validator))
        faults += [f"deliberate mistake not found: {what} (no word of {word}):\n{found}" for word in words if word not in found]
    print(f"charts: {len(texts)} workflows, {len(MISTAKES)} deliberate mistakes in them, each found by name")
    return faults
