"""Casework over HTTP, for tests: one mutation by an account, a new case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from audit.batch import now_us
from resolvers.commands.office import Office
from resolvers.disputes import Disputes
from store.deeds import Deeds
from tests.trusted import Edge

VILLAGE, TOWN, NEIGHBOUR, DEPT = (
    "zhelai-village-01",
    "zhelai-town-01",
    "bange-town-01",
    "mca-dept-01",
)
CHANGED = "... on CaseChanged { case { caseNo state version } event { act state } }"
ACCEPT = {"Accept": "application/graphql-response+json"}
MANY: Mapping[str, object] = {"rate.person": 100_000, "running.person": 1_000}


MORE: Mapping[str, Mapping[str, object]] = {
    "deliberateCase": {"attendance": 21, "votesFor": 19},
    "deliverCase": {"deliveredOn": "2026-11-30"},
    "followUpCase": {"satisfaction": 5},
    "notifyDecision": {"channel": "PHONE"},
}
"""What some mutations take beside a text."""
DAY_US = 86_400_000_000


class Time:
    """The hub's clock, moved by the test: forward only."""

    def __init__(self) -> None:
        self.ahead_us = 0

    def __call__(self) -> int:
        return now_us() + self.ahead_us

    def now(self) -> datetime:
        """The moment it shows."""
        return datetime.fromtimestamp(self() / 1_000_000, UTC)

    def pass_days(self, days: int) -> None:
        """So many days later."""
        self.ahead_us += days * DAY_US

    def move_to(self, moment: datetime) -> None:
        """It is that moment now."""
        ahead = round((moment - self.now()) / timedelta(microseconds=1))
        assert ahead > 0
        self.ahead_us += ahead


async def do(
    edge: Edge,
    account: str,
    name: str,
    given: Mapping[str, object],
    selection: str = CHANGED,
    **headers: str,
) -> httpx.Response:
    """One mutation by an account."""
    noun = name[0].upper() + name[1:]
    asked = f"done: {name}(input: $in) {{ __typename {selection} }}"
    text = f"mutation Do($in: {noun}Input!) {{ {asked} }}"
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await edge.http.post(
        "/graphql",
        json={"query": text, "variables": {"in": dict(given)}},
        headers=edge.headers(account) | ACCEPT | named,
    )


def code(answer: httpx.Response) -> tuple[str, str | None]:
    """Code and reason of an answer's first error."""
    first = answer.json()["errors"][0]["extensions"]
    return first["code"], first.get("reason")


def applicant(edge: Edge) -> str:
    """A citizen of 者腊乡, in the village of its clerk."""
    return edge.site.shown("zhelai").citizen


def filing(edge: Edge, item: str = "EXTREME_POVERTY", **more: object) -> dict[str, object]:
    """What a village clerk files for a villager who asked him."""
    proxy = {"citizen": applicant(edge), "relation": "邻居", "consent": "SQ-2026-17"}
    given = {"applicant": applicant(edge), "item": item, "intake": "HOME_VISIT", "proxy": proxy}
    return {**given, "channel": "PROXY_RAISED", "body": "无劳动能力，请求特困供养", **more}


async def filed(edge: Edge, item: str = "EXTREME_POVERTY") -> dict[str, Any]:
    """A new case."""
    answer = await do(edge, VILLAGE, "submitCase", filing(edge, item))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]["done"]["case"]
    return found


def office_of(edge: Edge, digest: Callable[[str], str], time: Time) -> Office:
    """An office over the edge's store that nothing disputed is asked of."""
    return Office(
        Deeds(edge.hub.store),
        edge.hub.catalog,
        digest,
        lambda _: [],
        Disputes(nothing_disputed),
        person=digest,
        rights_moved=nobody_waits,
        clock=time.now,
    )


async def nobody_waits() -> None:
    """There is no other worker."""


async def nothing_disputed() -> Iterable[tuple[str, str]]:
    """No value is disputed."""
    return ()
