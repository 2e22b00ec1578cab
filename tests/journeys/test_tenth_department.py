"""A department nobody has heard of, 县残联, connected by one TOML file and one address.

Its interface has a style of its own, its file brings the department and a code table along. No
Python of ours knows it: facet, descriptions, rights, masks, records and the catalogue's entry
come from the file.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from graphql import GraphQLEnumType, GraphQLObjectType, build_schema

from catalog.errors import CatalogError
from catalog.load import load
from hub.found import found
from schema.build import build, sdl
from store.accounts import NewPost, NewPrincipal, seed_accounts
from store.engine import open_engine
from tests.servers import Asked, http, serving

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

NAME = "cl_zheng"
VILLAGE, TOWN, OTHER, OFFICE = "zhelai-village-01", "zhelai-town-01", "bange-town-01", "office-01"
OWN, CIVIL = "dpf-dept-01", "mca-dept-01"
OWN_TYPES = ("DisabilityCertificate", "DisabilityKind")
FILE = """
[department]
code = "dpf"
enum = "DISABLED_PERSONS_FEDERATION"
title = "砚山县残疾人联合会"
short = "残联"
phone = "1200532011"

[[code_table]]
name = "DisabilityKind"
title = "残疾类别"
values = { VISION = "视力残疾", LIMB = "肢体残疾" }

[source]
name = "cl_zheng"
title = "残疾人证系统"
department = "dpf"
kind = "rest"
code_scheme = "NBS_STAT"
[source.rest]
path = "/open/$table/query"
headers = { X-Caller = "yanshan" }
success = { field = "meta.state", value = "ok" }
rows = "data"
batch = 40
page_size = 2
credential = { kind = "header", header = "Authorization", prefix = "Bearer " }
body = { cards = "$keys", window = { from = "$offset", count = "$size" } }

[[dataset]]
name = "disability_certificate"
type = "DisabilityCertificate"
title = "残疾人证"
description = "残疾人证的类别、等级与有效期"
object = "Citizen.civil_affairs"
legal_basis = "MEASURES_ART_11"
update_cycle = "MONTHLY"
table = "cert"
person_name = "holder"
order = ["-valid_to"]
sharing = { kind = "CONDITIONAL", condition = "按岗位、辖区与用途", basis = "MEASURES_ART_11" }
key = { kind = "identity", columns = ["card"], formats = ["id18", "disability20"] }
region = { kind = "citizen" }
facet = { container = "disability", field = "certificates", many = true }
[[dataset.field]]
name = "kind"
column = "category"
title = "残疾类别"
type = "code"
code = "DisabilityKind"
values = { "1" = "VISION", "4" = "LIMB" }
sensitivity = "L4_SENSITIVE"
mask = "HIDE"
[[dataset.field]]
name = "validUntil"
column = "valid_to"
title = "有效期至"
type = "date"
decode = "yyyymmdd"
sensitivity = "L4_SENSITIVE"
mask = "HIDE"
[[dataset.field]]
name = "contactPhone"
column = "tel"
title = "联系电话"
type = "string"
sensitivity = "L3_PERSONAL"
mask = "TAIL4"
"""
QUERY = """query Tenth($id: ID!) { citizen(by: {id: $id}) {
  disability { certificates {
    kind validUntil contactPhone provenance { source matchGrade quality } } }
  access { field state source } } }"""
CATALOGUE = """{ datasets(provider: "dpf") {
    name title sharingKind fields { name title sensitivity mask } }
  department(code: "dpf") { name phone } }"""


@dataclass(slots=True)
class Federation:
    """The federation's own server: a style of its own, two certificates a page at most."""

    id18: str
    asked: list[list[str]] = field(default_factory=list)

    async def __call__(self, asked: Asked) -> bytes:
        assert asked.line == "POST /open/cert/query HTTP/1.1"
        assert asked.headers["authorization"] == "Bearer geheim"
        assert asked.headers["x-caller"] == "yanshan"
        body = json.loads(asked.body)
        self.asked.append(body["cards"])
        have = [
            {"card": f"{self.id18}43", "holder": "陆云山", "category": "4", "valid_to": "20301231"},
            {"card": self.id18, "holder": "陆 云山", "category": "9", "valid_to": "20201231"},
            {"card": self.id18, "holder": "陆云山", "category": "1", "valid_to": "20101231"},
        ]
        mine = [row | {"tel": "12000001234"} for row in have if row["card"] in body["cards"]]
        start, count = body["window"]["from"], body["window"]["count"]
        told = {"meta": {"state": "ok"}, "data": mine[start : start + count]}
        return http(200, json.dumps(told, ensure_ascii=False).encode())


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """The folder of `catalog.extra_dir` with the one file."""
    folder = tmp_path / "departments"
    folder.mkdir()
    (folder / f"{NAME}.toml").write_text(FILE, encoding="utf-8")
    return folder


@pytest.fixture
async def joined(
    site_copy: Site, open_desk: OpenDesk, words: Path
) -> AsyncIterator[tuple[Desk, Federation]]:
    """The hub with the tenth department, as after ``hub db upgrade``, and an account of it."""
    await found(site_copy.store_url, catalog=load(words), demo=True, accounts=[])
    engine = open_engine(site_copy.store_url, pool_size=1)
    async with engine.begin() as connection:
        post = NewPost("dpf", "dept", "532622")
        await seed_accounts(connection, [NewPrincipal(OWN, "official", "黄某辛", "dpf", (post,))])
    await engine.dispose()
    federation = Federation(site_copy.shown("zhelai").id18)
    async with contextlib.AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(federation))
        given = {
            f"sources.{NAME}": served.address,
            f"source_keys.{NAME}": "geheim",
            "catalog.extra_dir": words,
            "source.deadline_s": 20,
            "deadline_s": 60,
        }
        yield await stack.enter_async_context(open_desk(site_copy, **given)), federation


def test_the_facet_stands_in_the_schema_with_its_descriptions(words: Path) -> None:
    printed = build_schema(sdl(build(load(words)))).type_map
    citizen, facet, rows, kinds = (
        printed[name] for name in ("Citizen", "DisabilityFacet", *OWN_TYPES)
    )
    assert isinstance(citizen, GraphQLObjectType)
    assert isinstance(facet, GraphQLObjectType)
    assert isinstance(rows, GraphQLObjectType)
    assert isinstance(kinds, GraphQLEnumType)
    assert str(citizen.fields["disability"].type) == "DisabilityFacet!"
    assert "残联数据。由砚山县残疾人联合会提供" in str(facet.description)
    assert str(facet.fields["certificates"].type) == "[DisabilityCertificate!]"
    assert {name: str(one.type) for name, one in rows.fields.items()} == {
        "kind": "DisabilityKind",
        "validUntil": "Date",
        "contactPhone": "String",
        "provenance": "Provenance!",
        "access": "[FieldAccess!]!",
    }
    assert kinds.values.keys() == {"VISION", "LIMB"}
    assert "残疾类别" in str(rows.fields["kind"].description)


async def _asked(desk: Desk, account: str, purpose: str) -> tuple[dict[str, Any], dict[str, Any]]:
    person = desk.site.shown("zhelai")
    case_no = person.case_no if purpose == "aid.review" and account == TOWN else None
    variables = {"id": person.citizen}
    answer = await desk.ask(account, QUERY, variables, purpose=purpose, case_no=case_no)
    assert "errors" not in answer.json(), answer.text
    return answer.json()["data"]["citizen"], await desk.record(answer)


async def test_who_may_unmask_reads_it_clear_and_the_record_says_so(
    joined: tuple[Desk, Federation],
) -> None:
    desk, federation = joined
    citizen, record = await _asked(desk, TOWN, "aid.review")
    of = {"source": NAME}
    assert citizen["disability"]["certificates"] == [
        {
            "kind": "LIMB",
            "validUntil": "2030-12-31",
            "contactPhone": "12000001234",
            "provenance": of | {"matchGrade": "M1", "quality": []},
        },
        {
            "kind": None,
            "validUntil": "2020-12-31",
            "contactPhone": "12000001234",
            "provenance": of | {"matchGrade": "M2", "quality": ["DQ06", "DQ10"]},
        },
        {
            "kind": "VISION",
            "validUntil": "2010-12-31",
            "contactPhone": "12000001234",
            "provenance": of | {"matchGrade": "M1", "quality": []},
        },
    ]
    # One person in both forms of his number (29 texts), two pages.
    assert [len(cards) for cards in federation.asked] == [29, 29]
    (read,) = [r for r in record["reads"] if r["d"] == "disability_certificate"]
    assert (read["src"], read["how"], read["n"], read["s"]) == (NAME, "row", 3, 1)
    assert read["clear"] == {
        f"DisabilityCertificate.{name}": 3 for name in ("kind", "validUntil", "contactPhone")
    }
    assert len(record["subjects"]) == 1
    assert federation.id18 not in json.dumps(record)


async def test_who_may_only_read_gets_it_masked(joined: tuple[Desk, Federation]) -> None:
    desk, _ = joined
    citizen, record = await _asked(desk, VILLAGE, "aid.file")
    for one in citizen["disability"]["certificates"]:
        assert (one["kind"], one["validUntil"]) == (None, None)
        assert one["contactPhone"].endswith("1234")
        assert one["contactPhone"].startswith("*")
    (read,) = [r for r in record["reads"] if r["d"] == "disability_certificate"]
    assert "clear" not in read
    assert read["masked"]["DisabilityCertificate.contactPhone"] == 3


@pytest.mark.parametrize(("account", "purpose"), [(OFFICE, "supervise"), (CIVIL, "aid.review")])
async def test_who_may_not_is_told_so_and_the_department_is_not_asked(
    joined: tuple[Desk, Federation], account: str, purpose: str
) -> None:
    desk, federation = joined
    citizen, record = await _asked(desk, account, purpose)
    assert citizen["disability"]["certificates"] in (None, [])
    assert {"field": "disability.certificates", "state": "DENIED", "source": NAME} in (
        citizen["access"]
    )
    assert federation.asked == []
    (read,) = [r for r in record["reads"] if r["d"] == "disability_certificate"]
    assert read["n"] == 0


async def test_the_department_reads_its_own(joined: tuple[Desk, Federation]) -> None:
    desk, federation = joined
    citizen, _ = await _asked(desk, OWN, "aid.review")
    assert len(citizen["disability"]["certificates"]) == 3
    assert len(federation.asked) == 2


async def test_another_townships_clerk_learns_nothing_and_nobody_is_asked(
    joined: tuple[Desk, Federation],
) -> None:
    desk, federation = joined
    citizen, _ = await _asked(desk, OTHER, "aid.review")
    assert citizen is None
    assert federation.asked == []


async def test_it_has_its_entry_in_the_catalogue(joined: tuple[Desk, Federation]) -> None:
    desk, _ = joined
    answer = (await desk.ask(VILLAGE, CATALOGUE)).json()
    assert "errors" not in answer, answer
    assert answer["data"]["department"] == {"name": "砚山县残疾人联合会", "phone": "1200532011"}
    (entry,) = answer["data"]["datasets"]
    assert (entry["name"], entry["title"], entry["sharingKind"]) == (
        "disability_certificate",
        "残疾人证",
        "CONDITIONAL",
    )
    assert {e["name"]: e for e in entry["fields"]}["contactPhone"] == {
        "name": "contactPhone",
        "title": "联系电话",
        "sensitivity": "L3_PERSONAL",
        "mask": "TAIL4",
    }


@pytest.mark.parametrize(
    ("before", "after", "remedy"),
    [
        ('code = "dpf"\n', 'code = "mca"\n', "department.code: `mca` is a department already"),
        ('name = "DisabilityKind"', 'name = "HouseGrade"', "code_table[HouseGrade]: is a code"),
        ('object = "Citizen.civil_affairs"', 'object = "Citizen.disability"', "no authorisation"),
    ],
)
def test_what_the_file_cannot_bring_along_is_refused(
    words: Path, before: str, after: str, remedy: str
) -> None:
    assert before in FILE
    (words / f"{NAME}.toml").write_text(FILE.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load.__wrapped__(words)
    assert remedy in str(caught.value)
