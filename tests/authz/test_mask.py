"""Masks: what each leaves, and that the SQL twin leaves the same."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Column, Date, Integer, MetaData, String, Table, insert, select
from sqlalchemy.ext.asyncio import create_async_engine

from authz.mask import STARS, masked, masked_sql
from catalog.grades import Mask
from store.metadata import PATH
from store.words import division

memo = MetaData()
cells = Table(
    "mask_cell",
    memo,
    Column("id", Integer, primary_key=True),
    Column("value", String(64)),
    Column("born", Date),
    Column("region", PATH, nullable=False),
)
PLACES = {"532622205": "者腊乡", "532622205203": "某某村民委员会"}
UNKNOWN = "532622101299"


@pytest.mark.parametrize(
    ("mask", "value", "expected"),
    [
        (Mask.NONE, "欧阳娜娜", "欧阳娜娜"),
        (Mask.SURNAME, "欧阳娜娜", "欧*"),
        (Mask.SURNAME, "李", "李*"),
        (Mask.SURNAME, "𠮷野家", "𠮷*"),
        (Mask.SURNAME, "阿依古丽·买买提", "阿*"),
        (Mask.TAIL4, "12012345678", "****5678"),
        (Mask.TAIL4, "1234567", "****"),
        (Mask.TAIL4, "12345678", "****5678"),
        (Mask.TAIL4, "", "****"),
        (Mask.HIDE, "539922196001010017", None),
        (Mask.BAND, "1960-01-01", None),
        (Mask.AREA, "者腊街12号", "者腊乡"),
        (Mask.AREA, None, None),
        (Mask.SURNAME, None, None),
        (Mask.TAIL4, None, None),
        (Mask.NONE, None, None),
    ],
)
def test_a_mask_leaves_exactly_this(mask: Mask, value: str | None, expected: str | None) -> None:
    assert masked(mask, value, "者腊乡") == expected


def test_a_number_is_masked_as_its_text() -> None:
    assert masked(Mask.TAIL4, 12012345678) == STARS + "5678"


VALUES = 10_000
LETTERS = {
    "Chinese": "李欧阳上官依古丽",
    "four bytes": "𠮷𡈼😀𪚥",
    "middle dots": "·•・‧∙⋅●.",
    "blanks": " \u3000\u00a0\u200b\t",
    "combining": "e\u0301a\u030a\u1100\u1161",
    "plain": "ab'\"%_\\12345678901234567890Xx",
}
"""What a name or number is written with, to the letter: each may be cut in another way."""


def values() -> list[str | None]:
    rng = random.Random(532622)
    corners = [None, "", "'", "12012345678", "1234567", "12345678", "李", "𠮷", "·", "\u0301"]
    made: list[str | None] = []
    while len(corners) + len(made) < VALUES:
        some = "".join(rng.sample(list(LETTERS.values()), rng.randint(1, len(LETTERS))))
        made.append("".join(rng.choices(some, k=rng.choice((0, 1, 2, 3, 7, 8, 9, 11, 18, 40)))))
        made += [None] if rng.random() < 0.02 else []
    return (corners + made)[:VALUES]


def test_the_values_are_worth_comparing() -> None:
    found = values()
    texts = [value for value in found if value]
    assert len(found) == VALUES
    assert min(found.count(None), found.count("")) > 100
    assert sum(len(text) < 8 for text in texts) > 2_000
    assert sum(len(text) >= 8 for text in texts) > 2_000
    assert sum(any(ord(c) > 0xFFFF for c in text) for text in texts) > 2_000
    assert sum("·" in text for text in texts) > 500


@pytest.mark.anyio
async def test_the_twins_agree_on_both_databases(store_url: str) -> None:
    rng = random.Random(1)
    regions = [*PLACES, UNKNOWN]
    rows: list[dict[str, Any]] = [
        {"id": n, "value": v, "born": None if v is None else date(1960, 1, 1)}
        | {"region": rng.choice(regions)}
        for n, v in enumerate(values())
    ]
    engine = create_async_engine(store_url)
    try:
        async with engine.begin() as conn:
            await conn.run_sync(memo.create_all)
            await conn.run_sync(lambda sync: division.create(sync))
            await conn.execute(insert(division), [place(*pair) for pair in PLACES.items()])
            await conn.execute(insert(cells), rows)
            for mask in Mask:
                column = cells.c.born if mask is Mask.BAND else cells.c.value
                shown = masked_sql(mask, column, division.c.name)
                joined = cells.outerjoin(division, division.c.path == cells.c.region)
                wanted = select(cells.c.id, shown).select_from(joined)
                found = await conn.execute(wanted.order_by(cells.c.id))
                expected = [
                    (row["id"], masked(mask, row["value"], PLACES.get(row["region"])))
                    for row in rows
                ]
                assert [tuple(row) for row in found] == expected
    finally:
        await engine.dispose()


def place(path: str, name: str) -> dict[str, str | None]:
    return {"path": path, "code": path.ljust(12, "0"), "name": name, "level": "X"}
