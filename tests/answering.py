"""Run a server on this machine that reports to be healthy, and answers everything else in one way."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answers(BaseHTTPRequestHandler):
    """Keeps the credentials of each request."""

    how = "well"
    asked: list[str] = []  # noqa: RUF012 -- of the class that `answering` makes
    over = threading.Event()

    def do_GET(self) -> None:
        """Answer that the server is healthy."""
        self._answer(200, b"OK") if self.path == "/health" else self.do_POST()

    def do_POST(self) -> None:
        """Answer any other request."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append(self.headers.get("Authorization", ""))
        if self.how == "hangs":
            self.over.wait(60)
        else:
            self._answer(500 if self.how == "fails" else 200, b"{}")

    def _answer(self, code: int, text: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def answering(how: str) -> Iterator[tuple[int, list[str]]]:
    """Run a server that answers `well`, `fails` or `hangs`; yield its port and the credentials that it gets."""
    kind = type("OfThisTest", (Answers,), {"how": how, "asked": [], "over": threading.Event()})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port, kind.asked
        finally:
            kind.over.set()
            server.shutdown()
