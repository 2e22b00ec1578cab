"""Two servers on one store: what is taken away is refused by both within a second."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authz.rule import NO_END, Rule
from hub.app import assemble
from hub.identity.tokens import DEMO_CLIENT
from store.accounts import suspend
from store.documents import NewDocument, approve, register, retire, sha256_of
from store.engine import open_engine
from store.grants import Grant, share_grant
from store.listen import NAME
from store.policy import add_denial, policy_digest, policy_version, read_policy_rows
from store.sharing import activate_grant, file_grant, revoke_grant

if TYPE_CHECKING:
    from hub.demo.site import Site

pytestmark = pytest.mark.loopback

HUB = [sys.executable, "-m", "hub"]
CLERK, PURPOSE = "mca-dept-01", "aid.review"
READY_S = 30.0
WITHIN_S = 1.0  # from the commit to the last question that a server still allows
UNTOLD_S = 3.0  # the same if no notice comes
LOST_S = 10.0  # nobody waits longer in a test that fails

GRANT = Grant(
    "g1", "SQ-2026-1", "Citizen.employment", "hrss", "mca", "read", "county", PURPOSE,
    "2022-01-01", "9999-12-31",
)  # fmt: skip
INSURED = "query($n: String!) { citizen(by: {idNumber: $n}) { employment { insurance { name } } } }"
DOCUMENT = "query Who { viewer { account } }"
LISTED = "{ cases(first: 1) { nodes { caseNo } } }"

Change = Callable[[AsyncConnection], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Server:
    """One process, asked as one clerk."""

    client: httpx.Client
    number: str  # of the person he asks for

    def ask(self, query: str) -> httpx.Response:
        variables = {"n": self.number} if "$n" in query else {}
        return self.client.post("/graphql", json={"query": query, "variables": variables})

    def insured(self) -> bool:
        """Is the other department's facet read for him?"""
        answer = self.ask(INSURED).json()
        assert answer["data"]["citizen"] is not None
        fields = answer["extensions"]["fields"]
        return {"coordinate": "EmploymentInsurance", "state": "DENIED", "count": 0} not in fields

    def listed(self) -> bool:
        """May he list cases?"""
        answer = self.ask(LISTED).json()
        if "errors" not in answer:
            return True
        assert answer["errors"][0]["extensions"]["reason"] == "DENIED"
        return False

    def known(self) -> bool:
        """Is he let in?"""
        answer = self.ask("{ viewer { account } }")
        assert answer.status_code in (200, 401)
        return answer.status_code == 200

    def trusted(self) -> bool:
        """May he ask the document, by its id and by its name?"""
        by_id = self.client.post("/graphql", json={"documentId": f"sha256:{sha256_of(DOCUMENT)}"})
        by_name = self.client.get("/api/rest/Who/1")
        assert {by_id.status_code, by_name.status_code} <= {200, 403, 404}
        return 200 in (by_id.status_code, by_name.status_code)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two servers and their store."""

    servers: tuple[Server, ...]
    url: str

    def change(self, change: Change) -> float:
        """One transaction of a third process's; when it was committed."""
        return asyncio.run(_changed(self.url, change))

    def refused_after(self, change: Change, allowed: Callable[[Server], bool]) -> float:
        """Seconds from the commit of `change` to the last question that either still allowed.

        When that question was put counts, not when it was answered: a slow answer is no right.
        """
        assert [allowed(server) for server in self.servers] == [True, True]
        committed = last = self.change(change)
        waiting = [*self.servers]
        while waiting:
            for server in tuple(waiting):
                asked = time.monotonic()
                if allowed(server):
                    last = asked
                else:
                    waiting.remove(server)
            assert time.monotonic() - committed < LOST_S
        return last - committed


async def _changed(url: str, change: Change) -> float:
    engine = open_engine(url, pool_size=1)
    async with engine.begin() as conn:
        await change(conn)
    committed = time.monotonic()
    await engine.dispose()
    return committed


async def _granted(conn: AsyncConnection) -> None:
    await file_grant(conn, GRANT, by="clerk", basis="申请")
    await activate_grant(conn, GRANT.id, by="lead", basis="同意")


async def _revoked(conn: AsyncConnection) -> None:
    await revoke_grant(conn, GRANT.id, by="lead", basis="撤销")


async def _revoked_unheard(conn: AsyncConnection) -> None:
    """The same rows as `_revoked` leaves, and nobody is told."""
    await conn.execute(update(share_grant).values(state="REVOKED"))
    rows = await read_policy_rows(conn)
    digest = policy_digest(rows.rules, rows.parents, rows.objects, rows.grants)
    await conn.execute(update(policy_version).values(version=rows.version + 1, digest=digest))


async def _denied(conn: AsyncConnection) -> None:
    rule = Rule("dept", "*", "Case.basic", "list", "county", "any", "*", NO_END, "deny", "处置")
    await add_denial(conn, (rule.id, *rule.line, rule.basis), by="tester")


async def _suspended(conn: AsyncConnection) -> None:
    await suspend(conn, CLERK, by="tester", basis="离岗")


async def _approved(conn: AsyncConnection) -> None:
    new = NewDocument("Who", DOCUMENT, 0, ())
    await register(conn, DEMO_CLIENT, [new], by="tester")
    await approve(conn, DEMO_CLIENT, "Who", 1, by="officer", basis="评审")


async def _retired(conn: AsyncConnection) -> None:
    await retire(conn, DEMO_CLIENT, "Who", 1, by="officer", basis="停用")


async def _lines_cut(conn: AsyncConnection) -> None:
    found = await conn.execute(
        text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE application_name = '{NAME}' AND datname = current_database()"
        )
    )
    assert len(found.all()) == 2


@contextlib.contextmanager
def _serving(site: Site, url: str, port: int) -> Iterator[None]:
    settings = {
        "HUB_PROFILE": "demo",
        "HUB_DATA_DIR": str(site.folder),
        "HUB_STORE_URL": url,
        "HUB_SOURCES_RS_JIUYE": f"sqlite+aiosqlite:///{site.folder / 'sources/rs_jiuye.sqlite'}",
        "HUB_PORT": str(port),
        "HUB_LOG_LEVEL": "ERROR",
        "HUB_LOOKUP_PER_HOUR": "100000",  # he is looked up again and again until it is refused
    }
    with subprocess.Popen([*HUB, "serve"], env=os.environ | settings) as process:
        try:
            yield
        finally:
            process.kill()


def _client(site: Site, port: int) -> httpx.Client:
    issued = assemble(site.settings()).tokens.issue(CLERK, (PURPOSE,))
    headers = {"Authorization": f"Bearer {issued}", "X-Purpose": PURPOSE}
    address = f"http://127.0.0.1:{port}"
    return httpx.Client(base_url=address, headers=headers, trust_env=False)


def _await_ready(client: httpx.Client) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            if client.get("/readyz").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError("the server did not start")


@contextlib.contextmanager
def _pair(site: Site, url: str) -> Iterator[Pair]:
    ports = [_free_port() for _ in range(2)]
    number = site.shown("zhelai").id18
    with contextlib.ExitStack() as stack:
        for port in ports:
            stack.enter_context(_serving(site, url, port))
        clients = [stack.enter_context(_client(site, port)) for port in ports]
        for client in clients:
            _await_ready(client)
        yield Pair(tuple(Server(client, number) for client in clients), url)


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def _until(both: Callable[[], list[bool]]) -> None:
    end = time.monotonic() + LOST_S
    while both() != [True, True]:
        assert time.monotonic() < end


def test_what_is_taken_away_is_refused_by_both_within_a_second(
    site_copy: Site, filled_store: str
) -> None:
    with _pair(site_copy, filled_store) as pair:
        assert [server.insured() for server in pair.servers] == [False, False]
        pair.change(_granted)
        _until(lambda: [server.insured() for server in pair.servers])
        taken: dict[str, float] = {
            "grant": pair.refused_after(_revoked, Server.insured),
            "denial": pair.refused_after(_denied, Server.listed),
            "account": pair.refused_after(_suspended, Server.known),
        }
    assert {what: s for what, s in taken.items() if s > WITHIN_S} == {}


def test_a_document_that_ends_is_refused_by_both_within_a_second(
    site_copy: Site, filled_store: str
) -> None:
    with _pair(site_copy, filled_store) as pair:
        assert [server.trusted() for server in pair.servers] == [False, False]
        pair.change(_approved)
        _until(lambda: [server.trusted() for server in pair.servers])
        assert pair.refused_after(_retired, Server.trusted) <= WITHIN_S


@pytest.mark.postgres
def test_with_their_lines_cut_and_no_notice_both_refuse_within_three_seconds(
    site_copy: Site, filled_postgres: str
) -> None:
    with _pair(site_copy, filled_postgres) as pair:
        pair.change(_granted)
        _until(lambda: [server.insured() for server in pair.servers])

        async def unheard(conn: AsyncConnection) -> None:
            await _lines_cut(conn)
            await _revoked_unheard(conn)

        assert pair.refused_after(unheard, Server.insured) <= UNTOLD_S
