"""What values.yaml says of each value: its default, and the comments before it.

`# -- text` describes the value below, over one or more lines. `# @schema {…}` is merged into its JSON Schema.
`# @config FILE without KEY …` makes it a service's settings: those of FILE, without some sections (`kafka`) and keys
(`http.listen`).
"""

import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
KEY = re.compile(r"^(\s*)([A-Za-z][\w-]*):(\s|$)")


@dataclass
class Comment:
    """What stands before a key."""

    text: str = ""
    schema: dict = field(default_factory=dict)
    config: str = ""


class Mistake(Exception):
    """A sentence that names the file and what is wrong."""


def comments(path):
    """The comments of each key, by its path, such as ("image", "tag")."""
    found, block, open_keys = {}, [], []
    for line in path.read_text().splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            block.append(stripped[1:].strip())
            continue
        match = KEY.match(line)
        if match:
            indent = len(match[1])
            open_keys = [(depth, name) for depth, name in open_keys if depth < indent] + [(indent, match[2])]
            key = tuple(name for _, name in open_keys)
            found[key] = parse_comment(block, path, key)
        block = []
    return found


def parse_comment(block, path, key):
    comment, words = Comment(), []
    for line in block:
        if line.startswith("-- "):
            words = [line[3:]]
        elif line.startswith("@schema "):
            try:
                comment.schema = json.loads(line.removeprefix("@schema "))
            except json.JSONDecodeError as error:
                raise Mistake(f"{path}: @schema of {'.'.join(key)} is no JSON: {error}") from error
        elif line.startswith("@config "):
            comment.config = line.removeprefix("@config ")
        elif words and not comment.schema and not comment.config:
            words.append(line)
    comment.text = " ".join(words)
    return comment


def read(chart):
    """Values and comments of a chart."""
    path = ROOT / "charts" / chart / "values.yaml"
    return yaml.safe_load(path.read_text()) or {}, comments(path)


def roles():
    """The database's roles: sql/roles.sql creates them, and each must be given a password."""
    text = (ROOT / "sql/roles.sql").read_text()
    return set(re.findall(r"'(\w+)'", text.partition("ARRAY[")[2].partition("]")[0]))


def schema_of(value):
    """The schema that a default implies. Objects are closed, except empty ones, which are free maps."""
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int):
        return {"type": "integer", "minimum": 0}
    if isinstance(value, float):
        return {"type": "number"}
    if isinstance(value, list):
        return {"type": "array"}
    if isinstance(value, dict):
        return {"type": "object"}
    return {"type": "string"}


def config_schema(rule, extra):
    """The schema of a service's settings, from its sample file."""
    file, _, without = rule.partition(" without ")
    left_out = set(without.split())
    sections, root = {}, {}
    for name, value in tomllib.loads((ROOT / file).read_text()).items():
        if name in left_out:
            continue
        if isinstance(value, dict):
            keys = {key: setting_schema(inner) for key, inner in value.items() if f"{name}.{key}" not in left_out}
            if keys:
                sections[name] = closed(keys)
        else:
            root[name] = setting_schema(value)
    return closed({**root, **sections, **extra.get("properties", {})})


def setting_schema(value):
    """As `schema_of`, but with room for what differs from a service's default: below 0, or with a fraction."""
    if isinstance(value, list):
        return {"type": "array", "items": {"type": "string"}}
    schema = schema_of(value)
    schema.pop("minimum", None)
    return schema


def closed(properties):
    return {"type": "object", "additionalProperties": False, "properties": properties}


def build(values, notes, path=()):
    """The schema of a chart's values."""
    properties = {}
    for name, value in values.items():
        key = (*path, name)
        note = notes.get(key, Comment())
        if note.config:
            node = config_schema(note.config, note.schema)
        elif isinstance(value, dict) and value and (*key, next(iter(value))) in notes:
            node = build(value, notes, key)
        else:
            node = {**schema_of(value), **note.schema}
        if note.text:
            node["description"] = note.text
        properties[name] = node
    return closed(properties)


def undescribed(values, notes, path=()):
    """Values without a description; a group needs none."""
    for name, value in values.items():
        key = (*path, name)
        if isinstance(value, dict) and value and (*key, next(iter(value))) in notes:
            yield from undescribed(value, notes, key)
        elif not notes.get(key, Comment()).text:
            yield ".".join(key)


def rows(values, notes, path=()):
    """(name, default, description) of each value, in the file's order."""
    for name, value in values.items():
        key = (*path, name)
        if isinstance(value, dict) and value and (*key, next(iter(value))) in notes:
            yield from rows(value, notes, key)
        else:
            yield ".".join(key), json.dumps(value), notes.get(key, Comment()).text
