"""How a department's HTTP interface is asked and how it answers, in words of its TOML file.

    [source.rest]
    path = "/fsi/api"                                # behind the address of the settings
    success = { field = "infcode", value = "0" }     # HTTP 200 alone is not success
    rows = "output.list"                             # where the rows are, dots lead inwards
    total = "output.total"
    batch = 100                                      # keys a call
    page_size = 100
    credential = { kind = "header", header = "appKey" }
    body = { infno = "$table", input = { certnos = "$keys", pageNum = "$page" } }

Slots of `path` and `body`: ``$table`` the data set's table, ``$keys`` the list of keys,
``$keys_text`` the same between commas, ``$key`` the only key of a call (batch 1), ``$page`` from
1, ``$offset`` from 0, ``$size``. The secret itself is a setting, never a word of this file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from catalog.table import Table

Way: TypeAlias = tuple[str, ...]
"""Names that lead to a value inside a JSON answer."""

SLOTS = frozenset({"$table", "$keys", "$keys_text", "$key", "$page", "$offset", "$size"})
KEYS = frozenset({"$keys", "$keys_text", "$key"})
PAGED = frozenset({"$page", "$offset"})
SECRETS = frozenset({"$id", "$secret"})
BATCH, PAGE = 100, 100
CHARSETS = ("utf-8", "gb18030")  # the second holds GBK and GB 2312

_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+|/\$table)+\Z")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")


class Login(StrEnum):
    """How a call shows that it is the hub's: not at all, a key, a passing token, a signature."""

    NONE = "none"
    HEADER = "header"
    TOKEN = "token"  # noqa: S105  a word, no secret
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class TokenDesk:
    """Where a token is had: `token` and `lifetime` (seconds) lead to what its answer says."""

    path: str
    body: Mapping[str, Any]
    token: Way
    lifetime: Way


@dataclass(frozen=True, slots=True)
class Credential:
    """`header` carries key, token or signature, `prefix` before it (``"Bearer "``).

    HEADER: the source's key as it is. TOKEN: from `desk`, for ``id:secret``. SIGNATURE: hex
    HMAC-SHA256 by the secret over id, time (ms since 1970 as text) and body; id and time go
    along in `id_header` and `time_header`.
    """

    kind: Login = Login.NONE
    header: str = ""
    prefix: str = ""
    id_header: str = ""
    time_header: str = ""
    desk: TokenDesk | None = None


@dataclass(frozen=True, slots=True)
class Interface:
    """One REST/JSON interface.

    `success`: where the answer's own code is, and which one means success. `expired`: the code of
    a token that must be renewed. `exhausted`: the code of a quota that is used up. `total`: where
    the number of all rows is; without it a page that is not full is the last.
    """

    path: str
    body: Mapping[str, Any]
    rows: Way
    total: Way | None
    success: tuple[Way, str] | None
    expired: str | None
    exhausted: str | None
    batch: int
    page: int
    headers: Mapping[str, str]
    charset: str
    credential: Credential

    @property
    def paged(self) -> bool:
        """The call says which page it wants."""
        return bool(_slots(self.body) & PAGED)


def read_interface(table: Table) -> Interface:
    """The table ``[source.rest]``; CatalogError for the first fault."""
    interface = Interface(
        path=read_path(table),
        body=_body(table, SLOTS),
        rows=_way(table, "rows"),
        total=_way(table, "total") if table.has("total") else None,
        success=_success(table),
        expired=table.optional("expired"),
        exhausted=table.optional("exhausted"),
        batch=positive(table, "batch", BATCH),
        page=positive(table, "page_size", PAGE),
        headers=read_headers(table),
        charset=_charset(table),
        credential=read_credential(table),
    )
    slots = _slots(interface.body)
    if not slots & KEYS:
        raise table.fail("body", f"asks for nobody: put one of {' '.join(sorted(KEYS))} into it")
    if "$key" in slots and interface.batch != 1:
        raise table.fail("batch", "must be 1 where the body has the slot $key")
    if interface.success is None and (interface.expired or interface.exhausted):
        raise table.fail("success", "is missing: say where the answer's code is")
    table.done()
    return interface


def read_headers(table: Table) -> Mapping[str, str]:
    """``headers``: sent with every call, e.g. the purpose agreed with the department."""
    headers = table.pairs("headers")
    wrong = [name for name in headers if not _HEADER.match(name)]
    if wrong:
        raise table.fail("headers", f"`{wrong[0]}` is no header's name")
    return headers


def read_credential(table: Table) -> Credential:
    """``credential``; none if absent."""
    sub = table.sub("credential")
    if sub is None:
        return Credential()
    kind = sub.choice("kind", Login)
    signed = kind is Login.SIGNATURE
    found = Credential(
        kind=kind,
        header="" if kind is Login.NONE else _header(sub, "header"),
        prefix=sub.text("prefix", ""),
        id_header=_header(sub, "id_header") if signed else "",
        time_header=_header(sub, "time_header") if signed else "",
        desk=_desk(sub) if kind is Login.TOKEN else None,
    )
    sub.done()
    return found


def _desk(table: Table) -> TokenDesk:
    return TokenDesk(
        path=read_path(table),
        body=_body(table, SECRETS),
        token=_way(table, "token"),
        lifetime=_way(table, "lifetime"),
    )


def _header(table: Table, key: str) -> str:
    name = table.text(key)
    if not _HEADER.match(name):
        raise table.fail(key, f"`{name}` is no header's name")
    return name


def read_path(table: Table, default: str | None = None) -> str:
    """``path``, behind the address."""
    path = table.text("path", default)
    # The address of the settings says which host; a path cannot lead to another.
    if not _PATH.match(path) or "/.." in path:
        raise table.fail("path", "must be a plain path such as /fsi/api or /rsrest/$table")
    return path


def _way(table: Table, key: str) -> Way:
    return tuple(table.text(key).split("."))


def _success(table: Table) -> tuple[Way, str] | None:
    sub = table.sub("success")
    if sub is None:
        return None
    found = _way(sub, "field"), sub.text("value")
    sub.done()
    return found


def positive(table: Table, key: str, default: int) -> int:
    """A whole number from 1 on."""
    number = table.number(key, default)
    if number < 1:
        raise table.fail(key, "must be 1 or more")
    return number


def _charset(table: Table) -> str:
    name = table.text("charset", CHARSETS[0])
    if name not in CHARSETS:
        raise table.fail("charset", f"`{name}` is no charset: use {' or '.join(CHARSETS)}")
    return name


def _body(table: Table, allowed: frozenset[str]) -> Mapping[str, Any]:
    body = table.nested("body")
    unknown = sorted(_slots(body) - allowed)
    if unknown:
        raise table.fail("body", f"`{unknown[0]}` is no slot: use {' '.join(sorted(allowed))}")
    return body


def _slots(part: Any) -> frozenset[str]:
    """Every text of a template that begins with a dollar."""
    if isinstance(part, Mapping):
        return frozenset().union(*(_slots(value) for value in part.values()))
    if isinstance(part, list):
        return frozenset().union(*(_slots(value) for value in part))
    return frozenset({part} if isinstance(part, str) and part.startswith("$") else ())


def filled(part: Any, values: Mapping[str, Any]) -> Any:
    """A template with its slots filled."""
    if isinstance(part, Mapping):
        return {name: filled(value, values) for name, value in part.items()}
    if isinstance(part, list):
        return [filled(value, values) for value in part]
    return values.get(part, part) if isinstance(part, str) else part
