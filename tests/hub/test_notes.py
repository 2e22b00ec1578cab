"""What an asker says of his purpose: read strictly, kept apart, named in the record by a digest."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import pytest
from sqlalchemy import select

from catalog.errors import AuditUnavailable, BadRequest, PurposeRequired
from hub.notes import HEADER, Notes, words
from store.audit import purpose_note
from store.engine import open_engine
from store.migrate import upgrade

WHY = "山洪，连夜转移二组群众"
RING = {1: b"an audit key of the tests alone"}


def header(text: str) -> dict[bytes, bytes]:
    return {HEADER: quote(text).encode()}


def test_a_note_is_percent_encoded_text() -> None:
    assert words(header(WHY), "aid.file") == WHY
    assert words(header(f"  {WHY} "), "emergency") == WHY
    assert words({HEADER: b"plain words"}, "aid.file") == "plain words"
    assert words({}, "aid.file") == ""


@pytest.mark.parametrize(
    "given", [b"%ff%fe", b"%E5%B1", quote("a\nb").encode(), quote("长" * 501).encode()]
)
def test_one_that_cannot_be_read_is_refused(given: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        words({HEADER: given}, "aid.file")
    assert caught.value.reason == "HEADER"
    assert quote("长") not in caught.value.message


@pytest.mark.parametrize("said", [{}, header(""), header("急"), header("   x   ")])
def test_an_emergency_without_a_reason_is_refused(said: dict[bytes, bytes]) -> None:
    with pytest.raises(PurposeRequired) as caught:
        words(said, "emergency")
    assert caught.value.reason == "BREAK_GLASS_REASON_REQUIRED"


@pytest.mark.anyio
async def test_words_are_kept_once_under_their_digest(store_url: str) -> None:
    await asyncio.to_thread(upgrade, store_url)
    engine = open_engine(store_url)
    notes = Notes(engine, RING)
    first, again, other = [await notes.keep(text) for text in (WHY, WHY, "另一个事由")]
    async with engine.connect() as connection:
        rows = (await connection.execute(select(purpose_note.c.digest, purpose_note.c.text))).all()
    assert first == again != other
    assert {tuple(row) for row in rows} == {(first, WHY), (other, "另一个事由")}
    assert len(first) == 64
    assert first != await Notes(engine, {1: b"another key of the tests alone!"}).keep(WHY)
    await engine.dispose()


@pytest.mark.anyio
async def test_words_that_cannot_be_kept_give_no_data(store_url: str) -> None:
    engine = open_engine(store_url)  # no table is there
    with pytest.raises(AuditUnavailable) as caught:
        await Notes(engine, RING).keep(WHY)
    assert WHY not in caught.value.message
    await engine.dispose()
