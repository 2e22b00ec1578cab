"""The four questions (plan 7), and whom they are asked about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

TOWN = "532622205"  # 者腊乡, the asking officer's township
ACCOUNT, PURPOSE = "zhelai-town-01", "aid.review"
PEOPLE = 1_000  # citizens Q1 is asked about in turn

DOCUMENTS: Mapping[str, str] = MappingProxyType(
    {
        "Q1": "query Q1($id: ID!) { citizen(by: {id: $id}) { id name sex birthBand phone idNumber"
        " cases(first: 10) { nodes { id caseNo item state filedAt overdue"
        " orders { id orderNo state dueAt } } } } }",
        "Q2": "query Q2 { cases(first: 50) { nodes { id caseNo item state filedAt"
        " applicant { id name phone } division { code name }"
        " events(last: 3) { nodes { seq state at } } } } }",
        "Q3": "query Q3 { citizens(first: 500) { nodes"
        " { id name sex birthBand phone idNumber address regionState } } }",
        "Q4": "query Q4 { caseStats(by: [MONTH, TOWNSHIP, STATE]) { month division state count } }",
    }
)
QUESTIONS = tuple(DOCUMENTS)

SIGN: Mapping[str, str] = MappingProxyType(
    {"Q1": '"id"', "Q2": '"id"', "Q3": '"id"', "Q4": '"count"'}
)
"""What every good answer holds: an empty one is an error, not a fast answer."""

APPLICANTS = f"""
SELECT id FROM citizen z
 WHERE region_path >= '{TOWN}' AND region_path < '{int(TOWN) + 1}'
   AND EXISTS (SELECT 1 FROM case_file f WHERE f.applicant_id = z.id
                  AND f.region_path >= '{TOWN}' AND f.region_path < '{int(TOWN) + 1}')
 ORDER BY md5(id) LIMIT {PEOPLE}
"""
"""Citizens of the township who have cases there, in no order that an index has."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as one system is asked it: `bodies` are sent in turn."""

    question: str
    url: str
    bodies: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)


def bodies(question: str, document: str, ids: Sequence[str]) -> tuple[str, ...]:
    """The JSON bodies of a question: one per citizen for Q1, one for the others."""
    if question != "Q1":
        return (json.dumps({"query": document}),)
    return tuple(json.dumps({"query": document, "variables": {"id": one}}) for one in ids)
