"""A real subgraph, asked by entities and by a query, and servers with faults of their own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Call, ReadRequest, Rows
from adapters.identity import with_check_digit
from adapters.resilience import Breaker, Guard
from adapters.sample import Sample, Sampled
from adapters.web.credential import signer
from adapters.web.graphql import GraphqlSource
from adapters.web.http import Door
from catalog.datasets import Dataset, FieldType, Key, SourceSpec
from catalog.errors import SourceUnavailable
from catalog.grades import Mask
from catalog.interface import Credential, Login, TokenDesk
from catalog.load import load
from catalog.subgraph import KEYS_TYPE, Ask
from hub.demo.department import departments
from tests.servers import Asked, Served, http, serving
from tests.subgraph import KEY, Subgraph, subgraph

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

NOWHERE = "http://127.0.0.1:9"
DATASET = "chronic_record"
QUERY: dict[str, Any] = {
    "by": Ask.QUERY,
    "field": "residents",
    "argument": "idCards",
    "argument_type": KEYS_TYPE,
}
PATIENT_S = 60.0  # a loaded machine is no fault of the source


def an_id(serial: int) -> str:
    return with_check_digit(f"539922198001{serial // 999 + 1:02d}{serial % 999:03d}")


ILL = an_id(1)
ENDS_IN_X = next(i for i in map(an_id, range(2, 900)) if i.endswith("X"))
WELL = an_id(902)
NOBODY = an_id(903)
TABLES: Mapping[str, tuple[str, list[tuple[str | None, ...]]]] = {
    "resident": (
        "ehrNo idCard name",
        [("1", ILL, "张某"), ("2", ENDS_IN_X, "李 某"), ("3", WELL, "王某")],
    ),
    "chronic_record": (
        "ehrNo idCard name disease icd10 managedSince lastFollowUp grade",
        [
            ("1", ILL, "张某", "糖尿病", "E11", "2024-05-01", "2026-09-01", "2"),
            ("1", ILL, "张某", "高血压", "I10", "2023-01-01", "2026-10-01", "1"),
            ("1", ILL, "张某", "肺结核", "A15", None, "2026-10-01", "9"),
            ("2", ENDS_IN_X, "李 某", "高血压", "I10", "2020-01-01", None, "3"),
        ],
    ),
    "serious_illness": ("recordNo idCard name disease admitted hospital cured", []),
    "appointment": ("recordNo idCard name hospital clinic visitDate state", []),
    "medication": ("recordNo idCard name drug days dispensed delivery", []),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("wj") / "wj_resident.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        for table, (columns, rows) in TABLES.items():
            names = columns.split()
            connection.execute(f"CREATE TABLE {table} ({', '.join(names)})")
            marks = ",".join("?" * len(names))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    return file


@pytest.fixture
def health(database: Path) -> Iterator[Subgraph]:
    with subgraph(database) as running:
        yield running


def described(**over: Any) -> SourceSpec:
    """The health department with other words for how it is asked."""
    spec = load().sources["wj_resident"]
    assert spec.graphql is not None
    return replace(spec, graphql=replace(spec.graphql, **over))


def spelt(dataset: Dataset, *formats: str) -> Dataset:
    """The data set with these key formats."""
    key = dataset.key
    return replace(dataset, key=Key(key.kind, key.columns, formats, key.scheme))


def stars(mask: Mask, value: Any, kind: FieldType) -> Any:
    return f"{mask}:{kind}:{value}"


@asynccontextmanager
async def source(
    address: str,
    *,
    guard: Guard | None = None,
    key: str | None = KEY,
    **over: Any,
) -> AsyncIterator[GraphqlSource]:
    spec = described(**over)
    assert spec.graphql is not None
    door = Door(address)
    opened = GraphqlSource(
        spec,
        door,
        signer(spec.graphql.credential, key, door),
        guard=guard or Guard("wj_resident", deadline_s=PATIENT_S),
        divisions=load().divisions,
        mask=stars,
    )
    try:
        yield opened
    finally:
        await opened.close()


def request(*columns: str, dataset: Dataset | None = None, **more: Any) -> ReadRequest:
    wanted = dataset or load().datasets[DATASET]
    return ReadRequest(wanted, columns, **({"key": "identity"} | more))


async def asked(
    address: str,
    columns: tuple[str, ...],
    keys: list[str],
    *,
    dataset: Dataset | None = None,
    masks: dict[str, Mask] | None = None,
    names: dict[str, str] | None = None,
    limit: int | None = None,
    **over: Any,
) -> Rows:
    async with source(address, **over) as opened:
        prepared = opened.prepare(request(*columns, dataset=dataset, masks=masks))
        return await opened.read(prepared, Call(keys, {}, names, limit))


BOTH = pytest.mark.parametrize("over", [{}, QUERY], ids=["entities", "query"])
COLUMNS = ("disease", "managedSince", "grade")


@BOTH
async def test_rows_come_decoded_and_in_order_whichever_way_they_are_asked(
    health: Subgraph, over: dict[str, Any]
) -> None:
    names = {ILL: "张某", ENDS_IN_X: "李某"}
    rows = await asked(health.address, COLUMNS, [ENDS_IN_X, WELL, ILL], names=names, **over)
    assert list(rows.rows) == [
        (ENDS_IN_X, "M2", "DQ06", "高血压", "2020-01-01", "GRADE_3"),
        (ILL, "M1", "", "高血压", "2023-01-01", "GRADE_1"),
        (ILL, "M1", "", "糖尿病", "2024-05-01", "GRADE_2"),
        (ILL, "M1", "DQ10", "肺结核", None, None),
    ]
    assert rows.as_of is not None
    assert rows.withheld == frozenset()
    assert len(health.asked) == 1


@BOTH
async def test_nobody_and_a_person_without_records_have_no_row(
    health: Subgraph, over: dict[str, Any]
) -> None:
    rows = await asked(health.address, COLUMNS, [WELL, NOBODY], **over)
    assert (list(rows.rows), rows.withheld) == ([], frozenset())


@BOTH
async def test_rows_are_cut_per_person(health: Subgraph, over: dict[str, Any]) -> None:
    rows = await asked(health.address, ("icd10",), [ILL, ENDS_IN_X], limit=1, **over)
    assert [row[3] for row in rows.rows] == ["I10", "I10"]


@BOTH
async def test_numbers_travel_as_variables_and_hidden_columns_not_at_all(
    health: Subgraph, over: dict[str, Any]
) -> None:
    masks = {"disease": Mask.HIDE, "lastFollowUp": Mask.HIDE, "grade": Mask.SURNAME}
    columns = ("disease", "lastFollowUp", "grade")
    rows = await asked(health.address, columns, [ENDS_IN_X], masks=masks, **over)
    assert list(rows.rows) == [(ENDS_IN_X, None, "", None, None, "SURNAME:code:GRADE_3")]
    (document,) = health.documents
    # The two behind are not shown: they sort the rows.
    assert "{ idCard name chronicRecords { grade managedSince icd10 } }" in document
    assert "539922" not in document
    assert health.numbers == [[ENDS_IN_X]]


@BOTH
async def test_a_hundred_and_fifty_persons_are_two_calls_of_one_document(
    health: Subgraph, over: dict[str, Any]
) -> None:
    keys = [*dict.fromkeys(an_id(n) for n in range(2_000, 2_149)), ILL]
    async with source(health.address, **over) as opened:
        prepared = opened.prepare(request("icd10"))
        rows = await opened.read(prepared, Call(keys, {}))
        assert opened.calls == len(health.asked) == 2
    assert sorted(health.sizes) == [50, 100]
    assert len(set(health.documents)) == 1
    assert [row[3] for row in rows.rows] == ["I10", "E11", "A15"]


async def test_no_persons_are_no_call(health: Subgraph) -> None:
    rows = await asked(health.address, COLUMNS, [])
    assert (list(rows.rows), health.asked) == ([], [])


async def test_purpose_and_key_are_shown_at_the_door(health: Subgraph) -> None:
    await asked(health.address, COLUMNS, [ILL])
    ((headers, _),) = health.asked
    assert (headers["x-purpose"], headers["authorization"]) == ("aid.review", "Bearer demo")


@BOTH
async def test_masked_numbers_withhold_the_rows_of_those_they_may_be(
    health: Subgraph, over: dict[str, Any]
) -> None:
    keys = [ILL, WELL, NOBODY, an_id(3_000)]
    rows = await asked(health.address, COLUMNS, keys, headers={}, **over)
    assert list(rows.rows) == []
    assert set(rows.withheld) == {ILL, WELL}


async def test_a_spelling_is_asked_for_each_and_counted_once(health: Subgraph) -> None:
    dataset = spelt(load().datasets[DATASET], "id18", "lower_x", "padded")
    rows = await asked(health.address, COLUMNS, [ENDS_IN_X], dataset=dataset)
    assert len(rows.rows) == 1
    assert health.sizes == [8]


async def test_the_entity_itself_can_be_the_row(health: Subgraph) -> None:
    dataset = load().datasets[DATASET]
    fields = (replace(dataset.fields[0], name="ehrNo", column="ehrNo"),)
    whole = replace(dataset, table="resident", fields=fields, order=())
    rows = await asked(
        health.address, ("ehrNo",), [ILL, WELL], dataset=whole, fields={"resident": ()}
    )
    assert [(row[0], row[3]) for row in rows.rows] == [(ILL, "1"), (WELL, "3")]
    assert "{ idCard name ehrNo }" in health.documents[0]


@BOTH
async def test_the_departments_own_program_is_asked_the_same_way(
    database: Path, over: dict[str, Any]
) -> None:
    with departments({"wj_resident": database}) as addresses:
        address = addresses["wj_resident"]
        rows = await asked(address, ("icd10",), [ILL, WELL, NOBODY], **over)
        assert [row[3] for row in rows.rows] == ["I10", "E11", "A15"]
        masked = await asked(address, ("icd10",), [ILL, WELL, NOBODY], headers={}, **over)
        assert (list(masked.rows), set(masked.withheld)) == ([], {ILL, WELL})
        many = [an_id(number) for number in range(2_000, 2_150)]
        for reason, more in (("DOWN", {"key": "wrong"}), ("SCHEMA", {"batch": 150})):
            with pytest.raises(SourceUnavailable) as caught:
                await asked(address, ("icd10",), many, **over, **more)
            assert caught.value.reason == reason


async def test_ping_shows_that_it_answers_and_lets_us_in(health: Subgraph) -> None:
    async with source(health.address) as opened:
        await opened.ping()
    async with source(health.address, key="wrong") as opened:
        with pytest.raises(SourceUnavailable):
            await opened.ping()
    assert health.numbers == [["0" * 18]] * 2


async def sampled(address: str, dataset: Dataset, **over: Any) -> Sample:
    async def register(_limit: int) -> list[str]:
        return [ILL, NOBODY]

    async with source(address, **over) as opened:
        assert isinstance(opened, Sampled)
        return await opened.sample(dataset, register)


async def test_a_sample_is_of_persons_of_the_register(health: Subgraph) -> None:
    sample = await sampled(health.address, load().datasets[DATASET])
    assert [row["icd10"] for row in sample.rows] == ["E11", "I10", "A15"]
    assert sample.columns == frozenset(sample.rows[0])
    assert "ehrNo" not in sample.columns
    assert health.numbers == [["0" * 18], [ILL, NOBODY]]


async def test_a_sample_shows_that_the_numbers_are_masked(health: Subgraph) -> None:
    sample = await sampled(health.address, load().datasets[DATASET], headers={})
    assert len(sample.rows) == 3
    assert {row["idCard"] for row in sample.rows} == {f"{ILL[:6]}{'*' * 8}{ILL[-4:]}"}


async def test_a_sample_lacks_the_columns_the_graph_has_not(health: Subgraph) -> None:
    dataset = load().datasets[DATASET]
    other = replace(dataset.fields[0], name="tongue", column="tongue")
    wrong = replace(dataset, fields=(*dataset.fields, other))
    sample = await sampled(health.address, wrong)
    assert sample.columns is not None
    assert {f.column for f in wrong.fields} - sample.columns == {"tongue"}
    assert [row["icd10"] for row in sample.rows] == ["E11", "I10", "A15"]
    # Which one it was, it was asked column by column, about nobody.
    assert health.numbers[:-1] == [["0" * 18]] * (1 + len(sample.columns) + 1)


async def test_a_sample_of_what_is_not_there_at_all_says_so(health: Subgraph) -> None:
    dataset = load().datasets[DATASET]
    sample = await sampled(health.address, dataset, fields={DATASET: ("tongues",)})
    assert (sample.tables, sample.columns, sample.rows) == ((DATASET,), frozenset(), ())


# ---- faults ------------------------------------------------------------------------------------


async def failure(address: str, **over: Any) -> SourceUnavailable:
    with pytest.raises(SourceUnavailable) as caught:
        await asked(address, ("icd10",), [ILL, WELL], **over)
    return caught.value


async def test_a_wrong_key_is_a_source_that_is_down(health: Subgraph) -> None:
    error = await failure(health.address, key="wrong")
    assert (error.reason, error.extra) == ("DOWN", {"source": "wj_resident"})
    assert len(health.asked) == 1


async def test_more_than_it_bears_is_a_catalogue_that_is_wrong(database: Path) -> None:
    with subgraph(database, most=1) as small:
        assert (await failure(small.address)).reason == "SCHEMA"
        assert len(small.asked) == 1
        assert len((await asked(small.address, ("icd10",), [ILL, WELL], batch=1)).rows) == 3


@pytest.mark.parametrize(
    "over",
    [
        {"fields": {"chronic_record": ("tongueDiagnoses",)}},
        {"type": "Citizen"},
        QUERY | {"argument": "numbers"},
        QUERY | {"argument_type": "[ID!]!"},
    ],
    ids=["field", "type", "argument", "argument type"],
)
async def test_a_document_the_subgraph_cannot_read_is_a_catalogue_that_is_wrong(
    health: Subgraph, over: dict[str, Any]
) -> None:
    assert (await failure(health.address, **over)).reason == "SCHEMA"
    assert len(health.asked) == 1


async def test_a_broken_table_of_theirs_is_down_though_the_rest_came(tmp_path: Path) -> None:
    file = tmp_path / "half.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE resident (ehrNo, idCard, name)")
        connection.execute("INSERT INTO resident VALUES ('1', ?, '张某')", (ILL,))
    with subgraph(file) as broken:
        error = await failure(broken.address)
        assert (error.reason, len(broken.asked)) == ("DOWN", 1)
        assert "chronic_record" not in f"{error!r}{error.extensions()!r}"


def entity(number: str | int | None = ILL, *rows: Any, **over: Any) -> dict[str, Any]:
    row = {"icd10": "I10", "managedSince": "2026-01-01"}
    return {"idCard": number, "name": "张某", "chronicRecords": list(rows) or [row], **over}


def said(*entities: Any, **more: Any) -> bytes:
    return http(200, json.dumps({"data": {"_entities": list(entities)}} | more).encode())


def failed(code: Any = None, **more: Any) -> bytes:
    error: dict[str, Any] = {"message": f"身份证号 {ILL} 不正确", **more}
    if code is not None:
        error["extensions"] = {"code": code}
    # A part that came is no answer: what is missing would look like no record.
    return said(entity(), None, errors=[error])


PLACE = [{"line": 1, "column": 2}]
FAULTS: Mapping[str, tuple[bytes, str]] = {
    "complex": (failed("QUERY_TOO_COMPLEX"), "SCHEMA"),
    "invalid": (failed("GRAPHQL_VALIDATION_FAILED"), "SCHEMA"),
    "invalid, no code": (failed(locations=PLACE), "SCHEMA"),
    "a field failed": (failed(locations=PLACE, path=["_entities", 0, "name"]), "DOWN"),
    "unauthenticated": (failed("UNAUTHENTICATED"), "DOWN"),
    "internal": (failed("INTERNAL_SERVER_ERROR"), "DOWN"),
    "no code": (failed(), "DOWN"),
    "a code that is none": (failed(["QUERY_TOO_COMPLEX"]), "DOWN"),
    "errors that are none": (said(entity(), None, errors="no"), "DOWN"),
    "an error that is none": (said(entity(), None, errors=[None]), "DOWN"),
    "html": (http(200, b"<html>login</html>"), "SCHEMA"),
    "a list": (http(200, b"[]"), "SCHEMA"),
    "no data": (http(200, b"{}"), "SCHEMA"),
    "null data": (http(200, b'{"data": null}'), "SCHEMA"),
    "null entities": (http(200, b'{"data": {"_entities": null}}'), "SCHEMA"),
    "one too few": (said(entity()), "SCHEMA"),
    "one too many": (said(entity(), None, None), "SCHEMA"),
    "no object": (said("Resident", None), "SCHEMA"),
    "another type": (said({}, None), "SCHEMA"),
    "no key": (said({"name": "张某", "chronicRecords": []}, None), "SCHEMA"),
    "a key that is none": (said(entity({}), None), "SCHEMA"),  # type: ignore[arg-type]
    "no list": (said({"idCard": ILL, "name": "张某"}, None), "SCHEMA"),
    "rows that are none": (said(entity(ILL, None), None), "SCHEMA"),
    "rows without a column": (said(entity(ILL, {"icd10": "I10"}), None), "SCHEMA"),
    "a scalar for rows": (said(entity(chronicRecords="I10"), None), "SCHEMA"),
    "moved": (http(302, b"", location="http://127.0.0.1/"), "DOWN"),
    "400": (http(400, b""), "DOWN"),
    "429": (http(429, b""), "BUSY"),
}


@pytest.mark.parametrize(("answer", "reason"), FAULTS.values(), ids=FAULTS)
async def test_an_answer_that_is_none_is_no_person_without_records(
    answer: bytes, reason: str
) -> None:
    async def broken(_asked: Asked) -> bytes:
        return answer

    async with serving(broken) as server:
        error = await failure(server.address)
        assert error.reason == reason
        # A department that is busy is asked once more.
        assert len(server.asked) == (2 if reason == "BUSY" else 1)
    assert ILL not in f"{error!r}{error.extensions()!r}"


async def of(server: Served, **over: Any) -> Rows:
    return await asked(server.address, ("icd10",), [ILL, WELL], **over)


@asynccontextmanager
async def answering(*entities: Any, root: str = "_entities") -> AsyncIterator[Served]:
    async def answer(_asked: Asked) -> bytes:
        return http(200, json.dumps({"data": {root: entities}, "errors": []}).encode())

    async with serving(answer) as server:
        yield server


async def test_an_entity_that_is_somebody_else_is_dropped() -> None:
    for other in (NOBODY, WELL, "12", ""):
        async with answering(entity(other), None) as server:
            rows = await of(server)
            assert (list(rows.rows), rows.withheld) == ([], frozenset())
    async with answering(entity(NOBODY), entity(ILL.lower()), root="residents") as server:
        rows = await of(server, **QUERY)
        assert [row[0] for row in rows.rows] == [ILL]


@pytest.mark.parametrize("number", [f"{ILL[:6]}********{ILL[-4:]}", "＊" * 18, "***", None])
async def test_any_masked_number_withholds_the_person_at_its_place(number: str | None) -> None:
    async with answering(entity(number), entity(WELL)) as server:
        rows = await of(server)
        assert [row[0] for row in rows.rows] == [WELL]
        assert rows.withheld == {ILL}


async def test_of_a_query_a_masked_number_is_whoever_it_may_be() -> None:
    async with answering(entity(f"{ILL[:6]}*{ILL[-4:]}"), root="residents") as server:
        assert (await of(server, **QUERY)).withheld == {ILL}
    async with answering(entity(None), entity(WELL), root="residents") as server:
        rows = await of(server, **QUERY)
        assert ([row[0] for row in rows.rows], set(rows.withheld)) == ([WELL], {ILL})


async def test_null_and_single_rows_are_rows_as_well() -> None:
    row = {"icd10": "E11", "managedSince": None}
    async with answering(entity(chronicRecords=None), entity(WELL, chronicRecords=row)) as server:
        assert [(r[0], r[3]) for r in (await of(server)).rows] == [(WELL, "E11")]


async def test_rows_may_lie_deeper() -> None:
    node = {"icd10": "E11", "managedSince": None}
    deep = [entity(chronicRecords={"nodes": [node]}), entity(WELL, chronicRecords=None)]
    async with answering(*deep) as server:
        rows = await of(server, fields={"chronic_record": ("chronicRecords", "nodes")})
        assert [(r[0], r[3]) for r in rows.rows] == [(ILL, "E11")]
        document = json.loads(server.asked[0].body)["query"]
        assert "chronicRecords { nodes { icd10 managedSince } }" in document


async def test_a_token_that_is_refused_is_renewed_once() -> None:
    desk = TokenDesk("/token", {"id": "$id", "secret": "$secret"}, ("token",), ("seconds",))
    credential = Credential(Login.TOKEN, "Authorization", "Bearer ", desk=desk)
    given: list[str] = []

    async def forgetful(asked: Asked) -> bytes:
        if asked.line.startswith("POST /token"):
            given.append(f"t{len(given)}")
            return http(200, json.dumps({"token": given[-1], "seconds": 600}).encode())
        if asked.headers["authorization"] == "Bearer t0":
            return failed("UNAUTHENTICATED")
        return said(entity(), None)

    async with serving(forgetful) as server:
        rows = await of(server, credential=credential, key="hub:secret")
        assert [row[0] for row in rows.rows] == [ILL]
        assert given == ["t0", "t1"]
        assert len(server.asked) == 4


async def test_one_batch_that_fails_fails_the_read() -> None:
    async def half(asked: Asked) -> bytes:
        first = ILL.encode() in asked.body
        return said(entity()) if first else failed("INTERNAL_SERVER_ERROR")

    async with serving(half) as server:
        assert (await failure(server.address, batch=1)).reason == "DOWN"


async def test_the_breaker_spares_a_subgraph_that_keeps_failing() -> None:
    async def broken(_asked: Asked) -> bytes:
        return failed()

    guard = Guard("wj_resident", deadline_s=PATIENT_S, breaker=Breaker(threshold=2))
    async with serving(broken) as server:
        reasons = [(await failure(server.address, guard=guard)).reason for _ in range(3)]
        assert reasons == ["DOWN", "DOWN", "BREAKER_OPEN"]
        assert len(server.asked) == 2


async def test_nobody_listening_is_down() -> None:
    error = await failure(NOWHERE)
    assert error.reason == "DOWN"
    assert ILL not in f"{error!r}{error.extensions()!r}"


# ---- what is refused before anybody is asked ----------------------------------------------------


@pytest.mark.parametrize(
    "more", [{"key": None}, {"key": "icd10"}, {"count": True}, {"codes": True}]
)
async def test_anything_but_a_read_by_id_number_is_refused(more: dict[str, Any]) -> None:
    async with source(NOWHERE) as opened:
        with pytest.raises(ValueError, match=r"^wj_resident\.chronic_record: "):
            opened.prepare(request("icd10", **more))


async def test_a_source_without_words_is_refused() -> None:
    door = Door(NOWHERE)
    with pytest.raises(ValueError, match="does not say how it is asked in GraphQL"):
        GraphqlSource(
            load().sources["yb_settle"],
            door,
            signer(Credential(), None, door),
            guard=Guard("yb_settle"),
            divisions=load().divisions,
            mask=stars,
        )
    await door.close()


async def test_a_prepared_read_describes_itself_without_values() -> None:
    async with source(NOWHERE) as opened:
        masks = {"grade": Mask.HIDE}
        prepared = opened.prepare(request("icd10", "grade", masks=masks))
        assert prepared.columns == ("__key", "__grade", "__dq", "icd10", "grade")
        assert prepared.describe() == (
            "POST /graphql ≤100 query($representations: [_Any!]!)"
            " { _entities(representations: $representations)"
            " { ... on Resident { idCard name chronicRecords { icd10 managedSince } } } }"
            " (脱敏 grade:HIDE)"
        )
        asking = opened.prepare(request())
        assert "chronicRecords { managedSince icd10 }" in asking.describe()
    async with source(NOWHERE, **(QUERY | {"argument_type": "[ID!]!"})) as opened:
        assert (
            opened.prepare(request("icd10"))
            .describe()
            .startswith(
                "POST /graphql ≤100 query($keys: [ID!]!) { residents(idCards: $keys) { idCard name "
            )
        )
