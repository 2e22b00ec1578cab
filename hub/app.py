"""Puts the parts together: ``create_app(hub)`` -> the ASGI app. Routes in one visible list."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters import registry
from adapters.contract import Source
from adapters.databases.sql import SqlSource
from adapters.identity import citizen_uid
from audit.batch import now_us
from audit.log import HALTED, AuditLog
from audit.quorum import Quorum
from audit.record import Draft, Kind
from audit.tokens import SubjectTokens
from authz.keeper import BookKeeper
from authz.mask import masked
from catalog.datasets import FieldType
from catalog.errors import AuditUnavailable, HubError
from catalog.grades import Mask
from catalog.load import Catalog
from catalog.placing import OWN
from console.page import ROOT as CONSOLE
from domain.correction import DISPUTED
from hub import followers, limits
from hub.budgets import budget_of
from hub.comparing.running import Comparing
from hub.cosigning import Cosigning, times, witnesses
from hub.edge.changes import Changes, where
from hub.edge.console import Console
from hub.edge.contract import CONTRACT, Contract
from hub.edge.elsewhere import Elsewhere, guarded
from hub.edge.endpoint import Endpoint
from hub.edge.pace import Pace, bounds_of
from hub.edge.printing import Printing
from hub.edge.rest import OpenApi, Rest
from hub.edge.trusted import TrustedDocuments
from hub.edge.verifying import Verifying
from hub.edge.websocket import WebSocket
from hub.identity import oauth
from hub.identity.asking import Askers, rights_known
from hub.identity.case_files import NUMBERED, CaseFiles
from hub.identity.end_users import EndUsers
from hub.identity.outsiders import outsiders
from hub.identity.proxies import Proxies
from hub.identity.sessions import Sessions
from hub.identity.tokens import Tokens
from hub.jobs import Jobs
from hub.keys import KeysError, load_keys, source_keys
from hub.notes import Notes
from hub.outages import Outages
from hub.placing import catalogue
from hub.policy import version_in
from hub.printing.making import VERIFY, Prints
from hub.proofs import NAME, Proofs
from hub.rejects import Rejects
from hub.release import Release
from hub.runs import Runs, noted
from hub.settings import Profile, Settings
from hub.signing import log_id, process_writer, signer_of
from hub.statuses import states, statuses
from hub.telemetry import figures
from hub.telemetry.exporting import METRICS
from hub.telemetry.spans import Telemetry
from hub.worker import Hub
from resolvers.answer import Engine
from resolvers.commands.office import Office
from resolvers.cursor import Cursors
from resolvers.disputes import Disputes
from resolvers.document import Documents
from resolvers.examination import Examiner
from resolvers.execute import Setting
from resolvers.roots.citizens import id_number
from resolvers.roots.root import Words
from resolvers.scale import Limits
from schema.build import build
from store.budgets import SECOND_US, Budgets
from store.clients import MINUTE_S
from store.corrections import disputed
from store.deeds import Deeds
from store.engine import open_engine
from store.lookups import Lookups
from store.rates import Rates
from store.tables import metadata
from store.tallies import Tallies

_log = structlog.get_logger("hub.app")
GRAPHQL = "/graphql"
DOCUMENT_LIMITS = Limits(
    characters=limits.CHARACTERS,
    tokens=limits.TOKENS,
    operations=limits.OPERATIONS,
    fragments=limits.FRAGMENTS,
    fields=limits.FIELDS,
    aliases=limits.ALIASES,
    depth=limits.DEPTH,
    directives=limits.DIRECTIVES,
    node_directives=limits.NODE_DIRECTIVES,
    overlaps=limits.OVERLAPS,
    values=limits.VALUES,
    introspection_fields=limits.INTROSPECTION_FIELDS,
    introspection_depth=limits.INTROSPECTION_DEPTH,
    cost=limits.COST,
    representations=limits.REPRESENTATIONS,
)


def assemble(
    settings: Settings,
    *,
    telemetry: Telemetry | None = None,
    clock: Callable[[], int] = now_us,
) -> Hub:
    """The parts, wired; nothing is opened yet. `clock` (µs UTC) dates records and their age.

    CatalogError, KeysError for what is not there, SettingsError for what cannot be placed.
    """
    catalog = catalogue(settings)
    demo = settings.profile is Profile.DEMO
    keys = load_keys(settings.keys_dir, create=demo)
    telemetry = telemetry or Telemetry()
    store = open_engine(settings.store_url)
    budgets = Budgets(store)
    now = partial(_moment, clock)
    secrets = {**source_keys(settings.keys_dir), **settings.source_keys}
    wiring = registry.Wiring(
        store=settings.store_url,
        metadata=metadata,
        addresses=settings.sources,
        keys=secrets,
        outages=settings.outages,
        deadline_s=settings.source_deadline_s,
        locked=settings.store_row_lock,
        ca_file=settings.source_ca_file,
        snapshots=settings.snapshots_dir,
        budget=lambda spec: budget_of(spec, budgets),
        seen=telemetry.metrics.seen,
        now=now,
    )
    sources = registry.sources(catalog.sources, wiring, catalog.divisions, mask_text)
    sources[NAME] = Proofs(_ours(sources, NAME), store)
    sources[registry.STATUS] = statuses(catalog, sources, settings.outages, budgets, mask_text)
    telemetry.metrics.watch(sources)
    subjects, uid = SubjectTokens(keys.audit), partial(citizen_uid, keys.identity)
    tokens = Tokens(keys.issuer, settings.issuer, settings.audience)
    if settings.oauth_enabled and not tokens.issues:
        raise KeysError("issuer.pem 只有公钥，不能签发：请放入私钥，或把 oauth.enabled 设为 0")
    deeds, log_writer = Deeds(store), process_writer()
    disputes = Disputes(partial(disputed, store, DISPUTED))
    outside = outsiders(settings.issuers, settings.audience, settings.source_ca_file)
    keeper = BookKeeper(store, catalog, demo, ask=version_in(_ours(sources, OWN).database))
    words = Words(catalog, settings.synthetic, uid, tokens_of(subjects))
    office = Office(
        *(deeds, catalog, subjects.token, tokens_of(subjects), disputes),
        person=lambda text: uid(id_number(text, words)),
        policy=keeper.at_least,
        rights_moved=partial(rights_known, keeper),
        clock=now,
    )
    setting = Setting(
        words=words,
        sources=sources,
        cursors=Cursors(keys.cursor),
        uid=lambda id18: uid(noted(id18)),
        page_default=settings.page_default,
        page_max=settings.page_max,
        deadline_s=settings.source_deadline_s,
        operation_s=settings.deadline_s,
        tallies=Tallies(store),
        lookups=Lookups(store, per_hour=settings.lookup_per_hour, misses=settings.lookup_misses),
        watch=telemetry.watch,
        commands=office,
        disputes=disputes,
    )
    log = AuditLog(
        store,
        log_writer,
        log_id(settings),
        clock,
        wait_s=settings.audit_wait_s,
        suite=settings.audit_suite,
        seen=telemetry.metrics.appended,
    )
    bindings = build(catalog)
    engine = Engine(bindings, setting, DOCUMENT_LIMITS, costs=limits.COSTS)
    examiner = Examiner(bindings, setting, DOCUMENT_LIMITS, engine.documents)
    quorum = Quorum(settings.witness_quorum, times(settings), clock)
    release = Release(log, subjects, quorum, sandbox=demo)
    own = Documents(bindings.schema, DOCUMENT_LIMITS)  # the engine's counts what is asked
    comparing = Comparing(
        *(engine, release, keeper, deeds, catalog, log, own),
        page=settings.page_max,
        clock=now,
    )
    watched = {n: source for n, source in sources.items() if n in catalog.needs.sources}
    hub = Hub(
        settings=settings,
        catalog=catalog,
        keys=keys,
        tokens=tokens,
        sessions=Sessions(
            store, settings.console_idle_minutes * MINUTE_S, lambda: clock() / SECOND_US
        ),
        store=store,
        sources=sources,
        budgets=budgets,
        keeper=keeper,
        askers=Askers(
            store,
            tokens,
            catalog,
            keeper,
            case_files(catalog, sources),
            register(catalog, sources),
            outsiders=outside,
        ),
        outsiders=outside,
        engine=engine,
        trusted=TrustedDocuments(store, settings, examiner),
        log=log,
        quorum=quorum,
        cosigning=Cosigning(store, log, witnesses(settings), quorum),
        release=release,
        prints=Prints(
            store,
            catalog,
            release,
            own,
            url=settings.print_url,
            wait_s=settings.audit_wait_s,
            sandbox=demo,
            clock=clock,
        ),
        signer=signer_of(
            settings,
            store,
            halt=log.halt,
            beat=lambda: log.append(Draft(Kind.HEARTBEAT)),
        ),
        rejects=Rejects(log),
        runs=Runs(),
        comparing=comparing,
        jobs=Jobs(deeds, catalog, log, log_writer, comparing.due, clock=now),
        outages=Outages(deeds, watched, settings.outages, log, log_writer, clock=now),
        changes=Changes(where(settings, secrets)),
        notes=Notes(store, keys.audit),
        pace=Pace(Rates(store), bounds_of(settings)),
        telemetry=telemetry,
    )
    figures.told(hub)
    return hub


def _moment(clock: Callable[[], int]) -> datetime:
    return datetime.fromtimestamp(clock() / SECOND_US, UTC)


def tokens_of(subjects: SubjectTokens) -> Callable[[str], list[bytes]]:
    """Every token a person may have in the log, by his ``citizen_uid``."""
    return lambda uid: [bytes.fromhex(token) for token in subjects.all_tokens(uid)]


def case_files(catalog: Catalog, sources: Mapping[str, Source]) -> CaseFiles:
    """Where cases and orders lie: what ``X-Case-No`` is looked up in."""
    return CaseFiles({n: _ours(sources, catalog.datasets[n].source) for n in NUMBERED})


def register(catalog: Catalog, sources: Mapping[str, Source]) -> EndUsers:
    """Where citizens lie: whom ``X-End-User`` names."""
    return EndUsers(_ours(sources, catalog.datasets["citizen"].source))


def _ours(sources: Mapping[str, Source], name: str) -> SqlSource:
    """A source that holds tables of the hub's own."""
    source = sources[name]
    assert isinstance(source, SqlSource)  # noqa: S101  they are in databases
    return source


def mask_text(mask: Mask, value: Any, kind: FieldType) -> Any:
    """A department's value as its mask leaves it; a date or number keeps nothing."""
    texts = (FieldType.STRING, FieldType.ID)
    if mask is not Mask.NONE and kind not in texts:
        return None
    return masked(mask, value)


@contextlib.asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[Hub]:
    """Policy loaded, log open, followers at work; everything closed again afterwards."""
    await hub.keeper.load()
    await hub.log.start()
    if hub.cosigning.witnesses:
        await hub.cosigning.look()  # else nothing would leave for the first seconds
    hub.signer.start()
    tasks = [
        asyncio.create_task(hub.keeper.follow(), name="policy"),
        asyncio.create_task(hub.rejects.follow(), name="rejects"),
        asyncio.create_task(followers.follow(hub, log_id(hub.settings)), name="followers"),
        asyncio.create_task(hub.cosigning.follow(), name="witnesses"),
        asyncio.create_task(hub.changes.follow(), name="changes"),
    ]
    if hub.settings.jobs_enabled:
        tasks.append(asyncio.create_task(hub.jobs.follow(), name="jobs"))
        tasks.append(asyncio.create_task(hub.outages.follow(), name="outages"))
    try:
        yield hub
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await hub.rejects.flush()
        try:
            await hub.log.stop()
        except AuditUnavailable:  # what is open is closed all the same
            _log.error("HUB_STOP not written", error=hub.log.state().error)
        await followers.finish(hub)
        await hub.signer.stop()  # HUB_STOP is covered, too
        await hub.cosigning.close()  # the signer's last checkpoint, too
        for outsider in hub.outsiders.values():
            await outsider.close()
        for source in hub.sources.values():
            await source.close()
        await hub.store.dispose()
        hub.telemetry.close()


async def healthz(_request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """The store answers, the policy is fresh, the log is the one that was signed.

    Sources do not decide, nor where data sets are placed; how they stand is told beside it, by name
    and word alone.
    """
    hub: Hub = request.app.state.hub
    try:
        hub.keeper.current()
        if hub.log.state().halted:
            raise AuditUnavailable(HALTED, reason="ROLLBACK_SUSPECTED")
        await hub.sources["hub"].ping()
    except HubError as error:
        return JSONResponse({"status": "unready", "code": error.code}, 503)
    known = states(hub.sources)
    if hub.settings.placed:
        return JSONResponse({"status": "ready", "sources": known, "placed": _breakers(hub)})
    return JSONResponse({"status": "ready", "sources": known})


def _breakers(hub: Hub) -> dict[str, str]:
    """The breaker of each source a data set is placed on; nobody is asked for it."""
    found = {name: hub.sources[name] for name in sorted({*hub.settings.placed.values()})}
    return {n: s.guard.state.breaker for n, s in found.items() if isinstance(s, SqlSource)}


def create_app(hub: Hub) -> ASGIApp:
    """The ASGI application of one worker."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with running(hub):
            yield

    graphql, line = Endpoint(hub), WebSocket(hub)
    app = Starlette(
        exception_handlers={HTTPException: Elsewhere(hub).refused},
        routes=[
            Route(GRAPHQL, graphql),  # all methods: 405 is the endpoint's own
            Route("/api/rest/{name}/{version}", Rest(hub)),
            Route("/api/openapi.json", OpenApi(hub)),
            Route("/print/{what}", Printing(hub)),
            Route(f"{VERIFY}/{{code}}", Verifying(hub)),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *_console(hub),
            *oauth.routes(hub),
            Route(CONTRACT, Contract(hub)),
            *([] if hub.telemetry.scraped is None else [Route(METRICS, hub.telemetry.scraped)]),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # it would answer with the caller's own Host and query
    app.state.hub = hub
    return Proxies(hub, _straight({"http": graphql, "websocket": line}, app))


def _console(hub: Hub) -> list[Route]:
    """The console's routes; none if it is off."""
    if not hub.settings.console_enabled:
        return []
    console = Console(hub)
    return [Route(path, console) for path in (CONSOLE, f"{CONSOLE}/{{path:path}}")]


def _straight(graphql: Mapping[str, ASGIApp], app: ASGIApp) -> ASGIApp:
    """`app`, but a question goes to its endpoint at once: the way there costs 40 µs."""
    others = guarded(app)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        asked = graphql.get(scope["type"]) if scope.get("path") == GRAPHQL else None
        await (asked or others)(scope, receive, send)

    return front
