"""An address beside ``/graphql`` that is answered by the same road: what all of them share.

Each reads its own kind of request; span, cross-origin permission and sending are told once, here.
"""

from __future__ import annotations

from typing import ClassVar

from starlette.types import Receive, Scope, Send

from hub.edge.cors import Cors, asks_beforehand
from hub.edge.endpoint import deliver, permission, visit_of
from hub.identity.asking import Headers
from hub.release import Sent, Visit
from hub.telemetry.spans import SpanName
from hub.worker import Hub


class Face:
    """A way to ask beside GraphQL; one per worker. `methods` a listed page may use."""

    methods: ClassVar[bytes] = b"GET"

    def __init__(self, hub: Hub) -> None:
        self._hub, self._cors = hub, Cors(hub.settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(reversed(scope["headers"]))  # of a header sent twice, the first counts
        traceparent = headers.get(b"traceparent", b"").decode("latin-1")
        telemetry = self._hub.telemetry
        with (
            telemetry.metrics.running(),
            telemetry.span(SpanName.QUERY, traceparent=traceparent) as span,
        ):
            visit = visit_of(scope, headers, span, self._cors)
            if asks_beforehand(scope["method"], headers):
                sent = permission(self._hub, self._cors, visit, headers, self.methods)
            else:
                sent = await self.handled(scope, headers, receive, visit)
        await deliver(sent, send)

    async def handled(self, scope: Scope, headers: Headers, receive: Receive, visit: Visit) -> Sent:
        """The answer; whatever is raised on the way is one, too."""
        raise NotImplementedError
