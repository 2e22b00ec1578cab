"""Acceptance scenarios as golden files: what was asked, answered and recorded, step by step.

A scene is played at a fixed time. What changes with every run (ids, digests, places in the log,
the tokens that name people) is replaced: people by ``<陆云山>`` or ``<somebody>``, the rest by its
name in angle brackets. ``HUB_TEST_GOLDEN=write`` writes the files anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from graphql import parse, print_ast
from sqlalchemy import select

from audit.tokens import SubjectTokens
from store.audit import audit_event
from store.register import citizen
from tests.casework import ACCEPT, CHANGED
from tests.golden import same
from tests.trusted import Edge

HERE = Path(__file__).parent / "journeys" / "scenarios"
MONDAY = datetime(2026, 11, 2, 1, tzinfo=UTC)
"""Nine in the morning in the county, the day after the demonstration's."""
STAMPS = frozenset(
    {
        "id",
        "idx",
        "lens",
        "leaf",
        "policy",
        "request",
        "requestId",
        "trace",
        "writer",
        "wseq",
        "head",
    }
)
"""Of a record or a receipt: they differ with every run."""
TOKENS = ("subjects", "sought")
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
DIGEST = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{8}(?: [0-9a-f]{8}){7})\b")
CODE = re.compile(r"\b[2-9A-Z]{4}(?:-[2-9A-Z]{4}){3}\b")
TAGS = re.compile(r"<style.*?</style>|<svg.*?</svg>|<[^>]*>", re.DOTALL)


class FixedTime:
    """A clock that stands until the scene moves it. µs UTC."""

    def __init__(self, at: datetime = MONDAY) -> None:
        self.at = at

    def __call__(self) -> int:
        return round(self.at.timestamp() * 1_000_000)

    def now(self) -> datetime:
        """What it shows."""
        return self.at

    def passes(self, **given: float) -> None:
        """``passes(days=6)``."""
        self.at += timedelta(**given)


@dataclass(slots=True)
class Scene:
    """A running hub at a fixed time, and what has been told so far."""

    edge: Edge
    time: FixedTime
    title: str
    told: list[str] = field(default_factory=list)

    async def ask(
        self,
        about: str,
        account: str,
        text: str,
        given: Mapping[str, object] | None = None,
        purpose: str | None = None,
        **headers: str,
    ) -> dict[str, Any]:
        """One request; its answer, told with the records it left."""
        body = {"query": text, "variables": dict(given or {})}
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        sent = self._headers(account, purpose) | ACCEPT | named
        answer = await self.edge.http.post("/graphql", json=body, headers=sent)
        found: dict[str, Any] = answer.json()
        who = {"account": account, "purpose": sent["X-Purpose"], **named}
        await self._tell(about, who, print_ast(parse(text)), body["variables"], answer, found)
        return found

    async def do(
        self,
        about: str,
        account: str,
        name: str,
        given: Mapping[str, object],
        selection: str = CHANGED,
        purpose: str | None = None,
    ) -> dict[str, Any]:
        """One mutation; what it answered."""
        kind = name[0].upper() + name[1:]
        asked = f"{name}(input: $in) {{ __typename {selection} }}"
        text = f"mutation {kind}($in: {kind}Input!) {{ {asked} }}"
        answer = await self.ask(about, account, text, {"in": dict(given)}, purpose)
        found: dict[str, Any] = answer["data"][name]
        return found

    async def paper(self, about: str, account: str, kind: str, number: str) -> httpx.Response:
        """A print; told as what stands on it."""
        headers = self.edge.headers(account)
        answer = await self.edge.http.post(
            f"/print/{kind}", json={"caseNo": number}, headers=headers
        )
        lines = [line.strip() for line in TAGS.sub("", answer.text).splitlines()]
        shown = "\n".join(line for line in lines if line)
        self.told.append(
            f"## {about}\n\n{self._when()}  account: {account}\n\nPOST /print/{kind}\n\n"
            f"→ {answer.status_code}\n\n```text\n{shown}\n```\n\n{await self._recorded(answer)}"
        )
        return answer

    async def verify(self, about: str, code: str, sha256: str) -> dict[str, Any]:
        """Is a paper genuine? Anybody asks, and no record is left."""
        answer = await self.edge.http.post(f"/verify/{code}", json={"sha256": sha256})
        found: dict[str, Any] = answer.json()
        said = f"POST /verify/<code>\n\n→ {answer.status_code}\n\n{_json(found)}"
        self.told.append(f"## {about}\n\n{self._when()}\n\n{said}")
        return found

    def happens(self, about: str, what: object = None) -> None:
        """Something that nobody asks for: a job, a day that passes."""
        shown = "" if what is None else f"\n\n{_json(what)}"
        self.told.append(f"## {about}\n\n{self._when()}{shown}")

    async def same(self, name: str) -> None:
        """It is the golden one, letter for letter."""
        names = {row.id: row.name for row in await self._people()}
        told = "\n\n".join([f"# {self.title}", *self.told]) + "\n"
        text = _hidden(UUID.sub(lambda uid: f"<{names.get(uid[0], 'id')}>", told))
        same(HERE / f"{name}.md", text)

    async def records(self, answer: httpx.Response) -> list[dict[str, Any]]:
        """What the log holds of a request, in order."""
        of = audit_event.c.request_id == answer.headers["X-Request-Id"]
        wanted = select(audit_event.c.body).where(of).order_by(audit_event.c.idx)
        async with self.edge.hub.store.connect() as connection:
            return [json.loads(body) for body in await connection.scalars(wanted)]

    async def _tell(
        self,
        about: str,
        who: Mapping[str, str],
        text: str,
        given: object,
        answer: httpx.Response,
        found: dict[str, Any],
    ) -> None:
        shown = {key: value for key, value in found.items() if key != "extensions"}
        head = "  ".join(f"{key}: {value}" for key, value in who.items())
        self.told.append(
            f"## {about}\n\n{self._when()}  {head}\n\n```graphql\n{text}\n```\n\n{_json(given)}\n\n"
            f"→ {answer.status_code}\n\n{_json(shown)}\n\n{await self._recorded(answer)}"
        )

    async def _recorded(self, answer: httpx.Response) -> str:
        tokens = SubjectTokens(self.edge.hub.keys.audit)
        people = {tokens.token(row.citizen_uid): f"<{row.name}>" for row in await self._people()}
        records = [_record(one, people) for one in await self.records(answer)]
        return "\n\n".join(f"⇒ {one['kind']}\n\n{_lines(one)}" for one in records)

    def _headers(self, account: str, purpose: str | None) -> dict[str, str]:
        """Of an account of the demonstration, or of one that the scene has opened for a purpose."""
        if purpose is None or self.edge.site.account(account) is not None:
            return self.edge.headers(account, purpose=purpose)
        token = self.edge.hub.tokens.issue(account, [purpose])
        return {"Authorization": f"Bearer {token}", "X-Purpose": purpose}

    async def _people(self) -> Any:
        async with self.edge.hub.store.connect() as connection:
            row = citizen.c
            return (await connection.execute(select(row.id, row.citizen_uid, row.name))).all()

    def _when(self) -> str:
        return f"{self.time.at:%Y-%m-%dT%H:%M}Z"


def _record(body: Mapping[str, Any], people: Mapping[str, str]) -> dict[str, Any]:
    """A record without what differs: its people by name, sorted."""
    made: dict[str, Any] = {
        key: f"<{key}>" if key in STAMPS else value for key, value in body.items()
    }
    for key in TOKENS:
        if key in made:
            made[key] = sorted(people.get(token, "<somebody>") for token in made[key])
    if "reads" in made:
        made["reads"] = [_record(one, people) for one in made["reads"]]
    return made


def _hidden(text: str) -> str:
    return CODE.sub("<code>", DIGEST.sub("<digest>", text))


def _json(value: object) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=1)}\n```"


def _lines(record: Mapping[str, Any]) -> str:
    """A member a line, a read a line."""
    told = []
    for key, value in record.items():
        if key == "reads":
            reads = ",\n  ".join(json.dumps(one, ensure_ascii=False) for one in value)
            told.append(f' "reads": [\n  {reads}]')
        else:
            told.append(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "```json\n{\n" + ",\n".join(told) + "\n}\n```"
