"""Serves a Lambda handler over plain HTTP: the event by POST, the answer as the body."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(handler):
    """Answers at 127.0.0.1 and the port of the command line, else 8000, until it is killed."""

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            event = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                status, answer = 200, handler(json.loads(event), None)
            except Exception as error:
                # As Lambda says it.
                status = 500
                answer = {"errorType": type(error).__name__, "errorMessage": str(error)}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Requests are not worth a line each."""

    port = int(sys.argv[1]) if 1 < len(sys.argv) else 8000
    with ThreadingHTTPServer(("127.0.0.1", port), Server) as server:
        server.serve_forever()
