"""Format ysa1: the exact bytes, what is refused, how many records one answer makes."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.record import (
    BadRecord,
    Draft,
    Kind,
    Op,
    Outcome,
    ReadEntry,
    Stamp,
    canonical,
    entry,
    parts,
    stamp,
)
from catalog.load import load

ID = "01900000-0000-7000-8000-000000000001"
AT = Stamp(7, 1_700_000_000_000_000, "node/boot", 3)
ID_NUMBER = "539922199001011239"  # invented: no such division exists
CODES = st.text("abcXYZ019._:/-中文", min_size=1, max_size=20)


def test_the_bytes_of_a_record() -> None:
    draft = Draft(
        Kind.READ,
        Outcome.PARTIAL,
        code="SOURCE_UNAVAILABLE",
        actor="zhelai-town-01",
        op=Op("CitizenById", "ab" * 32, "query", {"id": "ID!", "first": 10}),
        reads=(ReadEntry("citizen", "hub", "row", 2, 1, {"Citizen.name": 2}, as_of=5),),
        subjects=bytes(16),
        areas=("532622205",),
        break_glass=True,
    )
    assert stamp(entry(draft, ID), AT).text == (
        '{"actor":"zhelai-town-01","area":"532622","areas":["532622205"],"break_glass":true,'
        '"code":"SOURCE_UNAVAILABLE",'
        '"id":"01900000-0000-7000-8000-000000000001","idx":7,"key_ver":1,"kind":"READ",'
        f'"op":{{"hash":"{"ab" * 32}","name":"CitizenById","type":"query",'
        '"vars":{"first":10,"id":"ID!"}},"outcome":"PARTIAL",'
        '"reads":[{"as_of":5,"clear":{"Citizen.name":2},"d":"citizen","how":"row","n":2,"s":1,'
        f'"src":"hub"}}],"rows":2,"subjects":["{"00" * 16}"],"ts":1700000000000000,"v":1,'
        '"writer":"node/boot","wseq":3}'
    )


COUNTS = st.dictionaries(st.text("abcXYZ019._", min_size=1, max_size=9), st.integers(0, 2**53 - 1))
WORDS = st.lists(CODES, max_size=3).map(tuple)
TOKENS = st.sets(st.binary(min_size=16, max_size=16), max_size=40).map(b"".join)
READS = st.builds(
    ReadEntry,
    dataset=CODES,
    source=CODES,
    how=CODES,
    rows=st.integers(-(2**53) + 1, 2**53 - 1),
    subjects=st.integers(0, 500),
    clear=COUNTS,
    masked=COUNTS,
    states=COUNTS,
    hidden=st.dictionaries(st.text("abc.", min_size=1, max_size=9), CODES),
    by=WORDS,
    rules=WORDS,
    lens=CODES,
    as_of=st.none() | st.integers(0, 2**53 - 1),
    total=st.none() | st.integers(0, 2**53 - 1),
)
VARS = st.dictionaries(
    st.text("abc.", min_size=1, max_size=9), CODES | st.booleans() | st.integers(-9, 2**53 - 1)
)


@given(
    st.builds(
        Draft,
        kind=st.sampled_from(Kind),
        actor=CODES,
        role=CODES,
        trace=CODES,
        ref=CODES,
        op=st.none() | st.builds(Op, name=CODES, hash=CODES, type=CODES, vars=VARS),
        areas=WORDS,
        linkage=WORDS,
        reads=st.lists(READS, max_size=1).map(tuple),
        subjects=TOKENS,
        sought=TOKENS,
        break_glass=st.booleans(),
        parts=st.integers(1, 3),
    )
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_the_writer_s_text_is_the_canonical_one(draft: Draft) -> None:
    """Two encoders: orjson for the writer, the standard library for the definition."""
    record = stamp(entry(draft, ID), AT)
    assert record.text == canonical(record.body) == canonical(json.loads(record.text))
    again = stamp(entry(draft, ID), AT)  # its words are known by now
    assert again == record


def test_the_smallest_record_says_nothing_that_is_absent() -> None:
    record = stamp(entry(Draft(Kind.HUB_START), ID), AT)
    assert sorted(record.body) == [
        "area",
        "id",
        "idx",
        "kind",
        "outcome",
        "ts",
        "v",
        "writer",
        "wseq",
    ]


def test_kinds_and_outcomes_are_the_catalogue_s() -> None:
    codes = load().codes
    assert {k.value for k in Kind} == set(codes["AuditKind"])
    assert {o.value for o in Outcome} == set(codes["AuditOutcome"])


TEXT_FIELDS = sorted(f.name for f in fields(Draft) if f.type == "str" and f.name != "area")


def test_all_text_fields_are_tried() -> None:
    assert len(TEXT_FIELDS) == 17


@pytest.mark.parametrize("name", TEXT_FIELDS)
@pytest.mark.parametrize("shape", ["{}", "no{}", "{}01", "case:{}/x"])
def test_an_id_number_is_refused_in_every_text(name: str, shape: str) -> None:
    change: dict[str, Any] = {name: shape.format(ID_NUMBER)}
    with pytest.raises(BadRecord, match=name) as refused:
        entry(replace(Draft(Kind.READ), **change), ID)
    assert ID_NUMBER not in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"op": Op(name=ID_NUMBER)},
        {"op": Op(vars={"id": ID_NUMBER})},
        {"op": Op(vars={f"x{ID_NUMBER}": "ID!"})},
        {"linkage": (ID_NUMBER,)},
        {"areas": (ID_NUMBER,)},
        {"reads": (ReadEntry(ID_NUMBER, "s", "row", 1, 1),)},
        {"reads": (ReadEntry("d", "s", "row", 1, 1, by=("a", ID_NUMBER)),)},
        {"reads": (ReadEntry("d", "s", "row", 1, 1, hidden={"Citizen.name": ID_NUMBER}),)},
        {"actor": ID_NUMBER[:17] + "X"},
        {"actor": ID_NUMBER[:17] + "x"},
        {"actor": ID_NUMBER.translate({ord("0") + n: ord("０") + n for n in range(10)})},
        {"subjects": ID_NUMBER.encode()},
        {"sought": ID_NUMBER.encode()},
        {"area": ID_NUMBER},
    ],
)
def test_an_id_number_is_refused_wherever_it_stands(change: dict[str, Any]) -> None:
    with pytest.raises(BadRecord):
        entry(replace(Draft(Kind.READ), **change), ID)


KNOWN = ReadEntry(
    "citizen",
    "hub",
    "row",
    1,
    1,
    clear={"Citizen.name": 1},
    hidden={"Citizen.idNumber": "NO_RULE"},
    by=("Citizen.id18", "低保"),
    rules=("r1",),
    lens="0123456789abcdef",
    states={"LIVE": 1},
)
KNOWN_OP = Op("CitizenById", "ab" * 32, "query", {"id": "ID!"})


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": ""},
        {"source": "two words"},
        {"how": "e\u0301"},
        {"rows": None, "total": 1},
        {"subjects": None},
        {"subjects": 0.5},
        {"as_of": 0.5},
        {"as_of": ""},
        {"as_of": 2**53},
        {"total": -(2**53)},
        {"clear": {"Citizen.name": 2**53}},
        {"clear": {"Citizen.name": 2**70}},
        {"clear": {"Citizen.name": None}},
        {"clear": {"低保": 1}},
        {"clear": {"": 1}},
        {"masked": {ID_NUMBER: 1}},
        {"states": {"LIVE": 1.0}},
        {"hidden": {"Citizen.idNumber": ""}},
        {"hidden": {"Citizen.idNumber": None}},
        {"hidden": {5: "NO_RULE"}},
        {"by": ("Citizen.id18", "")},
        {"by": (None,)},
        {"rules": ("r1", ID_NUMBER)},
        {"lens": "x" * 129},
    ],
)
def test_a_read_is_refused_among_words_that_have_passed_before(change: dict[str, Any]) -> None:
    for _ in range(2):
        assert entry(Draft(Kind.READ, reads=(KNOWN,)), ID).body["rows"] == 1
        with pytest.raises((BadRecord, TypeError)):
            entry(Draft(Kind.READ, reads=(KNOWN, replace(KNOWN, **change))), ID)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ID_NUMBER},
        {"name": "two words"},
        {"hash": ID_NUMBER},
        {"hash": "two words"},
        {"type": "e\u0301"},
        {"vars": {"id": ""}},
        {"vars": {"": "ID!"}},
        {"vars": {"id": None}},
        {"vars": {"id": 0.5}},
        {"vars": {"id": 2**53}},
        {"vars": {"id": ID_NUMBER}},
        {"vars": {"名": "ID!"}},
        {"vars": {"id": ["ID!", ID_NUMBER]}},
    ],
)
def test_an_operation_is_refused_among_words_that_have_passed_before(
    change: dict[str, Any],
) -> None:
    for _ in range(2):
        assert entry(Draft(Kind.READ, op=KNOWN_OP), ID).body["op"]["name"] == "CitizenById"
        with pytest.raises(BadRecord):
            entry(Draft(Kind.READ, op=replace(KNOWN_OP, **change)), ID)


@pytest.mark.parametrize("name", ["org", "role", "post_area", "purpose", "basis", "policy"])
def test_a_post_is_refused_among_words_that_have_passed_before(name: str) -> None:
    for _ in range(2):
        entry(Draft(Kind.READ, role="town", reads=(KNOWN,)), ID)
        change: dict[str, Any] = {name: ID_NUMBER}
        with pytest.raises(BadRecord, match=name):
            entry(replace(Draft(Kind.READ, reads=(KNOWN,)), **change), ID)


@pytest.mark.parametrize("digest", ["1" * 32, "ab" + "1" * 38, "1" * 64, "sha256:" + "2" * 64])
def test_a_digest_may_be_all_digits(digest: str) -> None:
    assert entry(Draft(Kind.READ, session=digest), ID).body["session"] == digest


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({"note": "a sentence, not a digest"}, "note is no code"),
        ({"case": "x" * 129}, "case is no code"),
        ({"actor": "e\u0301"}, "actor is no code"),
        ({"actor": "\u212b"}, "NFC"),  # the sign Ångström, whose NFC is the letter
        ({"actor": "\ud800"}, "actor is no code"),
        ({"actor": 5}, "must be text"),
        ({"area": "532500"}, "region path"),
        ({"area": ""}, "region path"),
        ({"key_ver": 0}, "key_ver"),
        ({"subjects": b"ab" * 16}, "each token once"),
        ({"sought": b"ab" * 16}, "each token once"),
        ({"subjects": bytes(15)}, "16 bytes"),
        ({"op": Op(vars={"rate": 0.5})}, "op holds a value"),  # type: ignore[dict-item]
        ({"op": Op(vars={"rate": None})}, "op holds a value"),  # type: ignore[dict-item]
        ({"op": Op(vars={"n": 2**53})}, "beyond"),
        ({"op": Op(vars={"名": 1})}, "not ASCII"),
        ({"reads": (ReadEntry("d", "s", "row", 1, 1, as_of=2**53),)}, "beyond"),
    ],
)
def test_what_the_format_cannot_say_is_refused(change: dict[str, Any], about: str) -> None:
    with pytest.raises(BadRecord, match=about):
        entry(replace(Draft(Kind.READ), **change), ID)


def test_a_record_is_at_most_64_kib() -> None:
    rule = "r" * 128

    def draft(rules: int) -> Draft:
        return Draft(Kind.READ, reads=(ReadEntry("d", "s", "row", 1, 1, rules=(rule,) * rules),))

    assert 65_000 < len(stamp(entry(draft(497), ID), AT).text.encode()) <= 65_536
    with pytest.raises(BadRecord, match="64 KiB"):
        entry(draft(501), ID)


@pytest.mark.parametrize(
    ("seen", "sought", "sizes"),
    [
        (0, 0, [(0, 0)]),
        (500, 500, [(500, 500)]),
        (501, 0, [(500, 0), (1, 0)]),
        (2, 1001, [(2, 500), (0, 500), (0, 1)]),
    ],
)
def test_more_than_500_subjects_make_several_records(
    seen: int, sought: int, sizes: list[tuple[int, int]]
) -> None:
    names = b"".join(n.to_bytes(16) for n in range(2000))
    read = ReadEntry("citizen", "hub", "list", seen, seen)
    draft = Draft(
        Kind.READ, reads=(read,), subjects=names[: seen * 16], sought=names[: sought * 16]
    )
    made = list(parts(draft))
    assert [(len(p.subjects) // 16, len(p.sought) // 16) for p in made] == sizes
    assert [(p.part, p.parts) for p in made] == [(n + 1, len(sizes)) for n in range(len(sizes))]
    assert b"".join(p.subjects for p in made) == draft.subjects
    assert b"".join(p.sought for p in made) == draft.sought
    assert sum(entry(p, ID).body.get("rows", 0) for p in made) == seen


def test_more_than_32_reads_make_several_records() -> None:
    # The widest data set under the most rules: all of it in one record would pass 64 KiB.
    clear = {f"MedicalSettlement.someLongColumnName{n:02}": 100 for n in range(20)}
    rules = tuple(f"r{n:012x}" for n in range(20))
    reads = tuple(
        ReadEntry("medical_settlement", "yb_settle", "row", n, 1, clear=clear, rules=rules)
        for n in range(70)
    )
    names = b"".join(n.to_bytes(16) for n in range(501))
    made = list(parts(Draft(Kind.READ, reads=reads, subjects=names)))
    assert [(len(p.reads), len(p.subjects) // 16, p.part, p.parts) for p in made] == [
        (32, 500, 1, 3),
        (32, 1, 2, 3),
        (6, 0, 3, 3),
    ]
    assert sum(entry(p, ID).body["rows"] for p in made) == sum(range(70))


def test_an_area_that_is_not_written_is_not_taken_for_checked() -> None:
    areas = (*(f"532622{n}" for n in range(100, 120)), ID_NUMBER)
    assert entry(Draft(Kind.READ, areas=areas), ID).body["areas"] == ["many"]
    with pytest.raises(BadRecord, match="areas"):
        entry(Draft(Kind.READ, areas=(ID_NUMBER,)), ID)
    with pytest.raises(BadRecord, match="linkage"):
        entry(Draft(Kind.READ, linkage=(ID_NUMBER,)), ID)


def test_more_than_twenty_areas_are_many() -> None:
    areas = tuple(f"532622{n}" for n in range(100, 121))
    assert entry(Draft(Kind.READ, areas=areas[:20]), ID).body["areas"] == list(areas[:20])
    assert entry(Draft(Kind.READ, areas=areas), ID).body["areas"] == ["many"]
