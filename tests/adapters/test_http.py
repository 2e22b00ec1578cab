"""The one way out over HTTP: to the configured address, over verified TLS, bounded."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.resilience import Fault, Reason
from adapters.web.http import MAX_BODY, Door, decoded, inside
from tests.servers import Asked, Authority, http, serving

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

YES = b'{"yes": 1}'


async def yes(_asked: Asked) -> bytes:
    return http(200, YES)


async def faulted(door: Door) -> Fault:
    with pytest.raises(Fault) as caught:
        await door.post("/x", b"{}", {})
    await door.close()
    return caught.value


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_a_certificate_of_the_countys_own_authority_is_trusted_once_it_is_named(
    authority: Authority,
) -> None:
    async with serving(yes, authority.context()) as served:
        door = Door(served.address, ca_file=authority.file)
        assert await door.post("/x", b"{}", {}) == YES
        await door.close()
        assert (await faulted(Door(served.address))).reason is Reason.TLS
        assert len(served.asked) == 1  # nothing was said to whom nobody vouches for


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": timedelta(minutes=-1)},
        {"since": timedelta(hours=1)},
        {"host": "127.0.0.2"},
    ],
    ids=["expired", "not yet", "another host"],
)
async def test_a_certificate_that_does_not_fit_is_refused_and_not_tried_again(
    authority: Authority, wrong: dict[str, timedelta]
) -> None:
    async with serving(yes, authority.context(**wrong)) as served:  # type: ignore[arg-type]
        fault = await faulted(Door(served.address, ca_file=authority.file))
        assert (fault.reason, fault.again, served.asked) == (Reason.TLS, False, [])


async def test_a_redirect_is_not_followed() -> None:
    async with serving(yes) as elsewhere:

        async def moved(_asked: Asked) -> bytes:
            return http(307, b"", Location=f"{elsewhere.address}/x")

        async with serving(moved) as served:
            fault = await faulted(Door(served.address))
            assert (fault.reason, len(served.asked)) == (Reason.DOWN, 1)
        assert elsewhere.asked == []


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(yes) as proxy, serving(yes) as served:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.address)
        door = Door(served.address)
        assert await door.post("/x", b"{}", {}) == YES
        await door.close()
        assert (len(served.asked), proxy.asked) == (1, [])


async def test_an_answer_beyond_the_bound_is_given_up() -> None:
    async def endless(_asked: Asked) -> bytes:
        return http(200, b" " * (MAX_BODY + 1))

    async with serving(endless) as served:
        assert (await faulted(Door(served.address))).reason is Reason.DOWN


async def test_a_small_answer_cannot_unfold_into_a_large_one() -> None:
    async def bomb(_asked: Asked) -> bytes:
        return http(200, gzip.compress(b" " * (MAX_BODY + 1)), Content_Encoding="gzip")

    async with serving(bomb) as served:
        door = Door(served.address)
        assert len(await door.post("/x", b"{}", {})) < 100_000  # as it came: no JSON
        assert served.asked[0].headers["accept-encoding"] == "identity"
        await door.close()


@pytest.mark.parametrize(
    ("status", "reason", "again"),
    [(429, "BUSY", True), (503, "DOWN", True), (500, "DOWN", False), (401, "DOWN", False)],
)
async def test_a_status_says_whether_a_second_try_may_help(
    status: int, reason: str, again: bool
) -> None:
    async def refuse(_asked: Asked) -> bytes:
        return http(status, b"")

    async with serving(refuse) as served:
        fault = await faulted(Door(served.address))
        assert (fault.reason, fault.again) == (reason, again)


@pytest.mark.parametrize(
    "address",
    [
        "http://user:secret@host",
        "http://host?key=secret",
        "ftp://host",
        "http://host#part",
        "http:///path",
        "host:80",
    ],
)
def test_an_address_with_a_secret_or_of_another_kind_is_none(address: str) -> None:
    with pytest.raises(ValueError, match="without user or query") as caught:
        Door(address)
    assert "secret" not in str(caught.value)


def test_an_amount_is_not_rounded_on_its_way() -> None:
    assert decoded(b'{"a": 12345678901234567.10, "b": 532622199001011234}') == {
        "a": "12345678901234567.10",
        "b": 532622199001011234,
    }


def test_a_way_that_leads_nowhere_is_none() -> None:
    assert inside({"a": {"b": 1}}, ("a", "b")) == 1
    assert inside({"a": [1]}, ("a", "b")) is None
    assert inside(None, ("a",)) is None
