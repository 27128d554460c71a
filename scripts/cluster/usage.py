"""What each component of a namespace uses, beside what it asks for: usage.py PODS METRICS WHEN, two files of JSON as the API has them; a line for
each component, with tabs between: when, component, pods, mCPU asked for and used, MiB asked for, used and allowed.
"""

import collections
import json
import re
import sys

UNITS = {"": 1, "n": 1e-9, "u": 1e-6, "m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 1e3, "M": 1e6, "G": 1e9}


def quantity(text):
    number, unit = re.fullmatch(r"([\d.]+)([A-Za-z]*)", text).groups()
    return float(number) * UNITS[unit]


def main(pods, metrics, when):
    used = {}
    for pod in json.load(open(metrics, encoding="utf-8"))["items"]:
        usages = [container["usage"] for container in pod["containers"]]
        used[pod["metadata"]["name"]] = [sum(quantity(usage[what]) for usage in usages) for what in ("cpu", "memory")]
    sums = collections.defaultdict(lambda: [0] * 6)
    for pod in json.load(open(pods, encoding="utf-8"))["items"]:
        name = pod["metadata"]["name"]
        component = pod["metadata"]["labels"].get("app.kubernetes.io/name")
        if name not in used or component is None:
            continue
        asked = [0, 0, 0]
        for container in pod["spec"]["containers"]:
            resources = container.get("resources", {})
            asked[0] += quantity(resources.get("requests", {}).get("cpu", "0"))
            asked[1] += quantity(resources.get("requests", {}).get("memory", "0"))
            asked[2] += quantity(resources.get("limits", {}).get("memory", "0"))
        line = [1, asked[0], used[name][0], asked[1], used[name][1], asked[2]]
        sums[component] = [a + b for a, b in zip(sums[component], line)]
    for component, (count, cpu, cpu_used, memory, memory_used, limit) in sorted(sums.items()):
        figures = [cpu * 1000, cpu_used * 1000, memory / 2**20, memory_used / 2**20, limit / 2**20]
        print(when, component, count, *(f"{figure:,.0f}" for figure in figures), sep="\t")


main(*sys.argv[1:])
