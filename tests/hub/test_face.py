"""hub/edge/face.py: addresses beside /graphql, as a page of another site meets them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hub.demo.site import Site
from tests.trusted import TOWN, Edge, edge

pytestmark = pytest.mark.anyio

OURS, FOREIGN = "https://desk.example", "https://elsewhere.example"
FACES = {
    "/api/rest/OpenCases/1": "GET, POST",
    "/api/openapi.json": "GET",
    "/schema.graphql": "GET",
}
"""Each with the methods a listed page may use."""


@pytest.fixture(scope="module")
async def listed(
    site: Site, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Edge]:
    """A hub whose answers one page may read."""
    given = {"cors.origins": OURS}
    async with edge(site, tmp_path_factory.mktemp("listed") / "site", given) as made:
        yield made


def before(origin: str) -> dict[str, str]:
    """What a browser asks before its page may ask."""
    return {"Origin": origin, "Access-Control-Request-Method": "GET"}


@pytest.mark.parametrize("path", FACES)
async def test_a_listed_page_is_told_what_it_may_and_another_nothing(
    listed: Edge, path: str
) -> None:
    recorded = len(await listed.records())
    answer = await listed.http.options(path, headers=before(OURS))
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert answer.headers["Access-Control-Allow-Methods"] == FACES[path]
    foreign = await listed.http.options(path, headers=before(FOREIGN))
    allowed = [name for name in foreign.headers if name.startswith("access-control-")]
    assert (foreign.status_code, allowed) == (204, [])
    assert len(await listed.records()) == recorded  # nobody has asked for anything yet


@pytest.mark.parametrize("path", FACES)
async def test_an_answer_may_be_read_by_a_listed_page_alone(listed: Edge, path: str) -> None:
    account = "lab" if path == "/schema.graphql" else TOWN
    for origin, told in ((OURS, OURS), (FOREIGN, None)):
        headers = listed.headers(account, client="hub-demo") | {"Origin": origin}
        answer = await listed.http.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers.get("Access-Control-Allow-Origin") == told
        assert answer.headers["traceparent"].split("-")[1] == answer.headers["X-Request-Id"]
        assert answer.headers["X-Audit-Id"].isdigit()
        assert answer.headers["RateLimit-Limit"] == "600"
        assert answer.headers["X-Sandbox"] == "true"
