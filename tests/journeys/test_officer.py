"""The officer's questions, asked over HTTP and compared with the records they speak of."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select

from adapters.identity import citizen_uid
from audit.note import opened
from audit.proof import Proof
from audit.tokens import SubjectTokens
from audit.tree import verify_inclusion
from hub.signing import published
from resolvers.roots.audit import SAMPLE
from store.audit import audit_alert, audit_follower

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, FillStore, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

OFFICER, TOWN, VILLAGE = "auditor-01", "zhelai-town-01", "zhelai-village-01"
BY_NUMBER = "query($n: String!) { citizen(by: {idNumber: $n}) { name phone } }"
BY_ID = "query($id: ID!) { citizen(by: {id: $id}) { name phone } }"
BEIJING = timedelta(hours=8)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty store."""
    if request.param == "postgres":
        return str(request.getfixturevalue("pg_url"))
    return f"sqlite+aiosqlite:///{tmp_path / 'own.sqlite'}"


@pytest.fixture
async def asked(
    address: str, open_desk: OpenDesk, fill_store: FillStore, site_copy: Site
) -> AsyncIterator[Desk]:
    """A hub whose log is its own: two clerks have looked at people of 者腊乡, one in vain."""
    given: dict[str, object] = {
        "store.url": address,
        "audit.signer_file": site_copy.folder / "signer of this store.json",
        "audit.checkpoint_s": 0.5,
    }
    await fill_store(site_copy, address)
    async with open_desk(site_copy, **given) as desk:
        person = desk.site.shown("zhelai")
        await desk.ask(TOWN, BY_NUMBER, {"n": person.id18}, purpose="aid.file")
        await desk.ask(TOWN, BY_ID, {"id": person.citizen}, purpose="aid.review")
        await desk.ask(VILLAGE, BY_NUMBER, {"n": desk.site.shown("bange").id18})
        await desk.ask(TOWN, "{ citizens(first: 5) { nodes { name } } }")
        await desk.ask("office-01", "{ auditEvents(first: 1) { totalCount } }")
        assert await desk.hub.log.indexed()
        await rolled_up(desk)
        yield desk


async def rolled_up(desk: Desk) -> None:
    """Wait for the follower; it is a second or so behind."""
    size = desk.hub.log.state().size or 0
    reached = select(audit_follower.c.next_idx).where(audit_follower.c.name == "rollup")
    for _ in range(600):
        async with desk.hub.store.connect() as connection:
            if (await connection.scalar(reached) or 0) >= size:
                return
        await asyncio.sleep(0.05)
    raise AssertionError("the roll-up does not follow")


async def told(desk: Desk, text: str, variables: dict[str, Any] | None = None) -> Any:
    answer = await desk.ask(OFFICER, text, variables)
    assert "errors" not in answer.json(), answer.text
    return answer.json()["data"]


def instant(record: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(record["ts"] // 1_000_000, UTC) + BEIJING
    return at.strftime("%Y-%m-%dT%H:%M:%S+08:00")


async def test_who_saw_a_person_by_number_and_by_token(asked: Desk) -> None:
    person = asked.site.shown("zhelai")
    text = """query($of: AuditSubjectKey!) { subjectAccess(of: $of, first: 50) {
      totalCount nodes { idx how at actor actorOrg actorRole purpose kind person
                         event { idx leaf body division { code } } } } }"""
    records = {r["idx"]: r for r in await asked.records()}
    uid = citizen_uid(asked.hub.keys.identity, person.id18)
    token = SubjectTokens(asked.hub.keys.audit).token(uid)
    wanted = sorted(
        (
            (idx, "SEEN" if token in r.get("subjects", ()) else "SOUGHT")
            for idx, r in records.items()
            if token in (*r.get("subjects", ()), *r.get("sought", ()))
        ),
        reverse=True,
    )
    assert len(wanted) >= 2
    asks: list[dict[str, str]] = [{"idNumber": person.id18}, {"person": token}]
    for number, of in enumerate(asks):
        found = (await told(asked, text, {"of": of}))["subjectAccess"]
        nodes = [n for n in found["nodes"] if n["idx"] in records]
        # Each of the officer's own questions is a record about the person, too.
        assert found["totalCount"] == len(found["nodes"]) == len(wanted) + number
        assert [(n["idx"], n["how"]) for n in nodes] == wanted
        for node in nodes:
            record = records[node["idx"]]
            assert (node["actor"], node["actorOrg"]) == (record["actor"], record["org"])
            assert (node["purpose"], node["at"]) == (record["purpose"], instant(record))
            assert node["person"] == token
            assert node["event"]["idx"] == node["idx"]
            assert f'"request":"{record["request"]}"' in node["event"]["body"]
        assert await asked.hub.log.indexed()
    own = (await asked.records())[-1]
    assert (own["kind"], own["actor"], own["sought"]) == ("AUDIT_READ", OFFICER, [token])
    assert own["reads"][0]["by"] == ["AuditAccess.subject"]


async def test_a_person_nobody_asked_for_has_no_row_but_is_sought(asked: Desk) -> None:
    text = "query($of: AuditSubjectKey!) { subjectAccess(of: $of) { totalCount } }"
    stranger = {"person": "0" * 32}
    assert await told(asked, text, {"of": stranger}) == {"subjectAccess": {"totalCount": 0}}
    record = (await asked.records())[-1]
    assert (record["outcome"], len(record["sought"])) == ("OK", 1)


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        ({"idNumber": "539922"}, "ID_NUMBER"),
        ({"person": "abc"}, "PERSON"),
        ({"person": "Z" * 32}, "PERSON"),
    ],
)
async def test_a_key_that_is_none_is_refused(desk: Desk, of: dict[str, str], reason: str) -> None:
    text = "query($of: AuditSubjectKey!) { subjectAccess(of: $of) { totalCount } }"
    answer = await desk.ask(OFFICER, text, {"of": of})
    (error,) = answer.json()["errors"]
    assert error["extensions"]["reason"] == reason
    assert next(iter(of.values())) not in error["message"]


async def test_events_by_every_filter(asked: Desk) -> None:
    records = await asked.records()
    text = """query($f: AuditFilter!) { auditEvents(filter: $f, first: 100) {
      totalCount nodes { idx } } }"""
    last = max(r["ts"] for r in records)
    ended = datetime.fromtimestamp(last // 1_000_000 + 1, UTC).isoformat()

    def phones(state: str) -> list[int]:
        return [
            r["idx"]
            for r in records
            if any("Citizen.phone" in x.get(state, ()) for x in r.get("reads", ()))
        ]

    asks: list[tuple[dict[str, Any], list[int]]] = [
        ({"actor": TOWN}, [r["idx"] for r in records if r.get("actor") == TOWN]),
        ({"org": "rev"}, [r["idx"] for r in records if r.get("org") == "rev"]),
        ({"kind": "HUB_START"}, [r["idx"] for r in records if r["kind"] == "HUB_START"]),
        ({"outcome": "DENIED"}, [r["idx"] for r in records if r["outcome"] == "DENIED"]),
        (
            {"purpose": "aid.review"},
            [r["idx"] for r in records if r.get("purpose") == "aid.review"],
        ),
        ({"breakGlass": True}, []),
        (
            {"division": "532622205000"},
            [r["idx"] for r in records if r["area"].startswith("532622205")],
        ),
        ({"requestId": records[-1].get("request", "")}, [records[-1]["idx"]]),
        ({"shown": {"field": "Citizen.phone", "state": "CLEAR"}}, phones("clear")),
        ({"shown": {"field": "Citizen.phone", "state": "MASKED"}}, phones("masked")),
        ({"shown": {"field": "Citizen.nothing", "state": "CLEAR"}}, []),
        ({"since": ended}, []),
        ({"until": "2020-01-01T00:00:00+08:00"}, []),
        (
            {"since": "2020-01-01T00:00:00+08:00", "until": ended, "actor": TOWN},
            [r["idx"] for r in records if r.get("actor") == TOWN],
        ),
    ]
    for given, wanted in asks:
        found = (await told(asked, text, {"f": given}))["auditEvents"]
        assert [n["idx"] for n in found["nodes"] if n["idx"] < len(records)] == wanted[::-1], given
    assert phones("clear") != phones("masked")
    assert all(phones(state) for state in ("clear", "masked"))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"since": "yesterday"}, "DATE_TIME"),
        ({"since": "2026-11-26T08:00:00"}, "DATE_TIME"),
        ({"shown": {"field": 'x"; DROP', "state": "CLEAR"}}, "FIELD"),
        ({"shown": {"field": "Citizen", "state": "CLEAR"}}, "FIELD"),
        ({"division": "999"}, "CODE_SCHEME"),
    ],
)
async def test_a_filter_that_is_none_is_refused(
    desk: Desk, given: dict[str, Any], reason: str
) -> None:
    text = "query($f: AuditFilter!) { auditEvents(filter: $f) { totalCount } }"
    (error,) = (await desk.ask(OFFICER, text, {"f": given})).json()["errors"]
    assert error["extensions"]["reason"] == reason


async def test_what_an_account_did_and_the_summary_of_all(asked: Desk) -> None:
    records = await asked.records()
    hour = 3_600_000_000
    mine = Counter(
        (r["ts"] // hour, r["area"], r["kind"], r["outcome"])
        for r in records
        if r.get("actor") == TOWN
    )
    text = """query($a: String!) { actorActivity(actor: $a, first: 100) {
      totalCount nodes { actor at day hour kind outcome events subjects division { code } } } }"""
    found = (await told(asked, text, {"a": TOWN}))["actorActivity"]
    assert found["totalCount"] == len(mine)
    assert sum(n["events"] for n in found["nodes"]) == sum(mine.values())
    for node in found["nodes"]:
        at = datetime.fromisoformat(node["at"])
        assert (node["day"], node["hour"]) == (at.date().isoformat(), at.hour)
        assert node["division"] == {"code": "532622205000"}
    seen = sum(len(r.get("subjects", ())) for r in records if r.get("actor") == TOWN)
    assert sum(n["subjects"] for n in found["nodes"]) == seen

    by = """query($by: [AuditDimension!]!) {
      accessSummary(by: $by) { actor day hour division kind outcome events subjects } }"""
    for dimension, field in (("ACTOR", "actor"), ("KIND", "kind"), ("OUTCOME", "outcome")):
        groups = (await told(asked, by, {"by": [dimension]}))["accessSummary"]
        shown = {g[field]: g["events"] for g in groups}
        now = await asked.records()  # the officer's own questions are records, too
        least, most = (Counter(r.get(field, "") for r in rs) for rs in (records, now))
        assert least.keys() <= shown.keys() <= most.keys()
        assert all(least[key] <= count <= most[key] for key, count in shown.items())
        assert [g[field] for g in groups] == sorted(shown)
    ((whole,),) = [(await told(asked, by, {"by": []}))["accessSummary"]]
    assert whole["events"] >= len(records)
    assert (whole["actor"], whole["day"]) == (None, None)
    twice = await asked.ask(OFFICER, by, {"by": ["DAY", "DAY"]})
    assert twice.json()["errors"][0]["extensions"]["reason"] == "DIMENSION"


async def test_the_persons_most_accounts_saw(asked: Desk) -> None:
    records = await asked.records()
    text = "{ topSubjects { person accounts departments events } }"
    found = (await told(asked, text))["topSubjects"]
    accounts: dict[str, set[str]] = {}
    for record in records:
        for token in record.get("subjects", ()):
            accounts.setdefault(token, set()).add(record["actor"])
    assert {g["person"]: g["accounts"] for g in found} == {t: len(a) for t, a in accounts.items()}
    ranks = [g["accounts"] for g in found]
    assert ranks == sorted(ranks, reverse=True)
    record = (await asked.records())[-1]
    assert (record["kind"], record["reads"][0]["how"]) == ("AUDIT_READ", "tally")


async def test_a_spot_check_is_the_same_for_whoever_repeats_it(asked: Desk) -> None:
    size = len(await asked.records())
    text = """query($n: Int!, $size: Sequence!, $seed: String!) {
      spotSample(count: $n, size: $size, seed: $seed) { idx } }"""
    given: dict[str, Any] = {"n": 4, "size": size, "seed": "2026-11"}
    first = (await told(asked, text, given))["spotSample"]
    again = (await told(asked, text, given))["spotSample"]
    other = (await told(asked, text, given | {"seed": "2026-12"}))["spotSample"]
    assert first == again != other
    numbers = [row["idx"] for row in first]
    assert len(set(numbers)) == 4
    assert numbers == sorted(numbers, reverse=True)
    assert all(0 <= n < size for n in numbers)
    whole = (await told(asked, text, given | {"n": SAMPLE}))["spotSample"]
    assert [row["idx"] for row in whole] == list(range(size))[::-1]
    for wrong in ({"n": 0}, {"n": SAMPLE + 1}, {"size": 0}):
        answer = await asked.ask(OFFICER, text, given | wrong)
        assert answer.json()["errors"][0]["extensions"]["reason"] == "SAMPLE"


async def test_how_the_log_is(asked: Desk) -> None:
    text = """{ auditHealth { log suite size root signed signedAt witnessed indexed rolledUp
                              alerted openAlerts verdict } }"""
    before = asked.hub.log.state().size
    found = (await told(asked, text))["auditHealth"]
    assert (found["size"], found["suite"]) == (before, "sha256")
    assert found["indexed"] <= before
    assert found["rolledUp"] <= before
    assert found["openAlerts"] == 0
    assert found["verdict"] is None


async def test_a_proof_that_its_holder_can_check_without_the_hub(asked: Desk) -> None:
    text = "query($idx: Sequence!) { auditProof(idx: $idx) { idx leaf proof } }"
    answer = await asked.ask(TOWN, "{ viewer { account } }")
    receipt = answer.json()["extensions"]["audit"]
    for _ in range(600):
        found = (await told(asked, text, {"idx": receipt["idx"]}))["auditProof"]
        assert (found["idx"], found["leaf"]) == (receipt["idx"], receipt["leaf"])
        if found["proof"] is not None:
            break
        await asyncio.sleep(0.05)
    proof = Proof.parse(found["proof"])
    keys = [key.key for key in published(asked.hub.settings)]
    checkpoint, signatures = opened(proof.note, keys)
    assert (checkpoint.origin, len(signatures)) == (receipt["log"], 1)
    leaf = bytes.fromhex(receipt["leaf"])
    assert verify_inclusion(leaf, proof.index, checkpoint.size, list(proof.hashes), checkpoint.root)
    missing = await told(asked, text, {"idx": 10**9})
    assert missing == {"auditProof": None}


async def test_alerts_by_state(asked: Desk) -> None:
    row = {
        "id": "a1", "rule": "bulk", "actor": TOWN, "area": "532622205", "window_start": 1,
        "count": 201, "evidence": "[1]", "state": "OPEN", "raised_at": 2_000_000, "raised_idx": 1,
    }  # fmt: skip
    async with asked.hub.store.begin() as connection:
        await connection.execute(insert(audit_alert), row)
    text = """query($f: AlertFilter) { auditAlerts(filter: $f) { totalCount nodes {
      id rule actor count evidence state raisedAt dueAt division { code } event { idx } } } }"""
    (node,) = (await told(asked, text, {"f": {"state": "OPEN"}}))["auditAlerts"]["nodes"]
    assert node == {
        "id": "a1", "rule": "bulk", "actor": TOWN, "count": 201, "evidence": "[1]",
        "state": "OPEN", "raisedAt": "1970-01-01T08:00:02+08:00", "dueAt": None,
        "division": {"code": "532622205000"}, "event": {"idx": 1},
    }  # fmt: skip
    for given, count in (({"state": "HANDLED"}, 0), ({"rule": "bulk"}, 1), ({"actor": "x"}, 0)):
        found = (await told(asked, text, {"f": given}))["auditAlerts"]
        assert found["totalCount"] == count


ROOTS = (
    'subjectAccess(of: {person: "00000000000000000000000000000000"}) { totalCount }',
    'actorActivity(actor: "x") { totalCount }',
    "accessSummary(by: []) { events }",
    "topSubjects { person }",
    "auditAlerts { totalCount }",
    "auditHealth { size }",
    "auditProof(idx: 0) { leaf proof }",
    'spotSample(count: 1, size: 1, seed: "x") { idx }',
)


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("account", [TOWN, "office-01", "mca-dept-01", "authority-01"])
async def test_nobody_else_is_told_anything(desk: Desk, root: str, account: str) -> None:
    before = desk.calls()
    answer = await desk.ask(account, f"{{ a: {root} }}")
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert answer.json()["data"] == {"a": None}
    assert desk.sent(before).get("audit", 0) == 0
