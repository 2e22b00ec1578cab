"""Documents made to exhaust the server: each gets its refusal, and honest questions go on.

Over a real server process. How long a refusal takes is measured by ``make bench-edge``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from bench.hostile import DOCUMENTS, HONEST
from hub.edge.decoding import GRAPHQL_JSON, JSON

if TYPE_CHECKING:
    from bench.served import Served

pytestmark = pytest.mark.loopback


def honest(client: httpx.Client, served: Served) -> None:
    """An ordinary question is answered."""
    answer = client.post("/graphql", json={"query": HONEST}, headers=served.headers())
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["viewer"]["account"] == "zhelai-town-01"


@pytest.mark.parametrize("media", [JSON, GRAPHQL_JSON])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_hostile_document_gets_its_refusal(served: Served, name: str, media: str) -> None:
    hostile = DOCUMENTS[name]
    with served.client() as client:
        headers = served.headers() | {"Accept": media}
        answer = client.post("/graphql", content=hostile.body(), headers=headers)
        (error,) = answer.json()["errors"]
        told = error["extensions"]
        wanted = hostile.plain if media == JSON else hostile.status
        assert (answer.status_code, told["code"], told.get("reason")) == (
            wanted,
            hostile.code,
            hostile.reason,
        )
        assert "Did you mean" not in answer.text
        honest(client, served)
