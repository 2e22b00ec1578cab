"""What a department hands over: a data file, and beside it a manifest that vouches for it.

    疑似辍学_202610.xlsx
    疑似辍学_202610.manifest.toml   table, file, sha256, as_of, rows; encoding for CSV; shrunk

A manifest is TOML or JSON (``.manifest.json``) with the same keys. `file` is a plain name in the
same folder. `as_of` is when the department's own system stood so: a date, or a time, in Beijing
unless it says otherwise. Whatever is wrong is a `Refused`: which file, which line and column,
never a value, because values are people.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from adapters.decode import CST
from catalog.errors import Readable

SCHEME = "files://"
MANIFESTS = (".manifest.toml", ".manifest.json")
SHEETS = (".xlsx", ".xls")
TABLES = (".csv", *SHEETS)
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030")
KEYS = frozenset({"table", "file", "sha256", "as_of", "rows", "encoding", "shrunk"})
MAX_MANIFEST = 64 * 1024  # bytes; six short lines
MAX_FILE = 512 * 1024 * 1024  # bytes; a county of 480,000 people writes about 60 MB a list
FIRST_YEAR = 2000  # no list of these offices is older

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def drop_folder(address: str) -> Path:
    """The folder of ``files:///folder``; ValueError for anything else."""
    parts = urlsplit(address)
    if not address.startswith(f"{SCHEME}/") or parts.query or parts.fragment:
        raise ValueError("no drop folder")
    return Path(unquote(parts.path))


class Refusal(StrEnum):
    """Why a delivery is not taken. Stable words, for programs."""

    MANIFEST = "MANIFEST"
    MISSING = "MISSING"
    TOO_LARGE = "TOO_LARGE"
    CHECKSUM = "CHECKSUM"
    CHARSET = "CHARSET"
    UNREADABLE = "UNREADABLE"
    HEADER = "HEADER"
    ROW = "ROW"
    COUNT = "COUNT"
    OLDER = "OLDER"
    AHEAD = "AHEAD"
    EMPTY = "EMPTY"
    SHRUNK = "SHRUNK"


class Refused(Readable):
    """One delivery is not taken; what was loaded before stays.

    `file` as the department named it, `line` from 1 and `column` by its name in the catalogue
    or its number where they are known.
    """

    def __init__(
        self,
        reason: Refusal,
        file: str,
        why: str,
        *,
        line: int | None = None,
        column: str | None = None,
    ) -> None:
        at = "".join(
            (f" 第 {line} 行" if line else "", f" 列“{column}”" if column else ""),
        )
        super().__init__(f"{shown(file)}{at}：{why}")
        self.reason, self.file, self.line, self.column = reason, file, line, column


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the department says of its file; `as_of` is aware.

    `shrunk`: it knows that the list has lost most of its rows, or all.
    """

    name: str
    table: str
    file: str
    sha256: str
    as_of: datetime
    rows: int
    encoding: str | None
    shrunk: bool = False


def shown(name: str) -> str:
    """A file's name for a terminal: no control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)


def read_manifest(path: Path) -> Manifest:
    """Strictly: every key is known and has its kind. Refused MANIFEST."""
    name = path.name
    content = _parsed(name, read_plain(path, MAX_MANIFEST))
    unknown = sorted(set(content) - KEYS)
    if unknown:
        raise _wrong(
            name, "有不认识的键：请只写 table、file、sha256、as_of、rows、encoding、shrunk"
        )
    file = _text(name, content, "file")
    plain = Path(file).name == file and not file.startswith(".") and file.isprintable()
    if not plain or not file.lower().endswith(TABLES):
        raise _wrong(name, f"file 须是同一目录中的文件名，以 {'、'.join(TABLES)} 结尾")
    sha256 = _text(name, content, "sha256").lower()
    if not _SHA256.match(sha256):
        raise _wrong(name, "sha256 须是 64 位十六进制")
    rows = content.get("rows")
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 0:
        raise _wrong(name, "rows 须是数据行数（不含表头）")
    shrunk = content.get("shrunk", False)
    if not isinstance(shrunk, bool):
        raise _wrong(name, "shrunk 须是 true 或 false")
    return Manifest(
        name=name,
        table=_text(name, content, "table"),
        file=file,
        sha256=sha256,
        as_of=_moment(name, content.get("as_of")),
        rows=rows,
        encoding=_encoding(name, content, file),
        shrunk=shrunk,
    )


def read_file(folder: Path, manifest: Manifest) -> bytes:
    """The data file's bytes, which are those the manifest vouches for.

    Refused MISSING, TOO_LARGE or CHECKSUM. What is returned was hashed: a file that changes on
    the disk meanwhile changes nothing.
    """
    try:
        content = read_plain(folder / manifest.file, MAX_FILE)
    except FileNotFoundError:
        why = f"清单 {shown(manifest.name)} 已到，文件未到"
        raise Refused(Refusal.MISSING, manifest.file, why) from None
    if hashlib.sha256(content).hexdigest() != manifest.sha256:
        why = "校验和与清单不符：传输未完成或文件已改动，请重新送达"
        raise Refused(Refusal.CHECKSUM, manifest.file, why)
    return content


def read_plain(path: Path, most: int) -> bytes:
    """The bytes of a file that is no link; FileNotFoundError, Refused TOO_LARGE or UNREADABLE."""
    try:
        # A link could lead out of the folder, to a file its sender may not read himself.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError:
        why = "不可读，或是链接：请检查权限，送达文件本身"
        raise Refused(Refusal.UNREADABLE, path.name, why) from None
    try:
        with os.fdopen(handle, "rb") as file:
            content = file.read(most + 1)
    except OSError:
        raise Refused(Refusal.UNREADABLE, path.name, "不是可读的文件") from None
    if len(content) > most:
        raise Refused(Refusal.TOO_LARGE, path.name, f"超过 {most} 字节")
    return content


def _parsed(name: str, content: bytes) -> Mapping[str, Any]:
    try:
        text = content.decode("utf-8-sig")
        found = json.loads(text) if name.endswith(".json") else tomllib.loads(text)
    except (ValueError, RecursionError):
        raise _wrong(name, "清单不是 UTF-8 的 TOML 或 JSON") from None
    if not isinstance(found, dict):
        raise _wrong(name, "清单须是一张键值表")
    return found


def _text(name: str, content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(name, f"缺少 {key}")
    return value.strip()


def _moment(name: str, value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if not isinstance(moment, datetime) or moment.year < FIRST_YEAR:
        raise _wrong(name, "as_of 须是日期或时间，如 2026-10-31 或 2026-10-31T18:00:00+08:00")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=CST)


def _encoding(name: str, content: Mapping[str, Any], file: str) -> str | None:
    if file.lower().endswith(SHEETS):
        return None  # a workbook says it itself
    encoding = _text(name, content, "encoding").lower()
    if encoding not in ENCODINGS:
        raise _wrong(name, f"encoding 须是 {'、'.join(ENCODINGS)} 之一")
    return encoding


def _wrong(name: str, why: str) -> Refused:
    return Refused(Refusal.MANIFEST, name, why)
