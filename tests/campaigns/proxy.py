"""A bad network on this machine: a proxy before a server that drops, delays, cuts or replaces answers, by a seed."""

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DELAY = 5.0  # seconds
# The request never arrives; or it does, and its answer is lost, which is worse.
FAULTS = ("drop before", "drop after", "delay", "cut", "500 before", "500 after", "garbage", "no HTTP")
PATIENCE = 120  # seconds in which the server itself must answer


@dataclass
class Network:
    """What the proxy does to each answer.

    share: the share of answers that a fault meets.
    faults: the faults that are drawn.
    whole: how many answers are still without faults.
    lasts: for how many seconds there are faults, from the first answer that may meet one.
    ends_at: when the faults end, in seconds of `time.monotonic`; None before they begin.
    port: the port of the proxy.
    met: how often each fault was met.
    requests: the number of requests so far.
    answered_at: when the last whole answer was sent, in seconds of `time.monotonic`.
    """

    luck: random.Random
    share: float = 0.0
    faults: tuple[str, ...] = FAULTS
    whole: int = 0
    lasts: float = 0.0
    ends_at: float | None = None
    port: int = 0
    met: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    answered_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def worsen(self, share: float, faults: tuple[str, ...], seconds: float, after: int) -> None:
        """Begin faults with the next answer but `after`, for so many seconds, and forget those that were met."""
        with self.lock:
            self.share, self.faults, self.whole, self.lasts, self.ends_at = share, faults, after, seconds, None
            self.met.clear()

    def draw(self) -> str | None:
        """Return the fault that this answer meets, if any."""
        with self.lock:
            self.requests += 1
            if self.whole:
                self.whole -= 1
                return None
            self.ends_at = self.ends_at or time.monotonic() + self.lasts
            if time.monotonic() > self.ends_at or self.luck.random() >= self.share:
                return None
            fault = self.luck.choice(self.faults)
            self.met[fault] += 1
            return fault

    @property
    def address(self) -> str:
        """Return the address of the proxy."""
        return f"http://127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    """Passes a request on to the server, and its answer back, unless there is a fault."""

    protocol_version = "HTTP/1.1"
    network: Network
    server_port: int

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.network.draw()
        if fault in ("drop before", "500 before", "no HTTP"):
            self._break(fault)
            return
        code, headers, content = self._answer(body)
        if fault == "delay":
            time.sleep(DELAY)
        elif fault == "garbage":
            code, content = 200, b"<html>\x00\xffnot what was asked for {"
        if fault in ("drop after", "500 after"):
            self._break(fault)
            return
        self.send_response(code)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault == "cut":
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        if self.command != "HEAD":
            self.wfile.write(content)
        if fault in (None, "delay"):
            self.network.answered_at = time.monotonic()

    def _break(self, fault: str) -> None:
        self.close_connection = True
        if fault.startswith("500"):
            self.close_connection = False
            self.send_response(500)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"Sorry")
        elif fault == "no HTTP":
            self.wfile.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")

    def _answer(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server_port, timeout=PATIENCE)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            headers["Host"] = f"127.0.0.1:{self.server_port}"  # MLflow accepts the names of this machine alone
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass_on  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Print nothing: clients that give up close their connections."""


@contextmanager
def proxy(server_port: int, luck: random.Random) -> Iterator[Network]:
    """Run a proxy before the server at this port of this machine; yield its network, which has no faults yet."""
    network = Network(luck)
    handler = type("Handler", (_Handler,), {"network": network, "server_port": server_port})
    with _Server(("127.0.0.1", 0), handler) as server:
        network.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield network
        finally:
            with suppress(OSError):
                server.shutdown()
