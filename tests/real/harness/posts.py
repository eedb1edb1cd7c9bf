"""A small HTTP server within this process that answers posts with JSON, over TLS or not."""

import http.server
import json
import ssl
import threading


class Posts:
    """Listens on that port of 127.0.0.1 once entered. `answer` gets the path, the headers and the
    body, and returns a status and a document, or None for a connection that breaks off. With `tls`
    (certificates.Pair) it talks to that authority's clients only."""

    def __init__(self, port, answer, tls=None):
        self._port = port
        self._answer = answer
        self._tls = tls

    def __enter__(self):
        answer = self._answer

        class Listener(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answered = answer(self.path, self.headers, body)
                if answered is None:
                    self.close_connection = True
                    return
                status, document = answered
                text = json.dumps(document, separators=(",", ":")).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self._server = _Server(("127.0.0.1", self._port), Listener)
        if self._tls:
            # Each connection's own thread shakes hands, when it first reads.
            self._server.socket = self._context().wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def _context(self):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self._tls.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self._tls.certificate, self._tls.key)
        return context


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Clients are killed, and strangers turned away: no news."""
