"""Schema-valid documents at random, as the lab principal, several clients at once.

    HUB_TEST_MINUTES=10 python -m tests.conformance.random_queries

The documents are those of tests/resolvers/documents.py, each asked with its three sets of
variables. Whatever is refused is refused by a code; nothing is a failure of ours.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from catalog.load import load
from hub.demo.site import opened
from schema.build import build
from tests.resolvers.conftest import facts_of
from tests.resolvers.documents import Choice, Made, Maker

MINUTES = 10.0
CLIENTS = 4  # at once; the hub and they share two cores
SHARE_OF_DATA = 0.5  # of the answers: a hub that refuses all questions proves nothing
OURS = frozenset({"INTERNAL", "DEADLINE_EXCEEDED", "AUDIT_UNAVAILABLE"})
"""Codes of failures of ours. A department that may be asked only so often (BUSY) is none."""
KINDS = (Choice(), Choice(nulls=True), Choice(audit=True))
"""By turns: what everybody asks, null where it is not allowed, the access log."""

Ask = Callable[[Mapping[str, Any]], Any]


@dataclass(slots=True)
class Tally:
    """What came back: requests by outcome (the first error's code, or OK), failures of ours."""

    documents: int = 0
    requests: int = 0
    with_data: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def take(self, seed: int, answer: httpx.Response) -> None:
        """Count one answer."""
        self.requests += 1
        whole = answer.json()
        codes = [error["extensions"]["code"] for error in whole.get("errors", ())]
        self.outcomes[codes[0] if codes else "OK"] += 1
        self.with_data += whole.get("data") is not None
        if answer.status_code >= 500 or OURS.intersection(codes):
            self.failures.append(f"seed {seed}: {answer.status_code} {codes}")


async def ask_at_random(
    client: httpx.AsyncClient,
    headers: Mapping[str, str],
    document: Callable[[int], Made],
    more: Callable[[int], bool],
) -> Tally:
    """Ask documents 0, 1, 2 … while `more(seed)` says so; CLIENTS of them at once."""
    tally, seeds = Tally(), iter(range(sys.maxsize))

    async def one() -> None:
        for seed in seeds:
            if not more(seed):
                return
            made = document(seed)
            tally.documents += 1
            for variables in made.variables:
                body = {"query": made.text, "operationName": made.name, "variables": variables}
                tally.take(seed, await client.post("/graphql", json=body, headers=headers))

    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return tally


def documents(folder: Path) -> Callable[[int], Made]:
    """``document(seed)`` over the county in `folder`."""
    site, catalog = opened(folder), load()
    assert site is not None, f"no county in {folder}"
    schema, facts = build(catalog).schema, facts_of(site, catalog)
    return lambda seed: Maker(schema, facts, seed, KINDS[seed % len(KINDS)]).made()


def missed(tally: Tally) -> list[str]:
    """What is wrong, a line each."""
    found = tally.failures[:20]
    if tally.with_data < SHARE_OF_DATA * tally.requests:
        found.append(f"only {tally.with_data} of {tally.requests} answers hold data")
    return found


async def main() -> None:
    """Ask for so many minutes; the last line is what was reached."""
    minutes = float(os.environ.get("HUB_TEST_MINUTES", MINUTES))
    document, end = documents(Path(os.environ["HUB_TEST_SITE"])), time.monotonic() + 60 * minutes
    lab = json.loads(os.environ["HUB_TEST_TOKENS"])["lab"]
    headers = {"Authorization": f"Bearer {lab}", "X-Purpose": "aid.review"}
    base = os.environ["HUB_TEST_URL"].removesuffix("/graphql")
    async with httpx.AsyncClient(base_url=base, timeout=30, trust_env=False) as client:
        tally = await ask_at_random(client, headers, document, lambda _: time.monotonic() < end)
    failed = len(tally.failures)
    reached = f"{tally.requests} requests in {minutes:g} min: {failed} 5xx or INTERNAL"
    sys.stderr.write(f"{tally.documents} documents, {dict(tally.outcomes.most_common())}\n")
    sys.stdout.write(json.dumps({"reached": reached, "missed": missed(tally)}) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
