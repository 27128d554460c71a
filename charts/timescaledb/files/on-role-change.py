#!/usr/bin/env python3
"""Patroni calls it as ACTION ROLE SCOPE on a server whose role has changed.

Who leads is said by a label that each server sets on its own pod. One that is gone with its node can't take it off, and the
Service would lead half of all connections there until the node is known to be gone, 40 s later. So whoever leads now takes
it off the others.
"""

import json
import os
import ssl
import sys
import time
import urllib.parse
import urllib.request

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/"
TRIES = 30


def of_account(name):
    with open(ACCOUNT + name) as file:
        return file.read()


def ask(method, path, body=None):
    # By its address: names may not be found while a node goes. Patroni leaves PATRONI_* out of the environment.
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    request = urllib.request.Request(
        f"https://{server}/api/v1/namespaces/{of_account('namespace')}/pods{path}",
        method=method,
        data=body and json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + of_account("token"), "Content-Type": "application/merge-patch+json"},
    )
    context = ssl.create_default_context(cafile=ACCOUNT + "ca.crt")
    with urllib.request.urlopen(request, context=context, timeout=5) as answer:
        return json.load(answer)


def lead_alone(scope):
    selector = urllib.parse.quote(f"role=primary,wattline.io/patroni={scope}")
    for pod in ask("GET", f"?labelSelector={selector}")["items"]:
        name = pod["metadata"]["name"]
        if name != os.environ["HOSTNAME"]:
            ask("PATCH", f"/{name}", {"metadata": {"labels": {"role": "replica"}}})
            print(f"on-role-change: {name} no longer has the label role=primary", flush=True)


def main(action, role, scope):
    # Patroni before 4 says `master`.
    if action != "on_role_change" or role not in ("primary", "master"):
        return
    for left in reversed(range(TRIES)):
        try:
            return lead_alone(scope)
        except OSError as error:
            print(f"on-role-change: the Kubernetes API can not be asked, {left} tries are left: {error}", flush=True)
            time.sleep(1)
    sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
