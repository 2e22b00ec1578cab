"""A witness that says whatever it is told to say, and keeps what it was sent."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from audit.witness import SIZE_TYPE, Submission

Said = tuple[int, str, bytes]
"""Status, content type, body."""
Script = Callable[[Submission], Said]


def size(number: int) -> Said:
    return 409, SIZE_TYPE, f"{number}\n".encode()


def plain(status: int, body: bytes = b"no\n") -> Said:
    return status, "text/plain", body


@dataclass
class Liar:
    """`script` answers; `asked` are the submissions that came. `hold_s` before each answer,
    `drip_s` between its bytes."""

    script: Script
    asked: list[Submission] = field(default_factory=list)
    hold_s: float = 0.0
    drip_s: float = 0.0

    @contextlib.contextmanager
    def listening(self) -> Iterator[str]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        liar = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                submission = Submission.parse(body)
                liar.asked.append(submission)
                time.sleep(liar.hold_s)
                status, kind, said = liar.script(submission)
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    if 300 <= status < 400:
                        self.send_header("Location", "/elsewhere")
                    self.send_header("Content-Length", str(len(said)))
                    self.end_headers()
                    for at in range(0, len(said), 1 if liar.drip_s else len(said)):
                        self.wfile.write(said[at : at + 1] if liar.drip_s else said)
                        time.sleep(liar.drip_s)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
