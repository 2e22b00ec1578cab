"""``hub-witness serve``, killed each time between what it has persisted and its answer.

The application is the product's own; what stands around it sees an answer 200 about to leave
and kills the process before its first byte.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from starlette.types import Message, Receive, Scope, Send

from hub import server
from hub.witness.keys import cosigners, logs
from hub.witness.record import Record
from hub.witness.service import create_app

app = create_app(
    Record(Path("witness.sqlite"), cosigners(Path("witness.key"))), logs(Path("logs.txt"))
)


async def killed(scope: Scope, receive: Receive, send: Send) -> None:
    async def leaving(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            os.kill(os.getpid(), signal.SIGKILL)
        await send(message)

    await app(scope, receive, leaving)


if __name__ == "__main__":
    server.serve(killed, "127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1]))
