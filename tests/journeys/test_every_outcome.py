"""Every kind of operation with every outcome: exactly the expected records, fields and people.

Each is asked twice, the second time of warm caches: the records say the same. The contract has no
mutation, subscription or stored document; asking for one is a record, too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from adapters.identity import with_check_digit

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN, OFFICER = "zhelai-town-01", "auditor-01"
ABSENT = with_check_digit("53992219990228998")
WHY = {"X-Purpose-Note": quote("山洪，连夜转移")}
Words = frozenset[str]
NONE: Words = frozenset()


@dataclass(frozen=True, slots=True)
class Told:
    """What a record says: its fields by coordinate, how rows were found, people by their number."""

    how: tuple[str, ...] = ()
    seen: int = 0
    sought: int = 0
    clear: Words = NONE
    masked: Words = NONE
    hidden: Words = NONE
    states: Words = NONE
    kind: str = "READ"
    outcome: str = "OK"
    code: str = ""


def told(record: Mapping[str, Any]) -> Told:
    """The same of a body in the log."""
    reads = record.get("reads", ())

    def every(name: str) -> Words:
        return frozenset(key for read in reads for key in read.get(name, ()))

    return Told(
        how=tuple(sorted(read["how"] for read in reads)),
        seen=len(record.get("subjects", ())),
        sought=len(record.get("sought", ())),
        clear=every("clear"),
        masked=every("masked"),
        hidden=every("hidden"),
        states=every("states"),
        kind=record["kind"],
        outcome=record["outcome"],
        code=record.get("code", ""),
    )


def words(*all_: str) -> Words:
    return frozenset(all_)


NAME, PHONE = "Citizen.name", "Citizen.phone"
ONE = Told(how=("row",), seen=1, clear=words(NAME))
INTENT = Told(kind="BREAK_GLASS_INTENT")


def denied(code: str, **more: Any) -> Told:
    return Told(outcome="DENIED", code=code, **more)


def invalid(code: str, **more: Any) -> Told:
    return Told(outcome="INVALID", code=code, **more)


@dataclass(frozen=True, slots=True)
class Case:
    """A question, who asks it, and the records it must leave; variables by their names."""

    query: str
    records: tuple[Told, ...]
    who: str = TOWN
    purpose: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


def person(shown: str, *records: Told, **more: Any) -> Case:
    """One citizen by his key."""
    return Case(f"query($id: ID!) {{ citizen(by: {{id: $id}}) {{ {shown} }} }}", records, **more)


def looked_up(name: str, *records: Told, shown: str = "name", **more: Any) -> Case:
    """One citizen by his number, which is the variable's."""
    query = f"query(${name}: String!) {{ citizen(by: {{idNumber: ${name}}}) {{ {shown} }} }}"
    return Case(query, records, **more)


def plain(query: str, *records: Told, **more: Any) -> Case:
    return Case(query, records, **more)


TWICE = """query($n: String!) { a: citizen(by: {idNumber: $n}) { name }
                                b: citizen(by: {idNumber: $n}) { phone } }"""
TWO = """query($n: String!, $m: String!) { a: citizen(by: {idNumber: $n}) { name }
                                           b: citizen(by: {idNumber: $m}) { name } }"""
FRAGMENT = """query($id: ID!) { citizen(by: {id: $id}) { ...F } } fragment F on Citizen { name }"""
NOBODY = '{ citizen(by: {id: "018f7f00-0000-7000-8000-000000000000"}) { name } }'
VIEWER = "{ viewer { account } }"
MISS = Told(how=("key",), sought=1, states=words("NO_RECORD"), code="NO_RECORD")
OF_LOG = "query($n: String!) { subjectAccess(of: {idNumber: $n}) { totalCount } }"

CASES: dict[str, Case] = {
    # allowed
    "by key": person("name", ONE),
    "by number": looked_up("n", Told(how=("key",), seen=1, sought=1, clear=words(NAME))),
    "fragment": plain(FRAGMENT, ONE),
    "inline fragment": person("... on Citizen { name }", ONE),
    "aliases of a field": person("n: name m: name", ONE),
    "aliases of one person": plain(
        TWICE, Told(how=("key", "key"), seen=1, sought=1, clear=words(NAME, PHONE))
    ),
    "aliases, one of them a miss": plain(
        TWO,
        Told(how=("key", "key"), seen=1, sought=2, clear=words(NAME), states=words("NO_RECORD")),
    ),
    "nothing of a person": person(
        "name @skip(if: true) phone @include(if: false) __typename", Told(how=("row",), seen=1)
    ),
    "relation": person(
        "household { members { name } }",
        # The youngest is a child.
        Told(how=("row",) * 3, seen=4, clear=words(NAME), masked=words(NAME)),
    ),
    "facet": person(
        "civilAffairs { minLiving { status } }",
        Told(how=("row", "row"), seen=1, clear=words("MinLiving.status")),
    ),
    "list": plain(
        "{ citizens(first: 3) { totalCount nodes { name } } }",
        Told(how=("list",), seen=3, clear=words(NAME), masked=words(NAME)),
    ),
    "cases": plain(
        "{ cases(first: 2) { nodes { caseNo applicant { name } } } }",
        Told(how=("list", "row"), seen=1, clear=words("Case.caseNo", NAME)),
    ),
    "counts": plain("{ caseStats(by: [VILLAGE]) { division count } }", Told(how=("tally",))),
    "about oneself": plain(VIEWER, Told()),
    "introspection": plain("{ __schema { queryType { name } } }", Told(), who="lab"),
    # masked, hidden, in part
    "masked": person("idNumber", Told(how=("row",), seen=1, masked=words("Citizen.idNumber"))),
    "a facet that is shut": person(
        "name health { chronic { disease } }",
        Told(
            how=("row", "row"),
            seen=1,
            clear=words(NAME),
            hidden=words("ChronicRecord"),
            states=words("DENIED"),
        ),
    ),
    # nobody there, or out of reach: the records say the same
    "miss by number": looked_up("m", MISS),
    "neighbour by number": looked_up("other", MISS),
    "miss by key": plain(NOBODY, Told(how=("row",), states=words("NO_RECORD"))),
    # denied
    "introspection, refused": plain("{ __schema { types { name } } }", denied("FORBIDDEN")),
    "the log, to a clerk": plain(
        "{ auditEvents { totalCount } }",
        denied("FORBIDDEN", kind="AUDIT_READ", how=("list",), hidden=words("AuditEvent")),
    ),
    "a person, to the auditor": looked_up(
        "n", denied("FORBIDDEN", how=("key",), sought=1, hidden=words("Citizen")), who=OFFICER
    ),
    "a purpose nobody knows": plain(
        VIEWER, denied("PURPOSE_REQUIRED"), headers={"X-Purpose": "curiosity"}
    ),
    "no purpose": plain(VIEWER, denied("PURPOSE_REQUIRED"), headers={"X-Purpose": ""}),
    "another's case": plain(VIEWER, denied("FORBIDDEN"), headers={"X-Case-No": "SQ20620190006"}),
    # reading the log
    "the log": plain(
        "{ auditEvents(first: 1) { nodes { idx } } }",
        Told(how=("list",), clear=words("AuditEvent.idx"), kind="AUDIT_READ"),
        who=OFFICER,
    ),
    "who saw a person": plain(
        OF_LOG, Told(how=("list",), sought=1, kind="AUDIT_READ"), who=OFFICER
    ),
    "how the log is": plain(
        "{ auditHealth { size } }",
        Told(how=("row",), clear=words("AuditHealth.size"), kind="AUDIT_READ"),
        who=OFFICER,
    ),
    # emergency
    "emergency": person(
        "name phone",
        INTENT,
        Told(how=("row",), seen=1, clear=words(NAME, PHONE), kind="BREAK_GLASS_RESULT"),
        purpose="emergency",
        headers=WHY,
    ),
    "emergency, invalid": plain(
        "{ nothing }",
        INTENT,
        invalid("GRAPHQL_VALIDATION_FAILED", kind="BREAK_GLASS_RESULT"),
        purpose="emergency",
        headers=WHY,
    ),
    "emergency without a reason": person("name", denied("PURPOSE_REQUIRED"), purpose="emergency"),
    # invalid
    "no GraphQL": plain("{ viewer {", invalid("GRAPHQL_PARSE_FAILED")),
    "no such field": plain("{ nothing }", invalid("GRAPHQL_VALIDATION_FAILED")),
    "no value of a variable": plain(
        "query($x: ID!) { citizen(by: {id: $x}) { name } }", invalid("BAD_USER_INPUT")
    ),
    "a number in the document": plain(
        f'{{ citizen(by: {{idNumber: "{ABSENT}"}}) {{ name }} }}', invalid("BAD_USER_INPUT")
    ),
    "too large": plain(
        "{" + "".join(f" a{n}: viewer {{ account }}" for n in range(31)) + " }",
        invalid("OPERATION_TOO_COMPLEX"),
    ),
    "mutation": plain("mutation { nothing }", invalid("GRAPHQL_VALIDATION_FAILED")),
    "subscription": plain("subscription { nothing }", invalid("GRAPHQL_VALIDATION_FAILED")),
    "a stored document": plain(
        "",
        invalid("DOCUMENT_UNKNOWN"),
        extra={"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "ab" * 32}}},
    ),
}


async def ask(desk: Desk, case: Case) -> list[Told]:
    """The records of one request, in order; what alerts follow is not its own."""
    of, other = desk.site.shown("zhelai"), desk.site.shown("bange")
    values = {"id": of.citizen, "n": of.id18, "m": ABSENT, "other": other.id18}
    headers = desk.headers(case.who)
    if case.purpose is not None:
        token = desk.hub.tokens.issue(case.who, [case.purpose])
        headers = {"Authorization": f"Bearer {token}", "X-Purpose": case.purpose}
    given = {name: value for name, value in values.items() if f"${name}:" in case.query}
    body = {"query": case.query, "variables": given, **case.extra}
    before = len(await desk.records())
    answer = await desk.client.post("/graphql", json=body, headers=headers | dict(case.headers))
    made = [r for r in (await desk.records())[before:] if r["kind"] != "ALERT_RAISED"]
    assert await desk.record(answer) == made[-1]
    assert {(r["actor"], r["request"]) for r in made} == {
        (case.who, answer.headers["X-Request-Id"])
    }
    return [told(record) for record in made]


@pytest.mark.parametrize("name", CASES)
async def test_exactly_the_expected_records(desk: Desk, name: str) -> None:
    cold, warm = await ask(desk, CASES[name]), await ask(desk, CASES[name])
    assert cold == warm == list(CASES[name].records)


def test_every_outcome_is_there() -> None:
    records = [one for case in CASES.values() for one in case.records]
    assert {one.outcome for one in records} == {"OK", "DENIED", "INVALID"}
    kinds = {"READ", "AUDIT_READ", "BREAK_GLASS_INTENT", "BREAK_GLASS_RESULT"}
    assert {one.kind for one in records} == kinds
    assert len(CASES) == 40


# ---- what needs a fault: in part, too late, gone


SETTLED = "name medicalInsurance { settlements { settledAt } }"


@contextlib.asynccontextmanager
async def _silent() -> AsyncIterator[tuple[str, list[int]]]:
    """A department's system that takes questions and never answers; how many it took."""
    taken: list[int] = []

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(1)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", taken


def _partial(state: str) -> Told:
    return Told(
        how=("row", "row"),
        seen=1,
        clear=words(NAME),
        states=words(state),
        outcome="PARTIAL",
        code="SOURCE_UNAVAILABLE",
    )


async def test_a_source_that_is_not_there_is_a_record_of_a_part(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    async with open_desk(site_copy) as desk:
        assert await ask(desk, person(SETTLED)) == [_partial("SOURCE_DOWN")]


async def test_a_source_that_does_not_answer_in_time_is_one_too(
    site_copy: Site, open_desk: OpenDesk
) -> None:
    async with _silent() as (address, taken):
        given: dict[str, Any] = {"source.deadline_s": 0.3}
        async with open_desk(site_copy, address, **given) as desk:
            assert await ask(desk, person(SETTLED)) == [_partial("SOURCE_DOWN")]
    assert taken
