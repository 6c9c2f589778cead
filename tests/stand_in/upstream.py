"""A Prometheus that answers what a test wants, a receiver of webhooks, and certificates for both."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Authority:
    """A CA and leaves of it, made with openssl."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.ca = directory / "ca.pem"
        self._run(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=ca",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        )

    def _run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self._directory, check=True, capture_output=True)

    def leaf(self, name: str) -> tuple[Path, Path]:
        """Certificate and key, for the loopback address."""
        extensions = self._directory / f"{name}.ext"
        extensions.write_text("subjectAltName = IP:127.0.0.1, DNS:localhost\nextendedKeyUsage = serverAuth, clientAuth\n")
        self._run(
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            f"/CN={name}",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
        )
        signing = ["x509", "-req", "-days", "2", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
        self._run(*signing, "-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", str(extensions))
        return self._directory / f"{name}.pem", self._directory / f"{name}.key"


class Upstream:
    """Remembers what it was asked. `values` holds the series an instant query finds."""

    def __init__(self, authority: Authority | None = None) -> None:
        upstream = self
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.values: list[tuple[dict[str, str], float]] = [({"__name__": "up", "job": "x"}, 1.0)]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream.requests.append((self.command, self.path, {key.lower(): value for key, value in self.headers.items()}, body))
                data = json.dumps(upstream.answer(self.path, body)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Upstream", "yes")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = _answer

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if authority is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*authority.leaf("upstream"))
            context.load_verify_locations(authority.ca)
            context.verify_mode = ssl.CERT_REQUIRED
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str, body: bytes) -> Any:
        parts = urlsplit(path)
        query = parse_qs(parts.query) | parse_qs(body.decode("utf-8", "replace"))
        if parts.path.endswith("/api/v1/query"):
            if query.get("query") == ["1+1"]:
                return {"status": "success", "data": {"resultType": "scalar", "result": [1.0, "2"]}}
            if query.get("query") == ["broken"]:
                return {"status": "error", "errorType": "bad_data", "error": "parse error"}
            found = [{"metric": labels, "value": [1.0, str(value)]} for labels, value in self.values]
            return {"status": "success", "data": {"resultType": "vector", "result": found}}
        if parts.path.endswith("/api/v1/query_range"):
            found = [{"metric": labels, "values": [[1.0, str(value)], [2.0, str(value)]]} for labels, value in self.values]
            return {"status": "success", "data": {"resultType": "matrix", "result": found}}
        return {"path": path}

    @property
    def notifications(self) -> list[dict[str, Any]]:
        """The webhooks that arrived, in order."""
        return [json.loads(body) for method, path, _, body in list(self.requests) if method == "POST" and path.startswith("/hook")]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
