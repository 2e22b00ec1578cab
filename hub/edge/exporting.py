"""A page's table as a file: the same document page by page, under a right and a record of its own.

What holds persons or tells of accesses leaves as a file only for whoever may export it, and then
EXPORT_INTENT is in the log before anything is read, EXPORT_RESULT before the file leaves. Open
tables need neither. Each reading is a record as on the page, marked with the kind of file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from audit.record import Receipt
from authz.gate import Gate
from authz.lens import Mode
from catalog.datasets import PERSONAL, Dataset
from catalog.errors import Forbidden
from console.cells import shown
from console.page import Address, Page, Table
from console.sheets import CSV, MEDIA, XLSX, as_csv, as_xlsx
from console.words import Words
from hub.edge.asking_pages import Asked, headers_of, question_of, taken
from hub.edge.flat import FLAT
from hub.edge.passage import Passage
from hub.identity.asking import Headers, Known
from hub.identity.sessions import Session
from hub.release import AUDIT, File, Sent, Visit
from hub.worker import Hub

FORMATS = (CSV, XLSX)
READINGS = 50  # pages of rows in one file: five thousand rows fit what a person looks through


class Brought(Protocol):
    """What is needed of a browser's request."""

    @property
    def headers(self) -> Headers: ...
    @property
    def visit(self) -> Visit: ...


class Exporting:
    """Makes files; one per worker."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def made(
        self,
        call: Brought,
        session: Session,
        page: Page,
        address: Address,
        kind: str,
        words: Words,
    ) -> Sent | Asked:
        """The file, or why there is none."""
        passage = Passage(
            self._hub, headers_of(session, call.headers), replace(call.visit, file=kind)
        )
        passage.media, known = FLAT, None
        try:
            known = await passage.admit()
            guarded = [d for d in self._datasets(page) if is_guarded(d)]
            _demand(known.gate, guarded)
            intent = None
            if guarded:
                intent = await self._hub.release.leaving(passage.visit, page.document)
            found = await self._read(passage, known, page, address, words)
            if isinstance(found, Asked):
                return found
            table, rows, receipt = found
            if intent is not None:
                receipt = await self._hub.release.left(
                    passage.visit, page.document, intent, len(rows)
                )
            return self._sent(page, kind, table, rows, passage.visit, receipt)
        except Exception as error:
            sent = await passage.refuse(error)
        return taken(self._hub, page, passage.visit, sent, known)

    def _datasets(self, page: Page) -> list[Dataset]:
        return [self._hub.catalog.datasets[name] for name in page.datasets]

    async def _read(
        self, passage: Passage, known: Known, page: Page, address: Address, words: Words
    ) -> Asked | tuple[Table, list[list[str]], Receipt | None]:
        """All rows, reading by reading; the answer itself if one of them is not whole."""
        rows: list[list[str]] = []
        table, receipt = Table("", (), ()), None
        at = replace(address, first=self._hub.settings.page_max)
        for _ in range(READINGS):
            question = question_of(page, at, None)
            if question is None:
                raise Forbidden("此页没有可导出的表", reason="FORM")
            sent = await passage.release(await passage.asked(question, known, ours=True))
            asked = taken(self._hub, page, passage.visit, sent, known)
            if asked.answer is None or asked.errors:
                return asked
            receipt = asked.receipt
            said = asked.words(words.of(asked.extensions))
            view = page.view(asked.answer, at, said)
            if view.sheet is None:
                return asked  # its page says something in place of the table
            table = view.sheet
            rows += [[shown(column, row, said) for column in table.columns] for row in table.rows]
            if not (table.info and table.info["hasNextPage"]):
                break
            at = replace(at, query={**at.query, "after": table.info["endCursor"]})
            passage.again()
        return table, rows, receipt

    def _sent(
        self,
        page: Page,
        kind: str,
        table: Table,
        rows: Sequence[Sequence[str]],
        visit: Visit,
        receipt: Receipt | None,
    ) -> Sent:
        heads = [column.title for column in table.columns]
        account = visit.asker.principal_id if visit.asker else ""
        place = "" if receipt is None else f"，审计序号 {receipt.idx}"
        mark = f"导出：{account}，请求编号 {visit.request_id}{place}，共 {len(rows)} 行"
        body = (as_csv if kind == CSV else as_xlsx)(heads, rows, mark)
        named = f'attachment; filename="{page.document}.{kind}"'.encode()
        file = File(body, MEDIA[kind])
        added: tuple[bytes, Any] = (b"content-disposition", named)
        return self._hub.release.file(file, visit, receipt, added)


def is_guarded(dataset: Dataset) -> bool:
    """May it leave as a file only under a right to export?"""
    personal = any(field.sensitivity in PERSONAL for field in dataset.fields)
    return personal or dataset.name.startswith(AUDIT)


def _demand(gate: Gate, datasets: Iterable[Dataset]) -> None:
    """Forbidden for whoever may not take out all that he may list."""
    for dataset in datasets:
        if gate.lens(dataset, Mode.EXPORT).rows != gate.lens(dataset, Mode.LIST).rows:
            verdict = gate.refusal(dataset, Mode.EXPORT)
            raise Forbidden(
                f"您的岗位不能以此用途导出“{dataset.title}”",
                reason=verdict.reason,
                ask=verdict.ask,
            )
