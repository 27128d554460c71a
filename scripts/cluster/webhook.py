"""A receiver of Alertmanager's webhooks: webhook.py ADDRESS PORT FILE; each alert that it is told of is a line
`STATUS NAME NAMESPACE`, and the claim where it is about a volume."""

import http.server
import json
import sys

address, port, file = sys.argv[1:]


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open(file, "a", encoding="utf-8") as lines:
            for alert in told["alerts"]:
                labels = alert["labels"]
                claim = [labels[name] for name in ("persistentvolumeclaim",) if name in labels]
                print(alert["status"], labels["alertname"], labels.get("namespace"), *claim, file=lines)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.HTTPServer((address, int(port)), Receiver).serve_forever()
