"""Known defects of the wrapped library, by their numbers: what ours does where it goes wrong.

Where the defect can be shown, it is: when a new version mends it, the test says so and the
guard can be thought over. Words that must not stand in our code at all are habits of
tests/architecture/test_habits.py (D4, D8, D13).
"""

from __future__ import annotations

import importlib.metadata
import logging
import re
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import casbin
import pytest
from casbin.util import key_match, regex_match
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

import authz
from authz.book import PolicyBook
from authz.engine import MODEL_FILE, Judge, read_model
from authz.errors import RuleError
from authz.keeper import BookKeeper
from authz.match import covers, held, one_of
from authz.post import Asker, Post
from authz.rule import Rule, check_rule
from authz.start import read_policy
from catalog.load import Catalog
from store.engine import open_engine
from store.metadata import metadata
from store.policy import authz_rule, read_policy_rows, seed_policy
from store.tables import metadata as tables
from tests.authz.policies import PARENTS, book_of, line

NewAsker = Callable[..., Asker]
DAY = date(2026, 11, 1)
VILLAGE, ELSEWHERE = "532622205203", "532622206"
CLERK = Post("mca", "town", "532622205", frozenset({"town"}))
ALLOW = line().line
OPEN_MODEL = """[request_definition]
r = obj
[policy_definition]
p = obj
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = {}
"""
ROUNDS = 10_000


def ask(lines: list[tuple[str, ...]], row: str = VILLAGE) -> bool:
    judge = Judge(lines, read_model())
    return judge.allows((CLERK,), "Citizen.basic", "read", "aid.review", DAY, row, "rev")


def library(matcher: str, *lines: str) -> Any:
    """The library alone, with a matcher of its own and lines of one column."""
    model = casbin.Model()
    model.load_model_from_text(OPEN_MODEL.format(matcher))
    model.model["p"]["p"].policy = [[text] for text in lines]
    return casbin.Enforcer(model)


# ---- what a line says --------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["Deny", "DENY", "deny ", "reject"])
def test_d1_an_unknown_effect_fails_open_there_and_does_not_enter_here(
    catalog: Catalog, effect: str
) -> None:
    # The database's CHECK is the second lock: test_keeper.py.
    assert ask([ALLOW, (*ALLOW[:-1], effect)])
    fault = check_rule(line(effect=effect), catalog)
    assert fault is not None
    assert fault.column == "effect"


def test_d2_an_empty_policy_allows_all_there_and_nothing_here(catalog: Catalog) -> None:
    assert library("r.obj.startswith(p.obj)").enforce("Citizen.basic") is True
    assert ask([]) is False
    with pytest.raises(RuleError, match="策略为空"):
        book_of(catalog)


@pytest.mark.parametrize("width", [0, 8, 10])
def test_d3_a_line_of_wrong_width_stops_every_request_there_and_the_load_here(
    catalog: Catalog, tmp_path: Path, width: int
) -> None:
    wrong = (*ALLOW, "more")[:width]
    with pytest.raises(RuntimeError):
        ask([ALLOW, wrong])
    file = tmp_path / "policy.csv"
    head = "role,dept,object,action,reach,owner,purpose,until,effect,basis"
    file.write_text(f"{head}\n{','.join((*wrong, 'x'))}\n", encoding="utf-8")
    with pytest.raises(RuleError):
        read_policy(file, catalog)


def test_d3_the_table_has_a_column_for_each_and_none_may_be_empty() -> None:
    columns = ("role", "dept", "object", "action", "reach", "owner", "purpose", "until", "effect")
    assert [c for c in (*columns, "basis") if authz_rule.c[c].nullable] == []


# ---- what the library offers and we do not take ------------------------------------------------


def test_d4_d13_switches_that_open_everything_are_out_of_reach() -> None:
    """One method leaves the wrapper, and its answer is a bool; the rest is a habit."""
    enforcer = library("r.obj == p.obj", "Citizen.basic")
    assert enforcer.enforce("Citizen.health") is False
    enforcer.enable_enforce(False)
    assert enforcer.enforce("Citizen.health") is True
    assert [name for name in vars(Judge) if not name.startswith("_")] == ["allows"]
    assert type(ask([ALLOW])) is type(ask([])) is bool


def test_d5_a_matcher_that_answers_a_number_stops_the_request_there(catalog: Catalog) -> None:
    """So ours answer bool for whatever text: test_match.py, and here through the engine."""
    enforcer = library("number(r.obj)", "Citizen.basic")
    enforcer.add_function("number", lambda _obj: len("text"))
    with pytest.raises(RuntimeError):
        enforcer.enforce("Citizen.basic")
    assert type(covers("Citizen.*", "Citizen.basic")) is bool
    assert type(one_of("a|b", "")) is bool
    assert type(held((), "*", "*", "county", "any", "532622", "mca")) is bool


def test_d6_its_patterns_match_more_than_they_say_and_ours_do_not() -> None:
    assert regex_match("Citizen.identity", "Citizen.id")
    assert key_match("CitizenSecret.x", "Citizen*")
    assert not covers("Citizen.id", "Citizen.identity")
    assert not covers("Citizen.*", "CitizenSecret.x")
    model = MODEL_FILE.read_text(encoding="utf-8")
    called = set(re.findall(r"(\w+)\(", model.split("[matchers]")[1]))
    assert called == {"covers", "one_of", "held"}


def test_d7_d8_there_is_one_plain_g_and_the_matcher_does_not_ask_it() -> None:
    model = MODEL_FILE.read_text(encoding="utf-8")
    assert re.findall(r"^g\d* = .*$", model, re.MULTILINE) == ["g = _, _"]
    assert re.findall(r"\bg\d*\(", model) == []
    engine = Path(authz.__file__ or "").with_name("engine.py").read_text(encoding="utf-8")
    assert re.findall(r"casbin\.\w+", engine) == ["casbin.Model", "casbin.Enforcer"]


# ---- reloading ---------------------------------------------------------------------------------


def test_d9_a_policy_made_anew_disturbs_nobody_who_asks(catalog: Catalog) -> None:
    """Books are built aside and swapped; each answers as its own lines say, at any moment."""
    opened, shut = [line()], [line(), line(role="*", reach="county", effect="deny")]
    town = Asker("x", "official", (CLERK,), "aid.review", DAY)
    current, stop, made = [book_of(catalog, *opened)], threading.Event(), [0]

    def reload() -> None:
        while not stop.is_set():
            made[0] += 1
            rules = shut if made[0] % 2 else opened
            current[0] = PolicyBook(made[0], rules, PARENTS, catalog)
            stop.wait(0.0002)  # or nobody would ask in between

    thread = threading.Thread(target=reload)
    thread.start()
    asked, wrong, met = 0, 0, set()
    try:
        while asked < ROUNDS or made[0] < 20:
            asked += 1
            book = current[0]
            said = book.scope(town, "Citizen.basic", "read").admits(VILLAGE, "rev")
            wrong += said is not (len(book.rules) == 1)
            met.add(said)
    finally:
        stop.set()
        thread.join()
    assert wrong == 0
    assert met == {True, False}


@pytest.fixture
async def engine(store_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(store_url)
    async with made.begin() as conn:
        await conn.run_sync(lambda sync: tables.create_all(sync))
    yield made
    await made.dispose()


async def stored(engine: AsyncEngine, rules: list[Rule], by: str = "tester") -> None:
    """These lines and no others, as the policy in force."""
    lines = [(rule.id, *rule.line, rule.basis) for rule in rules]
    links = [(role, parent) for role, above in PARENTS.items() for parent in above]
    async with engine.begin() as conn:
        await seed_policy(conn, lines, links, [], by)


async def loaded(engine: AsyncEngine, catalog: Catalog) -> set[tuple[str, ...]]:
    """The stored lines as a process that has just started holds them."""
    keeper = BookKeeper(engine, catalog, demo=True)
    await keeper.load()
    async with engine.connect() as conn:
        own = {line[:9] for line in (await read_policy_rows(conn)).rules}
    return {rule.line for rule in keeper.current().rules if rule.line in own}


@pytest.mark.anyio
async def test_d10_two_lines_of_six_revoked_leave_four_in_the_store_and_in_memory(
    engine: AsyncEngine, catalog: Catalog
) -> None:
    """The two share words with those that stay, one a column: the adapter's trap."""
    six = [
        line(role=role, action=action) for role in ("town", "village") for action in
        ("read", "list", "unmask")
    ]  # fmt: skip
    await stored(engine, six)
    assert await loaded(engine, catalog) == {rule.line for rule in six}
    keeper = BookKeeper(engine, catalog, demo=True)
    await keeper.load()
    four = [rule for rule in six if (rule.role, rule.action) not in
            {("town", "unmask"), ("village", "list")}]  # fmt: skip
    await stored(engine, four)
    await keeper.look()
    assert {r.line for r in keeper.current().rules} & {r.line for r in six} == {
        rule.line for rule in four
    }
    assert await loaded(engine, catalog) == {rule.line for rule in four}


# ---- how lines are kept ------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [",", ")", "(", '"', "\n", "#"])
@pytest.mark.parametrize("column", ["role", "dept", "object", "owner", "purpose", "reach"])
def test_d11_signs_the_adapter_trips_over_enter_no_column(
    catalog: Catalog, column: str, sign: str
) -> None:
    good = line(dept="mca", owner="mca", purpose="aid.file")
    for text in (f"{getattr(good, column)}{sign}", f"{sign}{getattr(good, column)}"):
        fault = check_rule(replace(good, **{column: text}), catalog)
        assert fault is not None
        assert fault.column == column


@pytest.mark.anyio
async def test_d11_what_may_hold_them_is_kept_to_the_letter(
    engine: AsyncEngine, catalog: Catalog
) -> None:
    basis = "办法第六条, 第四条（\"例外\"), #1; '二' p, g"
    await stored(engine, [line(), line(action="list", basis=basis)])
    async with engine.connect() as conn:
        kept = (await read_policy_rows(conn)).rules
    assert {row[-1] for row in kept} == {"测试", basis}
    assert await loaded(engine, catalog) == {line().line, line(action="list").line}


@pytest.mark.anyio
async def test_d11_a_row_removed_by_hand_is_noticed(engine: AsyncEngine, catalog: Catalog) -> None:
    deny = line(effect="deny", reach="here")
    await stored(engine, [line(), deny])
    async with engine.begin() as conn:
        await conn.execute(delete(authz_rule).where(authz_rule.c.effect == "deny"))
        rows = await read_policy_rows(conn)
        assert (len(rows.rules), rows.sealed) == (1, False)
    with pytest.raises(RuleError, match="摘要不符"):
        await loaded(engine, catalog)


def test_d12_no_adapter_and_no_watcher_is_installed_and_greenlet_is() -> None:
    names = {dist.metadata["Name"].lower() for dist in importlib.metadata.distributions()}
    assert [n for n in names if "casbin" in n] == ["pycasbin"]
    assert "greenlet" in names
    assert metadata is tables  # the policy's tables are our own


def test_the_abandoned_distribution_is_not_installed() -> None:
    """Its import name is the same and its files win: tests/architecture/test_names.py, too."""
    names = {dist.metadata["Name"].lower() for dist in importlib.metadata.distributions()}
    assert "pycasbin" in names
    assert "casbin" not in names


# ---- what it says and runs ---------------------------------------------------------------------


def test_d14_refusals_are_not_logged(
    catalog: Catalog, asker: NewAsker, caplog: pytest.LogCaptureFixture
) -> None:
    town = asker(("rev", "town", "532622205"))
    with caplog.at_level(logging.DEBUG):
        assert not ask([ALLOW], row=ELSEWHERE)
        assert (
            not book_of(catalog, line())
            .scope(town, "Citizen.basic", "read")
            .admits(ELSEWHERE, "rev")
        )
    assert [record for record in caplog.records if record.name.startswith("casbin")] == []
    assert logging.getLogger("casbin").getEffectiveLevel() == logging.ERROR


def test_d15_the_expressions_run_are_of_one_text_by_a_mended_library() -> None:
    """The digest of the text is checked at start: test_engine.py."""
    version = importlib.metadata.version("simpleeval")
    assert tuple(map(int, version.split(".")[:3])) >= (1, 0, 8)
    matcher = MODEL_FILE.read_text(encoding="utf-8").split("[matchers]")[1]
    names = set(re.findall(r"\b([a-z_]+)\.([a-z]+)", matcher))
    assert {owner for owner, _ in names} == {"r", "p"}
    assert "__" not in matcher
    # What is handed to it can be asked for nothing: no methods of our own, nothing to change.
    assert {n for n in vars(Post) if not n.startswith("__")} == {"dept", "role", "base", "roles"}
    with pytest.raises(AttributeError):
        CLERK.role = "office"  # type: ignore[misc]
