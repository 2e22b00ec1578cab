"""One worker, many askers: nobody is answered from what was made for another."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from resolvers.answer import Question
from tests.attacks.conftest import PERSON, ROADS, told
from tests.resolvers.conftest import VIEWER

if TYPE_CHECKING:
    from authz.gate import Gate
    from tests.attacks.conftest import County

ROUNDS = 1_000
FACETS = """query($citizen: ID!) { citizen(by: {id: $citizen}) { name
  civilAffairs { minLiving { status name } } housing { house { houseNo } }
  health { chronic { disease } }  access { field state } } }"""
COUNTS = "{ caseStats(by: [TOWNSHIP, STATE]) { division state count } }"
LOG = "{ auditEvents(first: 2) { totalCount } }"

WHO: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("zhelai-town-01", "aid.review", {}),
    ("zhelai-town-01", "aid.file", {}),
    ("zhelai-town-01", "aid.review", {"case_no": "X"}),
    ("bange-town-01", "aid.review", {}),
    ("zhelai-village-01", "aid.file", {}),
    ("mca-dept-01", "aid.review", {}),
    ("office-01", "report", {}),
    ("auditor-01", "audit", {}),
    ("lab", "aid.review", {}),
)


def gates(county: County) -> list[Gate]:
    """Everybody; the third with the case of a household."""
    bound = county.shown().household
    return [
        county.desk.gate(account, purpose, **more, **({"bound": bound} if more else {}))
        for account, purpose, more in WHO
    ]


def documents(county: County) -> list[Question]:
    """Every road, to a person of either township."""
    people = [county.shown(label) for label in ("zhelai", "bange")]
    found = [
        Question(road.document(PERSON), None, road.variables(who))
        for road in ROADS.values()
        for who in people
    ]
    found += [Question(FACETS, None, {"citizen": who.citizen}) for who in people]
    return [*found, Question(COUNTS, None, {}), Question(LOG, None, {})]


def test_two_askers_in_turn_get_what_each_gets_alone(county: County) -> None:
    """A thousand questions at random on one Engine, each compared with a cold one's answer."""
    rng, shared, alone = random.Random("cross talk"), county.engine(), dict[Any, bytes]()
    everybody, asked = gates(county), documents(county)
    for _ in range(ROUNDS):
        who, what = rng.randrange(len(everybody)), rng.randrange(len(asked))
        question, gate = asked[what], everybody[who]
        if (who, what) not in alone:
            cold = county.engine().answer(question, gate, {"viewer": VIEWER})
            alone[who, what] = told(county.desk.runner.run(cold))
        warm = shared.answer(question, gate, {"viewer": VIEWER})
        assert told(county.desk.runner.run(warm)) == alone[who, what], (WHO[who], question)
    assert len(alone) > 100
    assert len(set(alone.values())) > 30  # the answers do differ
    assert shared.planned < len(alone)  # and Plans were shared between askers


@pytest.mark.parametrize("json_mode", [True, False], ids=["json mode", "row mode"])
def test_askers_at_the_same_moment_get_what_each_gets_alone(
    county: County, json_mode: bool
) -> None:
    everybody, asked = gates(county), documents(county)
    pairs = [(gate, question) for gate in everybody for question in asked]
    random.Random("at once").shuffle(pairs)
    alone = [
        told(
            county.desk.runner.run(
                county.engine(json_mode).answer(question, gate, {"viewer": VIEWER})
            )
        )
        for gate, question in pairs
    ]

    async def together() -> list[bytes]:
        engine = county.engine(json_mode)
        waiting = (engine.answer(q, gate, {"viewer": VIEWER}) for gate, q in pairs)
        return [told(answer) for answer in await asyncio.gather(*waiting)]

    assert county.desk.runner.run(together()) == alone
