"""The address decides how a source is asked; a secret is put in where it belongs."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.contract import Source
from adapters.databases.sql import SqlSource
from adapters.drops.files import FilesSource
from adapters.registry import Absent, Wiring, sources
from adapters.web.rest import RestSource
from catalog.errors import CatalogError, SourceUnavailable
from catalog.load import load
from hub.app import mask_text
from store.tables import metadata

pytestmark = pytest.mark.anyio


async def made(address: str, name: str = "rs_jiuye", key: str | None = None) -> Source:
    wiring = Wiring(
        store="sqlite+aiosqlite:///none.sqlite",
        metadata=metadata,
        addresses={name: address} if address else {},
        keys={} if key is None else {name: key},
        outages={},
        deadline_s=1.0,
        snapshots=Path("none"),
    )
    catalog = load()
    found = sources(catalog.sources, wiring, catalog.divisions, mask_text)
    for source in found.values():
        await source.close()
    return found[name]


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("sqlite+aiosqlite:///none.sqlite", SqlSource),
        ("postgresql+asyncpg://h/x", SqlSource),
        ("files:///srv/drop", FilesSource),
        ("http://h", RestSource),
        ("https://h/base", RestSource),
        ("", Absent),
    ],
)
async def test_the_address_decides(address: str, kind: type[Source]) -> None:
    assert type(await made(address)) is kind


async def test_an_http_address_needs_words_of_an_interface() -> None:
    with pytest.raises(CatalogError, match=r"mz_assist\.toml: source\.rest"):
        await made("http://h", "mz_assist")


async def test_what_hangs_below_a_row_cannot_be_asked_over_http(tmp_path: Path) -> None:
    catalog = load()
    rest = catalog.sources["rs_jiuye"].rest
    nesting = replace(catalog.sources["wfgz"], rest=rest)
    wiring = Wiring("sqlite+aiosqlite:///x", metadata, {"wfgz": "http://h"}, {}, {}, 1.0)
    with pytest.raises(CatalogError, match=r"wfgz\.toml: house\.nest"):
        sources({"wfgz": nesting}, wiring, catalog.divisions, mask_text)


class Doorman:
    """As much of a PostgreSQL server as asks for a password in clear and notes it."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._first(reader)  # whether it speaks TLS
        writer.write(b"N")
        await self._first(reader)  # who it is
        writer.write(b"R" + struct.pack("!ii", 8, 3))
        assert await reader.readexactly(1) == b"p"
        self.heard.append((await self._first(reader)).rstrip(b"\0").decode())
        writer.close()

    async def _first(self, reader: asyncio.StreamReader) -> bytes:
        (length,) = struct.unpack("!i", await reader.readexactly(4))
        return await reader.readexactly(length - 4)


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("user", "key", "said"),
    [("hub@", "ge:h@im", "ge:h@im"), ("hub:own@", "other", "own"), ("hub:own@", None, "own")],
)
async def test_a_database_hears_the_password_of_its_own_place(
    user: str, key: str | None, said: str
) -> None:
    doorman = Doorman()
    server = await asyncio.start_server(doorman, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    source = await made(f"postgresql+asyncpg://{user}127.0.0.1:{port}/x", key=key)
    with pytest.raises(SourceUnavailable) as caught:
        await source.ping()
    await source.close()
    server.close()
    assert {*doorman.heard} == {said}
    assert said not in f"{caught.value!r} {source!r}"
