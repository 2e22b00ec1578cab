"""月度通报 and 红黑榜 on pages: what was frozen, in words, as a picture and as the same figures."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from catalog.load import load
from console.charts import bars
from hub import bulletins
from hub.demo.site import Site
from store.engine import single
from tests.casework import MANY
from tests.console.conftest import browser, said
from tests.trusted import Edge, over

pytestmark = pytest.mark.anyio

OFFICE, MONTHS = "office-01", ("2026-07", "2026-08", "2026-09")
LATER = datetime(2026, 11, 3, tzinfo=UTC)


@pytest.fixture
async def hub(own_site: Site) -> AsyncIterator[Edge]:
    """A county whose third quarter is frozen and ranked."""
    settings = own_site.settings()
    for month in MONTHS:
        await bulletins.freeze(settings, load(), month, by=OFFICE, now=LATER)
    await bulletins.rank(settings, load(), "2026-Q3", by=OFFICE, now=LATER)
    async with over(own_site, MANY) as made:
        yield made


async def figures(edge: Edge, sql: str) -> list[tuple[str, ...]]:
    async with single(edge.site.store_url, readonly=True) as conn:
        return [tuple(row) for row in (await conn.execute(text(sql))).all()]


async def test_a_frozen_month_is_shown_as_it_was_frozen(hub: Edge) -> None:
    desk = browser(hub)
    await desk.sign_in(OFFICE)
    listed = await desk.get("/bulletins")
    assert [m for m in MONTHS if f'href="/console/bulletins/{m}"' in listed.text] == list(MONTHS)
    digests = await figures(hub, "SELECT sha256 FROM monthly_bulletin")
    assert all(digest in listed.text for (digest,) in digests)

    county = said(await desk.get("/bulletins/2026-09"))
    rows = await figures(
        hub,
        "SELECT figure, value FROM bulletin_figure WHERE month = '2026-09' AND kind = 'COUNTY'",
    )
    assert len(rows) > 10
    words = hub.hub.catalog.codes["FigureCode"]
    for figure, value in rows:
        if value is not None:
            assert f"砚山县 {words[figure]} {value}" in county

    page = await desk.get("/bulletins/2026-09?kind=TOWNSHIP&figure=applications")
    drawn = await figures(
        hub,
        "SELECT code, value FROM bulletin_figure WHERE month = '2026-09' AND kind = 'TOWNSHIP'"
        " AND figure = 'applications'",
    )
    assert len(drawn) == 12
    (uri,) = re.findall(r'<img src="(data:image/svg\+xml;base64,[^"]+)"', page.text)
    (alt,) = re.findall(r'alt="([^"]+)"', page.text)
    shown = [one.rsplit(" ", 1) for one in alt.partition("：")[2].split("；")]
    places = {hub.hub.catalog.divisions.get(code): value for code, value in drawn}
    assert dict(shown) == {
        place.name: value for place, value in places.items() if place is not None
    }
    assert uri == bars("2026-09 申请量", [(name, value) for name, value in shown]).uri
    assert "<script" not in base64.b64decode(uri.partition(",")[2]).decode()
    for name, value in shown:
        assert f"{name} 申请量 {value}" in said(page)


async def test_the_same_month_is_the_same_picture_and_leaves_as_a_file(hub: Edge) -> None:
    desk = browser(hub)
    await desk.sign_in("authority-01")
    pages = [await desk.get("/bulletins/2026-08?kind=ITEM") for _ in range(2)]
    first, second = (re.findall(r"<img src=\"([^\"]+)\"", page.text) for page in pages)
    assert first == second != []
    file = await desk.get("/bulletins/2026-08?kind=ITEM&format=csv")
    assert file.status_code == 200
    assert "申请量" in file.content.decode("utf-8-sig")


async def test_places_are_shown_with_their_score_and_reason(hub: Edge) -> None:
    desk = browser(hub)
    await desk.sign_in(OFFICE)
    page = said(await desk.get("/ranking?quarter=2026-Q3&kind=TOWNSHIP"))
    rows = await figures(
        hub,
        "SELECT code, rank, score, reason FROM ranking_place WHERE kind = 'TOWNSHIP'",
    )
    assert f"共 {len(rows)} 行" in page
    assert len(rows) > 10
    for code, rank, score, _reason in rows:
        place = hub.hub.catalog.divisions.get(code)
        assert place is not None
        said_of = f"乡（镇） {place.name} {rank} {score}" if rank else f"乡（镇） {place.name}"
        assert said_of in page
    empty = said(await desk.get("/ranking?quarter=2025-Q1"))
    assert "尚无已发布的红黑榜" in empty
