"""The demonstration's folder: county, store, keys and accounts, made once and used again.

    demo.json  store.sqlite  register.sqlite  planted.csv  keys/  sources/<source>.sqlite
    drop/<source>/  what departments handed over   snapshots/<source>.sqlite  what was loaded

A folder made for another scale or by another version of the program is made anew.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from adapters.decode import CST
from adapters.drops.delivery import SCHEME
from adapters.drops.drop import load_drop
from adapters.drops.files import snapshot_of
from adapters.drops.snapshot import shapes
from audit.batch import now_us
from catalog.errors import Readable
from catalog.load import load
from hub.demo.accounts import CLIENT, MACHINE, DemoAccount, accounts
from hub.demo.county import AS_OF, SEED, build
from hub.demo.department import PROGRAMS, ServiceError, hand_over
from hub.demo.documents import approve_sample
from hub.demo.load import load_store
from hub.demo.planted import Demonstration
from hub.found import found
from hub.identity.credentials import new_secret
from hub.keys import load_keys
from hub.settings import Settings, load_settings
from store.clients import seed_client
from store.engine import single
from store.migrate import upgrade

FOLDER = "demo-data"
MARK = "demo.json"
MADE = 4  # raised when a folder of an earlier program would not fit
OURS = (
    *(MARK, "register.sqlite", "planted.csv", "keys", "store.sqlite"),
    *("sources", "drop", "snapshots"),
)
HTTP_SOURCE = "yb_settle"
HTTP_SOURCES = tuple(PROGRAMS)
"""Asked over HTTP in the demonstration."""
FILE_SOURCES = ("jt_xueji", "sw_gongcheng", "xczx_monitor")
"""Hand over files in the demonstration."""

Say = Callable[[str, float], None]
"""What is being done, and how far it is (0 … 1)."""


class ForeignFolder(Readable):
    """The folder holds something that is not the demonstration's; nothing is deleted."""


@dataclass(frozen=True, slots=True)
class Site:
    """A prepared folder."""

    folder: Path
    scale: float
    people: int
    demonstrations: tuple[Demonstration, ...]

    @property
    def store_url(self) -> str:
        """The demonstration's store."""
        return f"sqlite+aiosqlite:///{self.folder / 'store.sqlite'}"

    @property
    def secret_file(self) -> Path:
        """Holds the secret of the demonstration's machine client."""
        return self.folder / "keys" / "client.secret"

    @property
    def accounts(self) -> tuple[DemoAccount, ...]:
        """The accounts that ask."""
        return accounts(self.shown("zhelai").village)

    def account(self, name: str) -> DemoAccount | None:
        """An account by its name."""
        return next((a for a in self.accounts if a.name == name), None)

    def shown(self, label: str) -> Demonstration:
        """The person to show of a label."""
        return next(d for d in self.demonstrations if d.label == label)

    def settings(self, insurance_url: str | None = None, **given: object) -> Settings:
        """The demo profile's settings; sources are the folder's SQLite files."""
        files = sorted((self.folder / "sources").glob("*.sqlite"))
        named: dict[str, object] = {
            f"sources.{f.stem}": f"sqlite+aiosqlite:///{f}" for f in files if f.stem != HTTP_SOURCE
        }
        if insurance_url is not None:
            named[f"sources.{HTTP_SOURCE}"] = insurance_url
        base = {"profile": "demo", "data_dir": self.folder, "store.url": self.store_url}
        return load_settings(given={**base, **named, **given})

    def connected(self, addresses: Mapping[str, str], **given: object) -> Settings:
        """The settings as ``hub demo`` runs: some sources over HTTP, some from drop folders."""
        named: dict[str, object] = {}
        for name, address in addresses.items():
            named |= {f"sources.{name}": address, f"source_keys.{name}": PROGRAMS[name].key}
        for name in FILE_SOURCES:
            drop = (self.folder / "drop" / name).resolve()
            named[f"sources.{name}"] = f"{SCHEME}{quote(str(drop))}"
        return self.settings(None, **named, **given)


def opened(folder: Path) -> Site | None:
    """The folder's site, if it was made by this version of the program."""
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if mark.get("made") != MADE:
        return None
    people = tuple(Demonstration(**d) for d in mark["demonstrations"])
    return Site(folder, mark["scale"], mark["people"], people)


async def prepared(folder: Path, scale: float, say: Say) -> Site:
    """The folder's site, made if it is not there or was made for another scale."""
    site = opened(folder)
    if site is not None and site.scale == scale:
        return site
    await asyncio.to_thread(_clear, folder)
    return await _made(folder, scale, say)


def _clear(folder: Path) -> None:
    """An empty folder: an earlier demonstration is removed, never anything else."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        raise ForeignFolder(f"目录 {folder} 无法建立：请另选目录，或检查权限") from None
    present = [p for p in folder.iterdir() if not p.name.startswith("store.sqlite")]
    foreign = [p.name for p in present if p.name not in OURS]
    if foreign:
        raise ForeignFolder(f"目录 {folder} 中有演示以外的文件（如 {foreign[0]}）：请另选目录")
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    folder.chmod(0o700)  # whatever is made in it, nobody else on the machine reads it


async def _made(folder: Path, scale: float, say: Say) -> Site:
    keys = load_keys(folder / "keys", create=True)
    county = build(
        folder,
        scale=scale,
        key=keys.identity,
        seed=SEED,
        as_of=AS_OF,
        progress=lambda done, whole: say("生成虚构县", done / whole),
    )
    say("部门送达文件", 0.0)
    await asyncio.to_thread(_delivered, folder)
    people = county.counts["hub"]["citizen"]
    site = Site(folder, scale, people, county.demonstrations)
    say("建立数据库", 0.0)
    await asyncio.to_thread(upgrade, site.store_url)
    opened_with = [*(a.principal() for a in site.accounts), MACHINE]
    await found(site.store_url, demo=True, accounts=opened_with)
    await _machine(site)
    await load_store(county.register, site.store_url, lambda table, _n: say(f"装入 {table}", 1.0))
    await approve_sample(site.settings())
    shown: list[dict[str, Any]] = [asdict(d) for d in county.demonstrations]
    mark = {"made": MADE, "scale": scale, "people": people, "demonstrations": shown}
    (folder / MARK).write_text(json.dumps(mark, ensure_ascii=False, indent=1), encoding="utf-8")
    return site


async def _machine(site: Site) -> None:
    """The demonstration's machine client; its secret lies beside the keys."""
    secret, key = new_secret(CLIENT.id, now_us())
    site.secret_file.touch(mode=0o600)
    site.secret_file.write_text(secret, encoding="ascii")
    async with single(site.store_url) as connection:
        await seed_client(connection, CLIENT, key)


def _delivered(folder: Path) -> None:
    """Departments hand over their lists, and all are taken in, as by ``hub source sync``."""
    hand_over(FILE_SOURCES, folder / "sources", folder / "drop", AS_OF)
    day = datetime.combine(AS_OF, time(), CST)
    for name in FILE_SOURCES:
        tables = shapes(load().sources[name])
        # The county's day may lie ahead of the machine's: there it is today.
        loaded = load_drop(
            folder / "drop" / name,
            snapshot_of(folder / "snapshots", name),
            tables,
            now=lambda: max(day, datetime.now(UTC)),
        )
        if loaded.refused or len(loaded.outcomes) != len(tables):
            raise ServiceError(f"数据源 {name} 送达的文件未能载入")
