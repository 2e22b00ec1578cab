"""A collector of a test's own: takes OTLP over HTTP, keeps every byte, is as sick as asked."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACES, METRICS = "/v1/traces", "/v1/metrics"


@dataclass(slots=True)
class Collector:
    """`got`: path -> bodies, unpacked. `status` it answers; `hangs`: it does not, until it ends."""

    status: int = 200
    hangs: bool = False
    got: dict[str, list[bytes]] = field(default_factory=dict)
    heads: bytes = b""
    address: str = ""

    @contextlib.contextmanager
    def open(self) -> Iterator[Collector]:
        """Listens on a free loopback port."""
        owner, over = self, threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                owner.take(self.path, str(self.headers).encode(), body)
                if owner.hangs:
                    over.wait()
                    self.close_connection = True
                    return
                self.send_response(owner.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            over.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def take(self, path: str, head: bytes, body: bytes) -> None:
        """Keep what came."""
        self.heads += head
        self.got.setdefault(path, []).append(gzip.decompress(body))

    def spans(self) -> list[Any]:
        """Every span that came, in order."""
        found = []
        for body in self.got.get(TRACES, []):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    found += list(scope.spans)
        return found

    def metrics(self) -> set[str]:
        """The names of all metrics that came."""
        return {
            metric.name
            for body in self.got.get(METRICS, [])
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
