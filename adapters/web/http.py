"""The way out over HTTP: POST to the one configured address of a source, and nowhere else.

No redirect is followed, no proxy of the environment is asked, certificates are verified, an
answer is read up to a bound. Whatever goes wrong is a Fault without any text of the other side.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import httpx

from adapters.resilience import Fault, Reason
from catalog.interface import Way

MAX_BODY = 8 * 1024 * 1024  # a page of 100 rows has about 60 kB
AGAIN = frozenset({502, 503, 504})  # statuses a second try may heal
JSON = "application/json"
HTTP = ("http://", "https://")

_ADDRESS = re.compile(r"https?://[^\s/@?#]+(?:/[^\s?#@]*)?\Z")


class Door:
    """One source's client. `ca_file`: an authority of the county's own beside the usual ones.

    ValueError for an address with a user, a password or a query: secrets have their own place.
    `client` is closed with the door only if the door made it.
    """

    def __init__(
        self, address: str, *, ca_file: Path | None = None, client: httpx.AsyncClient | None = None
    ) -> None:
        if not is_address(address):
            raise ValueError("an address is http(s)://host:port/path, without user or query")
        self.calls = 0  # calls sent, for the tests of cost
        self._base = address.rstrip("/")
        self._own = client is None
        self._client = client or httpx.AsyncClient(
            timeout=None,  # noqa: S113  the guard keeps the time
            trust_env=False,  # no proxy of the environment may see citizens' keys
            follow_redirects=False,
            verify=trusted(ca_file) if address.startswith("https:") else False,
        )

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """The body of a 200 answer. Fault: DOWN, TIMEOUT, BUSY (429), TLS."""
        self.calls += 1
        sent = {"Content-Type": JSON, "Accept-Encoding": "identity", **headers}
        try:
            async with self._client.stream(
                "POST", self._base + path, content=body, headers=sent
            ) as answer:
                _check(answer.status_code)
                return await _bounded(answer.aiter_raw())
        except httpx.TimeoutException:
            raise Fault(Reason.TIMEOUT) from None
        except httpx.HTTPError as error:
            raise _fault(error) from None

    async def close(self) -> None:
        """Give connections back."""
        if self._own:
            await self._client.aclose()


def decoded(body: bytes, charset: str = "utf-8") -> Any:
    """The JSON of an answer; numbers with a point stay texts, so that no amount is rounded.

    Fault SCHEMA if it is no JSON in this charset.
    """
    try:
        return json.loads(body.decode(charset), parse_float=str, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Fault(Reason.SCHEMA) from None


def inside(answer: Any, way: Way) -> Any:
    """The value a way leads to; None if it leads nowhere."""
    for name in way:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def is_address(text: str) -> bool:
    """http(s), a host, perhaps port and path; no user, no password, no query."""
    return _ADDRESS.match(text) is not None


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """The machine's authorities, and those of `ca_file` (PEM). OSError if it is none."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _check(status: int) -> None:
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise Fault(Reason.BUSY, again=True)
    if status != httpx.codes.OK:
        raise Fault(again=status in AGAIN)


def _fault(error: httpx.HTTPError) -> Fault:
    # A certificate that is refused once is refused the second time, too.
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLError):
            return Fault(Reason.TLS)
        found = found.__cause__ or found.__context__
    return Fault(again=True)


async def _bounded(parts: AsyncIterator[bytes]) -> bytes:
    whole = bytearray()
    async for part in parts:
        whole += part
        if len(whole) > MAX_BODY:
            raise Fault
    return bytes(whole)
