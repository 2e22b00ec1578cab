"""What a question costs inside the product's process: statements, cold and warm, in one JSON line.

    python -m bench.inside ID   (the product's settings in HUB_*)

`statements` sent per request, the record's not counted; `cold_ms` a document never seen, parsed,
validated and planned, not run; `overhead_us` who asks and the Plan when both are known: look-up,
coercion, rights; `engine_us` a whole answer without the time in which a source was asked;
`source_us` that time, the driver's work in it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any, cast

from bench.questions import ACCOUNT, DOCUMENTS, PURPOSE
from catalog.errors import HubError
from hub.app import assemble, running
from hub.identity.asking import Headers
from hub.settings import load_settings
from hub.worker import Hub
from resolvers.answer import Question

COLD, WARM, ANSWERS = 20, 2_000, 100  # how often each is done; the median counts


class Timed:
    """A source that notes how long it was asked; reads at one time count once."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.spent, self._open, self._since = 0.0, 0, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    async def read(self, *given: Any) -> Any:
        """The source's own read, timed."""
        if self._open == 0:
            self._since = time.perf_counter()
        self._open += 1
        try:
            return await self.source.read(*given)
        finally:
            self._open -= 1
            if self._open == 0:
                self.spent += time.perf_counter() - self._since


async def measured(hub: Hub, ids: list[str]) -> dict[str, dict[str, float]]:
    """Question -> its figures; a question the schema does not know is left out."""
    timed = Timed(hub.sources["hub"])
    cast(dict[str, Any], hub.sources)["hub"] = timed
    found = {}
    async with running(hub):
        token = hub.tokens.issue(ACCOUNT, [PURPOSE])
        who = {b"authorization": f"Bearer {token}".encode(), b"x-purpose": PURPOSE.encode()}
        for name, document in DOCUMENTS.items():
            try:
                found[name] = await _question(hub, who, timed, document, ids)
            except HubError:
                continue
    return found


async def _question(
    hub: Hub, who: Headers, timed: Timed, document: str, ids: list[str]
) -> dict[str, float]:
    variables = {"id": ids[0]} if "$id" in document else {}

    async def plan(text: str) -> None:
        known = await hub.askers.known(who)
        hub.engine.explain(Question(text, None, variables), known.gate)

    await plan(document)
    unknown = (document.replace("query Q", f"query C{number}Q") for number in range(COLD))
    cold = [await _seconds(plan, text) for text in unknown]
    warm = [await _seconds(plan, document) for _ in range(WARM)]
    figures = {"cold_ms": median(cold) * 1e3, "overhead_us": median(warm) * 1e6}
    return figures | await _answers(hub, who, timed, document, ids)


async def _answers(
    hub: Hub, who: Headers, timed: Timed, document: str, ids: list[str]
) -> dict[str, float]:
    whole, source = [], []
    sent = getattr(timed.source, "calls", 0)
    for number in range(ANSWERS):
        variables = {"id": ids[number % len(ids)]} if "$id" in document else {}
        question, before = Question(document, None, variables), timed.spent
        began = time.perf_counter()
        known = await hub.askers.known(who)
        answer = await hub.engine.answer(question, known.gate, known.context)
        whole.append(time.perf_counter() - began)
        source.append(timed.spent - before)
        if answer.errors:
            raise ValueError(f"{document[:8]}: {answer.errors[0]}")
    calls = getattr(timed.source, "calls", 0) - sent
    rest = [a - b for a, b in zip(whole, source, strict=True)]
    return {
        "statements": calls / ANSWERS,
        "engine_us": median(rest) * 1e6,
        "source_us": median(source) * 1e6,
    }


async def _seconds(deed: Callable[[str], Awaitable[None]], text: str) -> float:
    began = time.perf_counter()
    await deed(text)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measured(assemble(load_settings()), sys.argv[1:]))))
