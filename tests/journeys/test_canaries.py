"""Invented numbers, names, phones and tokens, planted wherever a client or a source can put them.

They are asked of a real server with its log at DEBUG and of a hub with a span exporter, over one
store. Afterwards they must be nowhere: not in the log or its derived tables, in no export, no
archive segment, no alert or its delivery, not in anchor, signer's memory, stdout, spans, in what
a collector of spans and metrics was sent or in /metrics. Two columns may hold them, since they are
there to be erased.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import select

from adapters.identity import citizen_uid
from audit.alerts import acknowledge
from audit.archive import DAY_US, Archive, Plan
from audit.batch import now_us
from audit.export import FORMATS, Order, export
from hub.app import assemble, create_app, running
from hub.demo.people import number_of
from hub.demo.site import HTTP_SOURCE
from hub.keys import load_keys, note_digest
from hub.signing import log_id
from hub.telemetry.spans import Telemetry
from store.audit import audit_alert
from store.engine import open_engine
from tests.audit.sealed import opened_log
from tests.collector import METRICS, TRACES, Collector
from tests.witness.office import free_port

if TYPE_CHECKING:
    from hub.demo.site import Site
    from hub.worker import Hub

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

TOWN, OFFICER = "zhelai-town-01", "auditor-01"
ABSENT = number_of(date(1931, 7, 7), 901)
NAME, PHONE, OPAQUE = "覃纳瑞娅", "12799990417", "tokenCanary7f3a9c51"
READY_S = 30.0
TOLD_S = 120.0  # that alerts leave is looked for here, not how soon on a busy machine
ERASABLE = {"purpose_note.text", "audit_alert_note.text"}
BY_NUMBER = "query($n: String!) { citizen(by: {idNumber: $n}) { name phone idNumber address } }"
VIEWER = "{ viewer { account } }"
ENTITIES = """query($of: [_Any!]!) { _entities(representations: $of) {
  ... on Citizen { idDigest name phone } ... on Case { caseNo } } }"""
FACETS = """query($n: String!) { citizen(by: {idNumber: $n}) { name
  civilAffairs { minLiving { name status monthlyAmount } } housing { house { structure } }
  medicalInsurance { settlements { settledAt } } } }"""

Places = Mapping[str, bytes]
"""What lies where: a name of the place, and all bytes of it."""


def spellings(needle: str) -> set[bytes]:
    """How a text may be written in files, addresses, JSON and headers."""
    raw = needle.encode()
    return {
        raw,
        needle.encode("unicode_escape"),
        quote(needle).encode(),
        raw.hex().encode(),
        base64.b64encode(raw).rstrip(b"="),
        raw.decode("latin-1").encode(),  # UTF-8 taken for Latin-1 and written again
    }


def found(needles: Mapping[str, str], places: Places) -> set[tuple[str, str]]:
    """Every (needle, place) in which one of its spellings stands."""
    wanted = {name: spellings(needle) for name, needle in needles.items()}
    return {
        (name, place)
        for place, content in places.items()
        for name, texts in wanted.items()
        if any(text in content for text in texts)
    }


def digest_of(site: Site) -> str:
    """What subgraphs call the person who is seen."""
    keys = load_keys(site.folder / "keys", create=False)
    return citizen_uid(keys.identity, site.shown("zhelai").id18)


def needles(site: Site, tokens: Mapping[str, str]) -> dict[str, str]:
    """What must be nowhere: planted, or shown to those who asked."""
    person = site.shown("zhelai")
    return {
        "absent": ABSENT,
        "name": NAME,
        "phone": PHONE,
        "opaque": OPAQUE,
        "seen number": person.id18,
        "seen name": person.name,
        "seen digest": digest_of(site),
        **{f"bearer of {account}": token.rpartition(".")[2] for account, token in tokens.items()},
    }


@dataclass(slots=True)
class Ear:
    """Takes what the hub says to others: webhook, syslog, and a department's system that fails."""

    got: dict[str, bytes] = field(default_factory=lambda: {"webhook": b"", "syslog": b""})
    failed: int = 0
    url: str = ""

    @contextlib.contextmanager
    def open(self, folder: Path) -> Iterator[Ear]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                hook = self.path == "/hook"
                said = b"" if hook else _failure(body)
                if hook:
                    owner.got["webhook"] += str(self.headers).encode() + body
                else:
                    owner.failed += 1
                self.send_response(204 if hook else 500, None if hook else "broken")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        datagrams.bind(str(folder / "syslog"))
        datagrams.settimeout(0.1)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    owner.got["syslog"] += datagrams.recv(65_536)

        threads = [
            threading.Thread(target=server.serve_forever, args=(0.01,)),
            threading.Thread(target=listen),
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            over.set()
            server.shutdown()
            for thread in threads:
                thread.join()
            server.server_close()
            datagrams.close()


def _failure(body: bytes) -> bytes:
    """What a badly made system says: the request again, and a person."""
    return json.dumps({"error": f"{NAME} {ABSENT} {PHONE}"}).encode() + body


@dataclass(frozen=True, slots=True)
class Planted:
    """One request. `body` is sent as it is; `who` None: a stranger."""

    body: bytes
    who: str | None = TOWN
    purpose: str = "aid.file"
    headers: Mapping[bytes, bytes] = field(default_factory=dict)

    @classmethod
    def asks(cls, query: str, variables: Any = None, **more: Any) -> Planted:
        told = {"query": query, "variables": variables or {}}
        return cls(json.dumps(told, ensure_ascii=False).encode(), **more)


def referred(digest: str, every: Sequence[str]) -> list[Planted]:
    """References of a gateway: a type, a key or something beside it that is a canary."""
    sent: list[Any] = [{"__typename": "Citizen", "idDigest": digest}]
    for w in every:
        sent += [w, {"__typename": w}, {"__typename": "Citizen", w: w}]
        sent += [{"__typename": "Citizen", "id": w}, {"__typename": "Citizen", "id": [w]}]
        sent += [{"__typename": "Case", "caseNo": w, "body": w, w: {w: w}}]
        sent += [{"__typename": "Citizen", "idDigest": w}]
    lab = {"who": "lab", "purpose": "aid.review"}
    made = [Planted.asks(ENTITIES, {"of": [one]}, **lab) for one in sent]
    made.append(Planted.asks(ENTITIES, {"of": sent}, **lab))
    return [*made, Planted.asks(ENTITIES, {"of": sent})]


def planted(person: Any, digest: str) -> list[Planted]:
    """A request for every place that is a client's to fill."""
    asks = Planted.asks
    every = (ABSENT, NAME, PHONE, OPAQUE, person.id18, person.name)
    words = [w for w in every if w.isascii()]
    made = [asks(BY_NUMBER, {"n": n}) for n in every]
    made += referred(digest, every)
    made += [asks(FACETS, {"n": person.id18}), asks(FACETS, {"n": ABSENT})]
    made += [asks(f'{{ citizen(by: {{idNumber: "{w}"}}) {{ name }} }}') for w in every]
    made += [asks(f'{{ division(code: "{w}") {{ name }} }}') for w in every]
    made += [asks(f"# {w}\n{VIEWER}") for w in every]
    made += [asks(f"query q{w} {VIEWER}") for w in words]
    made += [asks(f"query {w} {VIEWER}") for w in every]
    made += [asks(f"{{ a{w}: viewer {{ b{w}: account }} }}") for w in words]
    made += [asks(BY_NUMBER.replace("$n", f"$v{w}"), {f"v{w}": ABSENT}) for w in words]
    made += [asks(f"query A {{ ...F{w} }} fragment F{w} on Query {VIEWER}") for w in words]
    made += [asks(f"{{ viewer {{ field{w} }} }}") for w in words]
    made += [asks(f'{{ viewer @skip(if: "{w}") {{ account }} }}') for w in every]
    made += [asks(VIEWER, {w: w}) for w in every]
    made += [asks(f'{{ cases(after: "{w}") {{ totalCount }} }}') for w in every]
    made += [Planted(f'{{"query": "{w}'.encode()) for w in every]
    made += [Planted(json.dumps({w: w, "query": VIEWER}).encode()) for w in every]
    made += [Planted(json.dumps([w]).encode()) for w in every]
    names = b"""x-purpose x-case-no x-end-user user-agent traceparent accept content-type
        x-forwarded-for x-request-id idempotency-key x-legal-basis x-road-id x-road-issue
        x-road-userid origin""".split()
    for name in names:
        made += [asks(VIEWER, headers={name: w.encode()}) for w in every]
        made += [asks(VIEWER, headers={name: quote(w).encode()}) for w in (NAME, person.name)]
    trace = b"00-%s-%s-01" % (ABSENT.zfill(32).encode(), PHONE.zfill(16).encode())
    made += [asks(VIEWER, headers={b"traceparent": trace, b"tracestate": b"n=" + PHONE.encode()})]
    span = b"00-%s-%s-01" % (b"ab" * 16, PHONE.zfill(16).encode())
    made += [asks(VIEWER, headers={b"traceparent": span})]
    noted = {b"x-purpose-note": quote(" ".join((*every, digest))).encode()}
    made += [asks(VIEWER, headers=noted), asks(BY_NUMBER, {"n": person.id18}, headers=noted)]
    made += [asks(BY_NUMBER, {"n": ABSENT}, purpose="emergency", headers=noted)]
    bearers = [f"Bearer {w}".encode() for w in every]
    made += [asks(VIEWER, who=None, headers={b"authorization": b}) for b in bearers]
    made += [asks(BY_NUMBER, {"n": person.id18}, who="bange-town-01")]
    officer = """query($of: AuditSubjectKey!) { subjectAccess(of: $of) { totalCount } }"""
    made += [
        asks(officer, {"of": {"idNumber": n}}, who=OFFICER, purpose="audit")
        for n in (ABSENT, person.id18, PHONE, NAME)
    ]
    by_actor = "query($f: AuditFilter) { auditEvents(filter: $f) { totalCount } }"
    made += [asks(by_actor, {"f": {"actor": w}}, who=OFFICER, purpose="audit") for w in every]
    return made


async def send(client: httpx.AsyncClient, what: Planted, tokens: Mapping[str, str]) -> int:
    """The answer's status. A server may cut off a header it cannot read: 400 like any other."""
    name = "emergency" if what.purpose == "emergency" else what.who
    given: dict[bytes, bytes] = {b"content-type": b"application/json"}
    if name is not None:
        given |= {b"authorization": b"Bearer " + tokens[name].encode()}
        given |= {b"x-purpose": what.purpose.encode()}
    given |= what.headers
    answer = await client.post("/graphql", content=what.body, headers=list(given.items()))
    return answer.status_code


def _tokens(hub: Hub) -> dict[str, str]:
    given = {
        TOWN: ("aid.file",),
        "bange-town-01": ("aid.file",),
        OFFICER: ("audit",),
        "lab": ("aid.review",),
    }
    made = {name: hub.tokens.issue(name, purposes) for name, purposes in given.items()}
    return made | {"emergency": hub.tokens.issue(TOWN, ("emergency",))}


def _spoilt(site: Site) -> None:
    """A department's rows hold what they should not, and one of its tables is gone."""
    sources, n = site.folder / "sources", site.shown("zhelai").id18
    with contextlib.closing(sqlite3.connect(sources / "mz_assist.sqlite")) as connection:
        member = "dbzh IN (SELECT dbzh FROM v_dbcy WHERE sfzh = ?)"
        text = f"{NAME} {ABSENT} {PHONE}"
        done = connection.execute(f"UPDATE v_dbhz SET bzje = ? WHERE {member}", (text, n))
        assert done.rowcount == 1
        connection.commit()
    with contextlib.closing(sqlite3.connect(sources / "wfgz.sqlite")) as connection:
        wanted = "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'table')"
        for kind, name in connection.execute(wanted).fetchall():
            if not name.startswith("sqlite_"):
                connection.execute(f"DROP {kind} {name}")


def database(file: Path) -> dict[str, bytes]:
    """Every column of every table that the log, its followers and its counters write."""
    places: dict[str, bytes] = {}
    with contextlib.closing(sqlite3.connect(file)) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name.startswith("audit_") or name in ("purpose_note", "lookup_use", "rate_use")
        ]
        assert len(tables) >= 17
        for table in tables:
            rows = connection.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in rows.description]
            texts: list[list[bytes]] = [[] for _ in columns]
            for row in rows:
                for at, value in enumerate(row):
                    texts[at].append(value if isinstance(value, bytes) else str(value).encode())
            for column, values in zip(columns, texts, strict=True):
                places[f"{table}.{column}"] = b"\n".join(values)
    return places


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; what is packed is unpacked."""
    return {
        str(path.relative_to(folder)): gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def given_settings(site: Site, ear: Ear, collector: Collector, folder: Path) -> dict[str, object]:
    """What both hubs are told beside their site."""
    return {
        "telemetry.otlp_url": collector.address,
        "telemetry.metrics": "127.0.0.1",
        "telemetry.sample": 1,
        f"source_keys.{HTTP_SOURCE}": "demo",
        "audit.anchor_file": folder / "anchor.txt",
        "audit.checkpoint_s": 0.2,
        "alerts.webhook_url": f"{ear.url}/hook",
        "alerts.webhook_key": "a key for the webhook",
        "alerts.syslog": f"unix://{folder / 'syslog'}",
        "log.level": "DEBUG",
        # Its store is a copy: who asked much in this minute before has asked it there, too.
        "rate.person": 100_000,
    }


async def served(
    site: Site,
    ear: Ear,
    given: Mapping[str, object],
    tokens: Mapping[str, str],
    asked: list[Planted],
    folder: Path,
) -> list[int]:
    """The statuses of a real server; what it wrote to its two streams and told of itself lies in
    `folder`."""
    port = free_port()
    names = {f"HUB_{k.replace('.', '_').upper()}": str(v) for k, v in _all(site, ear, given)}
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub", "serve"),
            env=os.environ | names | {"HUB_PORT": str(port)},
            stdout=out,
            stderr=err,
        )
        try:
            transport = httpx.AsyncHTTPTransport(retries=50)
            address = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(
                base_url=address, transport=transport, trust_env=False, timeout=READY_S
            ) as client:
                assert (await client.get("/readyz")).status_code == 200
                statuses = [await send(client, one, tokens) for one in asked]
                await _told(ear)
                (folder / "metrics").write_bytes((await client.get("/metrics")).content)
        finally:
            process.terminate()
            assert await process.wait() == -signal.SIGTERM  # its own end first, then the signal's
    return statuses


async def _told(ear: Ear) -> None:
    """Wait until alerts have left by both ways."""
    end = time.monotonic() + TOLD_S
    while not all(ear.got.values()):
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


def _all(site: Site, ear: Ear, told: Mapping[str, object]) -> list[tuple[str, object]]:
    """The settings of a server of the site."""
    files = sorted((site.folder / "sources").glob("*.sqlite"))
    given: dict[str, object] = {
        "profile": "demo",
        "data_dir": site.folder,
        "store.url": site.store_url,
        f"sources.{HTTP_SOURCE}": ear.url,
        **{f"sources.{f.stem}": f"sqlite+aiosqlite:///{f}" for f in files if f.stem != HTTP_SOURCE},
    }
    return [*given.items(), *told.items()]


async def test_what_is_planted_is_found_nowhere(
    site_copy: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _spoilt(site_copy)
    spans, ear, collector = InMemorySpanExporter(), Ear(), Collector()
    work = tmp_path / "w"
    work.mkdir()
    asked = planted(site_copy.shown("zhelai"), digest_of(site_copy))
    with ear.open(work), collector.open():
        given = given_settings(site_copy, ear, collector, work)
        settings = site_copy.settings(ear.url, **given)
        hub = assemble(settings, telemetry=Telemetry(spans))
        tokens = _tokens(hub)
        statuses = await served(site_copy, ear, given, tokens, asked, work)
        async with running(hub):
            transport = httpx.ASGITransport(create_app(hub))
            async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
                again = [await send(client, one, tokens) for one in asked]
            await handled(hub)
            await exported(hub, work)
        await archived(site_copy, work, log_id(settings))
    places = {
        **database(site_copy.folder / "store.sqlite"),
        **files(work),
        "signer": (site_copy.folder / "keys" / "signer.json").read_bytes(),
        "spans": "".join(span.to_json() for span in spans.get_finished_spans()).encode(),
        "otlp heads": collector.heads,
        **{f"otlp {path}": b"\n".join(bodies) for path, bodies in collector.got.items()},
        "webhook": ear.got["webhook"],
        "syslog": ear.got["syslog"],
        "own output": "".join(capfd.readouterr()).encode(),
    }
    looked = needles(site_copy, tokens)
    assert_something_happened(places, statuses, again, ear, len(asked))
    assert_everything_was_exported(collector, places, statuses)
    hits = found(looked, places)
    assert {(needle, place) for needle, place in hits if place not in ERASABLE} == set()
    # It sees what is there: both texts that may hold them do.
    assert {place for _, place in hits} == ERASABLE
    assert {needle for needle, place in hits if place == "purpose_note.text"} == {
        name for name in looked if not name.startswith("bearer")
    }
    for place in places:  # and a leak anywhere, in any spelling, is seen
        for name, needle in looked.items():
            for text in spellings(needle):
                leaked = {place: places[place] + b" " + text + b" "}
                assert (name, place) in found({name: needle}, leaked)


def assert_something_happened(
    places: Places, statuses: list[int], again: list[int], ear: Ear, asked: int
) -> None:
    """Answers, refusals, failing sources, alerts, and something in every place."""
    assert len(statuses) == len(again) == asked > 180
    assert {200, 400, 401, 403} <= set(statuses)
    assert {200, 400, 401, 403} <= set(again)
    assert ear.failed >= 2  # the department's system has said it
    may_be_empty = {"stdout", "own output"}
    for place in ("stderr", "anchor.txt", "signer", "spans", "webhook", "syslog"):
        assert places[place], place
    assert places["audit_event.kind"].count(b"READ") > 300
    assert places["audit_alert.rule"]
    assert b"ALERT_HANDLED" in places["audit_event.kind"]
    for format_, name in FORMATS.items():
        assert len(places[f"{format_}/{name}"]) > 50_000
    segments = [name for name in places if name.startswith("archive/segment-")]
    assert len(segments) >= 2  # a segment and its manifest
    assert may_be_empty < set(places)


def assert_everything_was_exported(
    collector: Collector, places: Places, statuses: list[int]
) -> None:
    """A trace of each request that got as far as an answer of ours, with all kinds of spans."""
    exported, steps = collector.spans(), {"hub.limits", "hub.plan", "hub.read", "hub.audit"}
    assert {s.name for s in exported} == {"query", *steps}
    assert sum(s.name == "query" for s in exported) >= len(statuses) - statuses.count(400)
    # An id of 8 or 16 bytes is no place for a number either.
    hidden = {bytes.fromhex(n) for n in (ABSENT, f"0{PHONE}")}
    ids = [i for s in exported for i in (s.trace_id, s.span_id, s.parent_span_id)]
    assert len(ids) > 1_000
    assert [i for i in ids if any(number in i for number in hidden)] == []
    assert len(places[f"otlp {METRICS}"]) > 1_000
    assert len(places[f"otlp {TRACES}"]) > 50_000
    assert b"hub_strangers_total{" in places["metrics"]
    assert b'hub_code="UNAUTHENTICATED"' in places["metrics"]


async def handled(hub: Hub) -> None:
    """An officer writes whom an alert was about, in the text that may be erased."""
    row = audit_alert.c
    async with hub.store.connect() as connection:
        alert = await connection.scalar(select(row.id).where(row.actor == TOWN).limit(1))
    assert alert is not None
    note = f"{NAME} {ABSENT} {PHONE}"
    digest = note_digest(hub.keys.audit, note)
    await acknowledge(hub.store, hub.log, alert, by=OFFICER, note=note, digest=digest)


async def exported(hub: Hub, work: Path) -> None:
    """All of the log in every format."""
    for format_ in FORMATS:
        order = Order(format_, "AUDIT", OFFICER, "office-01", "authority-01")
        await export(hub.store, hub.log, order, work / format_)


async def archived(site: Site, work: Path, log: str) -> None:
    """The log in segments, as they will be written in thirteen months."""
    engine = open_engine(site.store_url)
    plan = Plan(work / "archive", segment=150)
    (work / "archive").mkdir()
    later = now_us() + 500 * DAY_US
    await Archive(engine, plan, lambda: opened_log(engine, log), clock=lambda: later).run()
    await engine.dispose()
