"""Does the catalogue describe a live source? Seen in a sample, told in counts, recorded first.

    account ──► may he? ──► sample ──► counts ──► record committed ──► told

Why counts alone, and why they are recorded: docs/adr/0025-samples-are-counted.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Source
from adapters.fit import Fit, Register, fit
from adapters.health import Health, State, health_of
from adapters.identity import citizen_uid
from adapters.registry import STORE
from audit.record import Draft, Kind, Op, Outcome, ReadEntry
from audit.tokens import SubjectTokens
from catalog.datasets import SourceSpec
from catalog.errors import Readable
from catalog.load import Catalog
from hub.app import assemble
from hub.placing import address_of
from hub.recording import recording
from hub.rights import today
from hub.settings import Settings
from store.accounts import HeldPost, posts_of
from store.engine import single
from store.policy import read_version
from store.register import citizen

WHO = ("sysadmin", "authority")
"""The posts that answer for how sources are connected."""
PURPOSE = "admin"
VERB = "source.check"


class NoSuchSource(Readable):
    """The catalogue has no such source, or it is no department's."""


class NotHis(Readable):
    """The account holds none of the posts in WHO today."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One source: how it stands, and each of its data sets (none if it does not answer)."""

    source: str
    title: str
    health: Health
    fits: tuple[Fit, ...]

    @property
    def ok(self) -> bool:
        """It answers, and all its data sets are as the catalogue says."""
        return bool(self.fits) and all(one.fits for one in self.fits)


async def check(settings: Settings, name: str, account: str) -> Checked:
    """NoSuchSource, NotHis; AuditUnavailable if it cannot be recorded, then nothing is told.

    SQLAlchemyError or OSError for a store that does not answer.
    """
    hub = assemble(settings)
    try:
        spec = _spec(hub.catalog, name)
        async with recording(settings) as (engine, log):
            async with engine.connect() as conn:
                post = await _post(conn, account)
                version = await read_version(conn)
            register = _Register(address_of(settings, citizen.name))
            found = await _seen(hub.catalog, spec, hub.sources[name], register)
            draft = _draft(found, account, post, hub.catalog)
            tokens = SubjectTokens(hub.keys.audit)
            draft.sought = tokens.tokens([citizen_uid(hub.keys.identity, n) for n in register.told])
            draft.key_ver, draft.policy = tokens.version, str(version)
            await log.append(draft)
    finally:
        for source in hub.sources.values():
            await source.close()
        await hub.store.dispose()
        hub.telemetry.close()
    return found


def _spec(catalog: Catalog, name: str) -> SourceSpec:
    spec = catalog.sources.get(name)
    if spec is None:
        raise NoSuchSource(f"没有数据源 `{name}`：hub source list 列出全部")
    if name in STORE or spec.copy_of is not None:
        raise NoSuchSource(f"数据源 `{name}` 是中枢自有库：由 hub doctor 检查")
    return spec


async def _post(conn: AsyncConnection, account: str) -> HeldPost:
    for post in await posts_of(conn, account, today()):
        if post.role in WHO:
            return post
    raise NotHis(f"账号 `{account}` 不能核对数据源：今日须任系统管理员或数据主管岗位")


async def _seen(catalog: Catalog, spec: SourceSpec, source: Source, register: Register) -> Checked:
    (health,) = await health_of({spec.name: source})
    if health.state is not State.ANSWERS:
        return Checked(spec.name, spec.title, health, ())
    fits = [
        await fit(source, dataset, register, catalog.divisions, catalog.codes)
        for dataset in spec.datasets
    ]
    return Checked(spec.name, spec.title, health, tuple(fits))


def _draft(found: Checked, account: str, post: HeldPost, catalog: Catalog) -> Draft:
    seen = [one for one in found.fits if one.reason is None]
    whole = Outcome.OK if len(seen) == len(found.fits) else Outcome.PARTIAL
    return Draft(
        Kind.READ,
        whole if seen else Outcome.FAILED,
        actor=account,
        org=post.dept,
        role=post.role,
        post_area=post.region_path,
        area=post.region_path,
        op=Op(name=VERB, type="command", vars={"source": found.source}),
        purpose=PURPOSE,
        basis=catalog.purposes[PURPOSE].legal_basis,
        reads=tuple(ReadEntry(o.dataset, found.source, "tally", o.rows, 0) for o in seen),
    )


class _Register:
    """The register where it lies. `told`: whose numbers were handed to a department."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.told: dict[str, None] = {}

    async def somebody(self, limit: int) -> Sequence[str]:
        some = select(citizen.c.id18).where(citizen.c.id18.is_not(None))
        some = some.order_by(citizen.c.id).limit(limit)  # the same ones for every data set
        async with single(self._address, readonly=True) as connection:
            numbers = [str(number) for number in await connection.scalars(some)]
        self.told |= dict.fromkeys(numbers)
        return numbers

    async def known(self, numbers: Collection[str]) -> int | None:
        hits = select(func.count()).where(citizen.c.id18.in_(list(numbers)))
        try:
            async with single(self._address, readonly=True) as connection:
                return int(await connection.scalar(hits) or 0)
        except (SQLAlchemyError, OSError):
            return None
