"""Checks of the charts that need no cluster: lint, rendering, schemas, our rules, documents, deliberate mistakes; and of
the workflows that release and deploy them."""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import consistency
import documents
import mistakes
import platform_layer
import rules
import workflows
from rendering import ENVIRONMENTS, UMBRELLA, case_files, render
from values import ROOT, Mistake

# What three nodes of 2 vCPU have left for all environments together, when the system and the cluster layer have theirs
# (docs/kubernetes.md).
CLUSTER_CPU_M = 3270
KUBERNETES = "1.36.4"


def lint(chart):
    # Values without which prod and staging refuse are in their files; the charts' own defaults must pass alone.
    done = subprocess.run(["helm", "lint", "--strict", "--quiet", str(chart)], capture_output=True, text=True)
    return [f"helm lint {chart.name}: {done.stdout}{done.stderr}"] if done.returncode else []


def schemas_folder():
    folder = Path(os.environ.get("WATTLINE_SCHEMAS", ROOT.parent / "shared/schemas"))
    return folder if folder.is_dir() else None


def schema_errors(folder, files):
    locations = [
        f"{folder}/kubernetes/{{{{.NormalizedKubernetesVersion}}}}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
        f"{folder}/crds/{{{{.Group}}}}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json",
    ]
    # The folder has no definition of that kind: a test of the charts gives it to a real Alertmanager.
    command = ["kubeconform", "-strict", "-skip", "AlertmanagerConfig", "-kubernetes-version", KUBERNETES]
    for location in locations:
        command += ["-schema-location", location]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines() if done.returncode else []


def requests(rendered):
    """What an environment requests, in mCPU, at its least number of replicas; Jobs and tests come and go."""
    least = {}
    for item in rendered.of("HorizontalPodAutoscaler", "ScaledObject"):
        spec = item["spec"]
        least[spec["scaleTargetRef"]["name"]] = spec.get("minReplicas", spec.get("minReplicaCount"))
    total = 0
    for item, template in rendered.pods():
        if item["kind"] in ("Deployment", "StatefulSet"):
            replicas = least.get(item["metadata"]["name"], item["spec"].get("replicas", 1))
            total += replicas * rules.request_m(template)
    return total


def check_renders():
    jobs = [(name, [UMBRELLA / f"values-{name}.yaml", UMBRELLA / f"images-{name}.yaml"], name) for name in ENVIRONMENTS]
    jobs += [(path.name.removesuffix("-values.yaml"), [path], "ci") for path in case_files()]
    with ThreadPoolExecutor() as pool:
        upgrades = [pool.submit(render, files, namespace, upgrade=True) for _, files, namespace in jobs[: len(ENVIRONMENTS)]]
        rendered = list(pool.map(lambda job: (job[0], *render(job[1], job[2])), jobs))
        rendered += [(f"{name}-upgrade", *future.result()) for name, future in zip(ENVIRONMENTS, upgrades)]
    faults = [fault for _, one, _ in rendered for fault in rules.broken(one)]
    total = 0
    for name, one, _ in rendered[: len(ENVIRONMENTS)]:
        total += requests(one)
        print(f"charts: {name}: {len(one.objects)} objects, {requests(one)}m CPU requested")
    if total > CLUSTER_CPU_M:
        faults.append(f"{', '.join(ENVIRONMENTS)} request {total}m CPU, three nodes of 2 vCPU have {CLUSTER_CPU_M}m left")
    print(f"charts: together {total}m of {CLUSTER_CPU_M}m; {len(rendered)} renderings")
    faults += platform_layer.check([(name, one) for name, one, _ in rendered[: len(ENVIRONMENTS)]])
    return faults + check_schemas(rendered)


def check_schemas(rendered):
    folder = schemas_folder()
    if folder is None:
        print("charts: SCHEMAS NOT CHECKED: set WATTLINE_SCHEMAS to a folder with kubernetes/v1.36.4 and crds/")
        return []
    with tempfile.TemporaryDirectory() as temporary:
        files = []
        for name, _, text in rendered:
            files.append(Path(temporary) / f"{name}.yaml")
            files[-1].write_text(text)
        return schema_errors(folder, files + platform_layer.OBJECTS)


def main():
    began = time.monotonic()
    faults = [*documents.check(), *consistency.check(), *workflows.check()]
    charts = sorted(path.parent for path in (ROOT / "charts").glob("*/Chart.yaml"))
    with ThreadPoolExecutor() as pool:
        for found in pool.map(lint, charts):
            faults += found
    faults += check_renders()
    faults += mistakes.unnoticed()
    if faults:
        sys.exit("\n".join(faults))
    print(f"charts: all well, {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    try:
        main()
    except Mistake as mistake:
        sys.exit(str(mistake))
