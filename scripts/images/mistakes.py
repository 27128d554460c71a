"""Deliberate mistakes: each must be noticed, with words that name it. A check that finds nothing proves nothing."""

import copy
import io
import json
import tarfile
from dataclasses import replace

from dockerfile import Mistake


def with_config(**changes):
    def change(archive):
        archive.config = {key: value for key, value in {**archive.config, **changes}.items() if value is not None}

    return change


def without_label(archive):
    archive.config["Labels"] = dict(archive.config["Labels"])
    archive.config["Labels"].pop("org.opencontainers.image.licenses")


def with_entries(change):
    """A layer whose entries are changed: `change` gets a TarInfo and its bytes, and returns both, or None to leave it out."""

    def rewrite(archive):
        written = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(archive.layers[0])) as old, tarfile.open(fileobj=written, mode="w") as new:
            for info in old:
                changed = change(info, old.extractfile(info).read() if info.isreg() else b"")
                if changed:
                    info, text = changed
                    info.size = len(text)
                    new.addfile(info, io.BytesIO(text))
        archive.layers = [written.getvalue()]

    return rewrite


def at(path, change):
    return with_entries(lambda info, text: change(info, text) if info.name == path else (info, text))


def mode(info, text):
    info.mode = 0o755 if info.isdir() else 0o4755
    return info, text


def owner(info, text):
    info.uid = 65532
    return info, text


def renamed(archive):
    archive.name = archive.name.replace("wattline/", "watline/")


# (what, a change of the archive of query-api, words of the finding)
ARCHIVES = [
    ("another name", renamed, ["its name is", "watline/query-api"]),
    ("root as user", with_config(User=None), ["User is None", "65532:65532"]),
    ("another entry point", with_config(Entrypoint=["/bin/service"]), ["Entrypoint", "/usr/bin/service"]),
    ("a command", with_config(Cmd=["sh"]), ["Cmd is ['sh']"]),
    ("a label that is missing", without_label, ["Labels", "Apache-2.0"]),
    ("no authorities", at("etc/ssl/certs/ca-certificates.crt", lambda *_: None), ["ca-certificates.crt is missing"]),
    ("a closed /tmp", at("tmp", mode), ["tmp is", "0o1777"]),
    ("a program with its owner's rights", at("usr/bin/service", mode), ["usr/bin/service is", "0o4755"]),
    ("another owner", at("etc/passwd", owner), ["etc/passwd is", "65532"]),
    ("another program", at("usr/bin/service", lambda info, text: (info, text + b"\0")), ["usr/bin/service is"]),
    ("two layers", lambda archive: archive.layers.append(archive.layers[0]), ["2 layers"]),
]

# (what, text of the Dockerfile, text in its place, words of the refusal)
DOCKERFILES = [
    ("another base", "FROM scratch", "FROM debian:trixie-slim", ["last stage has `FROM debian:trixie-slim`"]),
    ("a step that needs an engine", "USER 65532:65532", "RUN true\nUSER 65532:65532", ["last stage has `RUN true`"]),
    ("other content", "COPY --from=build /image /", "COPY --from=build /source /", ["COPY --from=build /source /"]),
    ("no content", "COPY --from=build /image /\n", "", ["does not copy /image"]),
    ("another folder", '"target/dist/$binary" /image', '"target/release/$binary" /image', ["fails for mqtt-ingest"]),
    ("another user", "USER 65532:65532", "USER 65533:65533", ["User is 65532:65532", "65533:65533"]),
    ("another label", "Apache-2.0", "MIT", ["Labels", "MIT"]),
    ("a program that is not there", 'binary="wattline-$SERVICE"', 'binary="watline-$SERVICE"', ["watline-aggregator", "the workspace has not"]),
    ("a service that nobody makes", "query-api) binary", "query-api | tariffs) binary", ["tariffs: the Dockerfile makes it"]),
    ("a service that is forgotten", " | query-api) binary", ") binary", ["query-api:0.1.0 is none that the Dockerfile makes"]),
    ("another version", "ARG VERSION=0.1.0", "ARG VERSION=0.0.9", ["VERSION is not"]),
    ("content that is changed after it was made", '"target/dist/$binary" /image', '"target/dist/$binary" /image && cp Cargo.toml /image', ["Cargo.toml is missing"]),
]

IGNORES = [
    ("no script", "!scripts/image-root.sh\n", "", ["image-root.sh"]),
    ("no member of the workspace", "!tools/wattlinectl\n", "", ["workspace is not whole", "wattlinectl"]),
    ("no statements", "!sql\n", "", ["which is not in the context"]),
]


def other_name(tree):
    tree.compose["services"]["aggregator"]["image"] = "wattline/agregator:0.1.0"


def forgotten_build(tree):
    tree.compose["services"]["migrate"].pop("build")


def refused_build(tree):
    service = tree.compose["services"]["query-api"]
    service["build"]["args"]["SERVICE"], service["image"] = "queryapi", "wattline/queryapi:0.1.0"


NAMES = [
    ("a build with another name", other_name, ["builds aggregator and calls it wattline/agregator:0.1.0"]),
    ("an image that nothing builds", forgotten_build, ["nothing builds wattline/wattlinectl:0.1.0"]),
    ("a build that is refused", refused_build, ["builds queryapi, which the Dockerfile refuses"]),
    ("an image of the charts that nobody makes", lambda tree: tree.charts.append("wattline/tariffs:0.1.0"), ["wattline/tariffs:0.1.0 is none"]),
    ("an old image of the charts", lambda tree: tree.charts.append("wattline/query-api:0.0.9"), ["query-api:0.0.9 is none"]),
    ("a public image without stand-in", lambda tree: tree.charts.append("redis:8"), ["nothing stands in for redis:8"]),
    ("a stand-in that nobody asks for", lambda tree: tree.stand_ins.append("redis"), ["no chart names redis"]),
]


def count():
    return len(ARCHIVES) + len(DOCKERFILES) + len(IGNORES) + len(NAMES)


def findings(check, tree, archives, folder, context):
    """All that is found in a tree, or the one sentence that refuses it."""
    folder.mkdir()
    try:
        made = check.Made(tree, folder, context)
        return [*check.broken_names(tree), *check.broken_archives(tree, made, archives), *check.broken_builds(made)]
    except Mistake as mistake:
        return [str(mistake)]


def changed_trees(tree):
    """(what, tree, words) of every mistake in a text."""
    for field, table in (("dockerfile", DOCKERFILES), ("ignore", IGNORES)):
        for what, old, new, words in table:
            text = getattr(tree, field)
            yield what, replace(tree, **{field: text.replace(old, new)}) if old in text else None, words


def unnoticed(check, tree, made, archives, work):
    for what, change, words in ARCHIVES:
        changed = {**archives, "query-api": copy.deepcopy(archives["query-api"])}
        change(changed["query-api"])
        yield from complain(what, words, list(check.broken_archives(tree, made, changed)))
    for what, change, words in NAMES:
        changed = copy.deepcopy(tree)
        change(changed)
        yield from complain(what, words, list(check.broken_names(changed)))
    for number, (what, changed, words) in enumerate(changed_trees(tree)):
        if changed is None:
            yield f"mistake: {what}: the text that it changes is not there"
        else:
            context = made.context if changed.ignore == tree.ignore else None
            yield from complain(what, words, findings(check, changed, archives, work / f"mistake-{number}", context))


def complain(what, words, found):
    if not any(all(word in finding for word in words) for finding in found):
        yield f"mistake: {what} is not noticed with the words {json.dumps(words)}, but: {found[:5]}"
