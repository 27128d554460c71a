"""What Prometheus' discovery in Kubernetes would find, for one that is built without it: discovery.py ADDRESS PORT

GET /NAMESPACE/MONITOR/NUMBER gives the targets of an endpoint of a ServiceMonitor, as Prometheus' discovery by HTTP wants them.
kubectl is asked each time.
"""

import http.server
import json
import subprocess
import sys


def get(namespace, *what):
    command = ["kubectl", "--namespace", namespace, "get", *what, "--output", "json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def targets(namespace, monitor, number):
    spec = get(namespace, "servicemonitor", monitor)["spec"]
    port_name = spec["endpoints"][int(number)]["port"]
    selector = ",".join(f"{label}={value}" for label, value in spec["selector"]["matchLabels"].items())
    found = []
    # A slice has the labels of its service.
    for piece in get(namespace, "endpointslices", "--selector", selector)["items"]:
        service = piece["metadata"]["labels"]["kubernetes.io/service-name"]
        ports = [port["port"] for port in piece.get("ports") or [] if port["name"] == port_name]
        for endpoint in piece.get("endpoints") or []:
            labels = {"namespace": namespace, "service": service, "job": service, "endpoint": port_name}
            labels["pod"] = (endpoint.get("targetRef") or {}).get("name", "")
            found += [{"targets": [f"{endpoint['addresses'][0]}:{port}"], "labels": labels} for port in ports]
    return found


class Discovery(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            body, status = json.dumps(targets(*self.path.strip("/").split("/"))).encode(), 200
        except (subprocess.CalledProcessError, TypeError, KeyError) as error:
            body, status = str(error).encode(), 500
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Discovery).serve_forever()
