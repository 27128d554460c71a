#!/usr/bin/env python3
"""What the Dockerfile says, as far as it can be done without an engine.

    dockerfile.py services                          the values of SERVICE that it takes
    dockerfile.py binary SERVICE                    the program that it builds for one
    dockerfile.py config SERVICE [ARGUMENT=VALUE…]  the configuration of the image, as JSON

The image is the folder that its build stage makes, and what its last stage says of it: a last stage that does more is refused.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# BuildKit gives both to an image that begins with nothing.
DEFAULTS = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "WorkingDir": "/"}
# Where the build stage leaves the image's content, and the last one takes it from.
CONTENT = "/image"


class Mistake(Exception):
    """A sentence that says what is wrong with the Dockerfile."""


class Dockerfile:
    def __init__(self, text):
        stages = split(instructions(text))
        if len(stages) != 2:
            raise Mistake(f"Dockerfile: {len(stages)} stages, one to build and one to keep were meant")
        self.build, self.last = stages

    def run(self):
        """The shell text of the build stage's last step, without what only BuildKit understands."""
        text = [argument for name, argument in self.build if name == "RUN"][-1]
        return re.sub(r"--mount=\S+\s+", "", text)

    def case(self):
        found = re.search(r'case "\$SERVICE" in .*? esac', self.run())
        if not found:
            raise Mistake("Dockerfile: its build stage has no `case` of SERVICE")
        return found[0]

    def services(self):
        """The values that SERVICE may have."""
        alternatives = re.findall(r"(?:in|;;) ([\w|* -]+?)\)", self.case())
        return [name.strip() for one in alternatives for name in one.split("|") if name.strip() != "*"]

    def binary(self, service):
        """The name of the program that is built for a service: the Dockerfile's own `case` says it."""
        done = subprocess.run(
            ["sh", "-c", self.case() + '; printf %s "$binary"'],
            env={**os.environ, "SERVICE": service}, capture_output=True, text=True,
        )
        if done.returncode:
            raise Mistake(f"Dockerfile: {done.stderr.strip()}")
        return done.stdout

    def config(self, service, given=None):
        """The image's configuration; `given` are build arguments."""
        given = {"SERVICE": service, **(given or {})}
        config, known = dict(DEFAULTS), {}
        copied = False
        for name, argument in self.last:
            if name == "ARG":
                key, _, default = argument.partition("=")
                known[key] = given.get(key, default)
            elif name == "LABEL":
                pairs = (word.partition("=") for word in shlex.split(replaced(argument, known)))
                config.setdefault("Labels", {}).update({key: value for key, _, value in pairs})
            elif name == "USER":
                config["User"] = argument
            elif name == "ENTRYPOINT":
                config["Entrypoint"] = json.loads(argument)
            elif (name, argument) == ("COPY", f"--from={self.build[0][1].split()[-1]} {CONTENT} /"):
                copied = True
            elif (name, argument) != ("FROM", "scratch"):
                raise Mistake(f"Dockerfile: its last stage has `{name} {argument}`, which is done by an engine only")
        if not copied:
            raise Mistake(f"Dockerfile: its last stage does not copy {CONTENT} of the build stage")
        return config

    def make_content(self, service, program, context, folder):
        """Runs the build stage's last step in a build context, with a `cargo` that yields `program`. Returns its words."""
        tools = context.parent / "tools"
        tools.mkdir(exist_ok=True)
        words = tools / "cargo-was-asked"
        cargo = tools / "cargo"
        cargo.write_text(
            '#!/bin/sh\nprintf "%s\\n" "$@" >"$ASKED"\nfor last; do :; done\n'
            'mkdir -p target/dist && cp "$PROGRAM" "target/dist/$last"\n'
        )
        cargo.chmod(0o755)
        text = re.sub(rf"(?<!\S){CONTENT}(?!\S)", shlex.quote(str(folder)), self.run())
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
        environment |= {"SERVICE": service, "PROGRAM": str(program), "ASKED": str(words)}
        done = subprocess.run(
            ["sh", "-c", "umask 022; " + text], cwd=context, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise Mistake(f"Dockerfile: its build stage fails for {service}: {done.stderr.strip()}")
        return words.read_text().splitlines()


def instructions(text):
    """(name, argument) of each, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, argument = line.strip().partition(" ")
            yield name.upper(), argument.strip()


def split(found):
    stages = []
    for name, argument in found:
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, argument))
    return stages


def replaced(text, known):
    return re.sub(r"\$\{?(\w+)\}?", lambda match: known.get(match[1], ""), text)


def context_files(ignore):
    """What of the checkout a .dockerignore of this form lets through: nothing, but some files and folders."""
    patterns = [line for line in ignore.split() if not line.startswith("#")]
    if patterns[:1] != ["*"] or not all(pattern.startswith("!") for pattern in patterns[1:]):
        raise Mistake(".dockerignore: only `*` followed by exceptions is understood")
    allowed = tuple(pattern[1:] for pattern in patterns[1:])
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0"):
        if any(name == one or name.startswith(one + "/") for one in allowed) and (ROOT / name).exists():
            yield name


def make_context(ignore, folder):
    """What an engine would be sent."""
    for name in context_files(ignore):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)


def main():
    command, *rest = sys.argv[1:]
    file = Dockerfile((ROOT / "Dockerfile").read_text())
    if command == "services":
        print("\n".join(file.services()))
    elif command == "binary":
        print(file.binary(rest[0]))
    elif command == "config":
        print(json.dumps(file.config(rest[0], dict(pair.split("=", 1) for pair in rest[1:]))))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except Mistake as mistake:
        sys.exit(str(mistake))
