"""hub/demo/site.py: the demonstration's folder is its own, private, and used again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from adapters.decode import CST
from adapters.drops.delivery import drop_folder
from adapters.drops.files import snapshot_of
from adapters.drops.snapshot import deliveries
from hub.demo.accounts import CLIENT
from hub.demo.county import AS_OF
from hub.demo.site import (
    FILE_SOURCES,
    HTTP_SOURCE,
    MARK,
    ForeignFolder,
    Site,
    opened,
    prepared,
)
from hub.identity.credentials import is_secret
from store.accounts import holder_only
from store.clients import read_clients, read_keys
from store.engine import single

DEMO_RECORDS = {"jt_xueji": 2, "sw_gongcheng": 1, "xczx_monitor": 2}
"""Sources that hand over files, and their tables."""


def made(folder: Path) -> tuple[Site, list[str]]:
    """The site, and what was said while it was made."""
    said: list[str] = []
    site = asyncio.run(prepared(folder, 0.01, lambda what, _part: said.append(what)))
    return site, said


def test_a_folder_is_made_once_is_private_and_is_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    site, said = made(folder)
    assert said[0] == "生成虚构县"
    assert "建立数据库" in said
    assert folder.stat().st_mode & 0o077 == 0
    connected(site)
    before = (folder / "store.sqlite").read_bytes()
    again, silent = made(folder)
    assert (again, silent) == (site, [])
    assert (folder / "store.sqlite").read_bytes() == before

    # A folder of another version of the program is made anew; its people are the same.
    mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
    (folder / MARK).write_text(json.dumps(mark | {"made": 0}), encoding="utf-8")
    assert opened(folder) is None
    renewed, said = made(folder)
    assert said[0] == "生成虚构县"
    assert renewed.demonstrations == site.demonstrations


def connected(site: Site) -> None:
    """Departments of files are read from what was delivered, others where they are."""
    settings = site.connected({HTTP_SOURCE: "http://127.0.0.1:1"})
    assert settings.sources[HTTP_SOURCE] == "http://127.0.0.1:1"
    assert settings.sources["wfgz"] == f"sqlite+aiosqlite:///{site.folder}/sources/wfgz.sqlite"
    assert tuple(DEMO_RECORDS) == FILE_SOURCES
    for name, tables in DEMO_RECORDS.items():
        assert drop_folder(settings.sources[name]) == site.folder / "drop" / name
        loaded = deliveries(snapshot_of(settings.snapshots_dir, name))
        assert len(loaded) == tables
        assert {d.as_of.astimezone(CST).date() for d in loaded} == {AS_OF}


def test_a_folder_with_somebody_elses_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ForeignFolder) as refused:
        made(tmp_path)
    assert "thesis.txt" in str(refused.value)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_machine_client_s_secret_lies_beside_the_keys_and_lets_it_in(tmp_path: Path) -> None:
    site, _ = made(tmp_path / "demo")
    secret = site.secret_file.read_text(encoding="ascii")
    assert site.secret_file.stat().st_mode & 0o777 == 0o600

    async def stored() -> None:
        async with single(site.store_url, readonly=True) as conn:
            assert await read_clients(conn) == (CLIENT,)
            assert is_secret(await read_keys(conn, CLIENT.id), secret)
            holder = await holder_only(conn, CLIENT.principal)
        assert holder is not None
        assert (holder.kind, holder.dept) == ("system", "mca")

    asyncio.run(stored())
