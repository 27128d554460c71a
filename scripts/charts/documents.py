"""What is generated from values.yaml: values.schema.json, and the table in a chart's README; and the links by which the
chart `observability` has the files of dashboards/.

Usage: documents.py write | check | link
"""

import json
import sys
from pathlib import Path

import yaml

import values
from values import ROOT, Mistake

BEGIN = "<!-- generated from values.yaml by scripts/charts.sh generate -->"
END = "<!-- end of what is generated -->"


def charts():
    """The charts that have values, by name."""
    return sorted(path.parent.name for path in (ROOT / "charts").glob("*/values.yaml"))


def schema(chart):
    """The text of values.schema.json."""
    defaults, notes = values.read(chart)
    missing = list(values.undescribed(defaults, notes))
    if missing:
        raise Mistake(f"charts/{chart}/values.yaml: no `# --` comment before {', '.join(missing)}")
    built = {"$schema": "http://json-schema.org/draft-07/schema#", **values.build(defaults, notes)}
    # Helm puts an entry for each dependency into the values that it checks.
    built["properties"]["wattline-lib"] = {"type": "object"}
    return json.dumps(built, indent=2, ensure_ascii=False) + "\n"


def readme(chart):
    """The README with its table renewed; what people wrote around it stays."""
    path = ROOT / "charts" / chart / "README.md"
    if not path.exists():
        raise Mistake(f"charts/{chart}/README.md is missing")
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Mistake(f"charts/{chart}/README.md lacks the marks {BEGIN} and {END}")
    lines = ["| value | default | meaning |", "| --- | --- | --- |"]
    for name, default, text in values.rows(*values.read(chart)):
        lines.append(f"| `{name}` | `{default}` | {text.replace('|', chr(92) + '|')} |")
    return f"{before}{BEGIN}\n{chr(10).join(lines)}\n{END}{after}"


def outputs():
    """(path, text) of all that is generated."""
    for chart in charts():
        folder = ROOT / "charts" / chart
        yield folder / "values.schema.json", schema(chart)
        yield folder / "README.md", readme(chart)


def links():
    """(link, target) of each file that the chart `observability` takes from dashboards/: a chart reads only files below
    itself, and Helm follows symbolic links. They are made when the charts are packed, and not kept."""
    folder = ROOT / "charts/observability/files"
    for source, name in (("*.json", "dashboards"), ("alerts/*.yaml", "alerts"), ("provisioning/*.yaml", "provisioning")):
        for path in sorted((ROOT / "dashboards").glob(source)):
            link = folder / name / path.name
            yield link, Path("../../../..") / path.relative_to(ROOT)


def write_links():
    wanted = dict(links())
    for link in (ROOT / "charts/observability/files").glob("*/*"):
        if link not in wanted:
            link.unlink()
    for link, target in wanted.items():
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)


def global_defaults_differ():
    """The defaults of `global` stand twice: as values of the umbrella, and in the library for a chart rendered alone."""
    text = (ROOT / "charts/wattline-lib/templates/_globals.tpl").read_text()
    block = text.partition('{{- define "wattline-lib.globalDefaults" -}}')[2].partition("{{- end -}}")[0]
    ours, _ = values.read("wattline")
    return yaml.safe_load(block) != ours["global"]


def check():
    """What is not as generated."""
    if global_defaults_differ():
        yield "charts/wattline/values.yaml: `global` differs from wattline-lib.globalDefaults in charts/wattline-lib/templates/_globals.tpl"
    for path, text in outputs():
        if not path.exists() or path.read_text() != text:
            yield f"{path.relative_to(ROOT)} is not what values.yaml says: run scripts/charts.sh generate"


def main(command):
    if command == "write":
        for path, text in outputs():
            path.write_text(text)
        return
    if command == "link":
        write_links()
        return
    findings = list(check())
    if findings:
        sys.exit("\n".join(findings))


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "check")
    except Mistake as mistake:
        sys.exit(str(mistake))
