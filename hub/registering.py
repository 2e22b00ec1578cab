"""Files of a client's tools into documents to be registered, and what changed between two of them.

    FILE.graphql                          one operation with its fragments, as its client sends it
    {"id": "text", …}                     graphql-codegen (client preset), relay-compiler
    {"operations": [{"id", "body"}, …]}   Apollo's manifest

The text is hashed here, to the last blank; what the tool calls it is kept as an alias.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.errors import HubError, Readable
from hub.app import assemble
from hub.edge.decoding import SHA256
from hub.release import NAME_DIGITS, NAME_LENGTH
from hub.settings import Settings
from resolvers.examination import Examiner
from store.documents import NewDocument, Registered, sha256_of

MAX_BYTES = 8 * 1024 * 1024  # a large frontend's manifest has some hundred kilobytes
MANIFEST = ".json"
_ALIAS = re.compile(r"(?!sha256:)[\w.:/+=-]{1,128}\Z", re.ASCII)
_CLIENT = re.compile(r"(?:[a-z][a-z0-9_]{0,31}/)?[a-z0-9._-]{1,40}\Z")


class Unfit(Readable):
    """One Chinese line: which file or document cannot be registered, and why."""


@dataclass(frozen=True, slots=True)
class Given:
    """One text of a file, with what its tool calls it (empty for nothing)."""

    text: str
    alias: str
    where: str


def is_client(name: str) -> bool:
    """Can a token's ``client_id`` be this? The record takes no other."""
    return _CLIENT.match(name) is not None


def read_file(path: Path) -> list[Given]:
    """The texts of one file. Unfit."""
    text = _text(path)
    if path.suffix != MANIFEST:
        return [Given(text, "", path.name)]
    try:
        content = json.loads(text)
    except ValueError:
        raise Unfit(f"文件 {path.name} 不是 JSON：请检查") from None
    return list(_entries(content, path.name))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Unfit(f"文件 {path.name} 超过 {MAX_BYTES // 1024 // 1024} MiB：请拆分")
        return path.read_bytes().decode("utf-8")  # as it is: its line ends are hashed, too
    except (OSError, UnicodeDecodeError):
        raise Unfit(f"文件 {path.name} 无法按 UTF-8 读取：请检查文件与权限") from None


def _entries(content: Any, name: str) -> Iterator[Given]:
    pairs: Any = content
    if isinstance(content, dict) and isinstance(content.get("operations"), list):
        operations = [one for one in content["operations"] if isinstance(one, dict)]
        pairs = {one.get("id"): one.get("body") for one in operations}
    if not isinstance(pairs, dict) or not pairs:
        raise Unfit(f'清单 {name} 须为 {{"标识": "查询文本"}}：请用工具重新生成')
    for at, (alias, text) in enumerate(pairs.items(), start=1):
        if not isinstance(text, str) or not isinstance(alias, str):
            raise Unfit(f"清单 {name} 第 {at} 项不是标识与文本：请用工具重新生成")
        yield Given(text, _alias(alias, text, f"{name} 第 {at} 项"), f"{name} 第 {at} 项")


def _alias(alias: str, text: str, where: str) -> str:
    """The tool's id; empty for one that is our own already."""
    if alias.startswith(SHA256):
        if alias.removeprefix(SHA256) != sha256_of(text):
            raise Unfit(f"{where}：标识不是其文本的 sha256，请用工具重新生成")
        return ""
    if not _ALIAS.match(alias):
        raise Unfit(f"{where}：标识只能有字母、数字与 . _ : / + = -，至多 128 个字符")
    return alias


def candidates(given: Sequence[Given], examiner: Examiner) -> list[NewDocument]:
    """Each text once, compiled, with all its aliases. Unfit for the first that nobody could ask."""
    found: dict[str, NewDocument] = {}
    for one in given:
        made = found.get(one.text)
        aliases = {*(made.aliases if made else ()), *((one.alias,) if one.alias else ())}
        if made is None:
            made = _compiled(one, examiner)
        found[one.text] = NewDocument(
            made.name, made.text, made.cost, made.reads, tuple(sorted(aliases))
        )
    return list(found.values())


def _compiled(one: Given, examiner: Examiner) -> NewDocument:
    try:
        told = examiner.examined(one.text)
    except HubError as error:
        raise Unfit(f"{one.where}：{error.code} {error.message}") from None
    digits = sum(letter.isdigit() for letter in told.name)
    if len(told.name) > NAME_LENGTH or digits > NAME_DIGITS:  # else no record would name it
        raise Unfit(f"{one.where}：操作名至多 {NAME_LENGTH} 个字符、{NAME_DIGITS} 个数字，请改名")
    return NewDocument(told.name, one.text, told.cost, [read.plain() for read in told.reads])


@contextlib.asynccontextmanager
async def examining(settings: Settings) -> AsyncIterator[Examiner]:
    """What compiles a document as the hub of these settings would; no source is asked."""
    hub = assemble(settings)
    try:
        yield hub.trusted.examiner
    finally:
        for source in hub.sources.values():
            await source.close()
        await hub.store.dispose()
        hub.telemetry.close()


# ---- for the reviewer --------------------------------------------------------------------------

LEVELS = {
    "L1_OPEN": "公开",
    "L2_INTERNAL": "内部",
    "L3_PERSONAL": "个人信息",
    "L4_SENSITIVE": "敏感个人信息",
}


def shown(document: Registered) -> Iterator[str]:
    """The lines of one document, without its text."""
    yield f"{document.client} {document.label} {document.state}"
    yield f"  documentId sha256:{document.sha256}"
    yield f"  费用 {document.cost}；登记 {document.registered_by} {document.registered_at:%F %R}"
    if document.approved_by and document.approved_at:
        yield f"  批准 {document.approved_by} {document.approved_at:%F %R}"
    if document.retired_by and document.retired_at:
        yield f"  停用 {document.retired_by} {document.retired_at:%F %R}"
    for read in document.reads:
        acts, name = "、".join(read["acts"]), f"{read['dataset']} {read['title']}"
        yield f"  数据集 {name}（{read['source']}）：{acts}〔{read['object']}〕"
        for one in read["fields"]:
            level = LEVELS.get(one["level"], one["level"])
            yield f"    {one['name']} {one['title']}，{level}〔{one['object']}〕脱敏 {one['mask']}"


@dataclass(frozen=True, slots=True)
class Difference:
    """What the newer of two documents reads more (`more`) and no longer (`less`); their costs.

    An entry is a data set with an act (``citizen lookup``) or a field (``citizen.name``).
    """

    before: str
    after: str
    more: tuple[str, ...]
    less: tuple[str, ...]
    cost: tuple[int, int]


def difference(before: Registered, after: Registered) -> Difference:
    """What changed between two versions of a name."""
    old, new = dict.fromkeys(_touched(before.reads)), dict.fromkeys(_touched(after.reads))
    return Difference(
        before.label,
        after.label,
        tuple(one for one in new if one not in old),
        tuple(one for one in old if one not in new),
        (before.cost, after.cost),
    )


def _touched(reads: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for read in reads:
        yield from (f"{read['dataset']} {act}" for act in read["acts"])
        yield from (f"{read['dataset']}.{one['name']}" for one in read["fields"])
