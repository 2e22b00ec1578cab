"""The shipped policy against scenarios a security officer can read; how such files are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from authz.book import PolicyBook
from authz.errors import RuleError
from authz.gate import Gate
from authz.post import Asker
from authz.reference import Reason
from authz.rehearsal import ALLOWED, Outcome, outcome
from authz.rule import ACTS, EMERGENCY, EMERGENCY_ACTS, MINOR, NO_END, Rule, minor_of
from authz.scenarios import Case, Expect, read_scenarios
from catalog.errors import CatalogError
from catalog.load import Catalog, load

NewAsker = Callable[..., Asker]
# By its place, not by `shipped`: the mutation run asks a copy of the package alone.
SHIPPED = read_scenarios(Path(__file__).with_name("scenarios.toml"), load())
CASES = SHIPPED.cases
DAY = date(2026, 11, 1)
HEAD = """\
[[case]]
name = "一"
posts = [{ dept = "rev", role = "town", base = "532622205" }]
"""
PLACE = 'purpose = "aid.file", region = "532622205" }\n'
ASK = f'ask = {{ object = "Citizen.basic", act = "read", {PLACE}'
LIST = 'ask = { object = "Citizen.basic", purpose = "aid.file" }\nexpect = "list"\n'
SEEN = f'ask = {{ dataset = "citizen", {PLACE}expect = "columns"\n'


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_scenario(case: Case, book: PolicyBook, catalog: Catalog) -> None:
    ended = outcome(case, book, catalog, DAY)
    assert ended.found == ended.expected


def test_there_are_enough_scenarios_of_every_kind() -> None:
    assert SHIPPED.day == DAY
    assert len(CASES) >= 80
    kinds = Counter(case.expect for case in CASES)
    assert min(kinds[kind] for kind in Expect) >= 4
    reasons = {case.reason for case in CASES if case.expect is Expect.DENY}
    assert reasons == set(Reason)
    assert all(case.reason is not None for case in CASES if case.expect is Expect.DENY)


def test_checking_a_row_and_listing_rows_agree(book: PolicyBook, catalog: Catalog) -> None:
    asked = 0
    for case in CASES:
        if case.expect not in (Expect.ALLOW, Expect.DENY) or case.reason is Reason.CASE:
            continue
        ask, played = case.ask, book.with_rules((*book.rules, *case.lines))
        posts = tuple(played.post(*post) for post in case.posts)
        who = Asker("a", "official", posts, ask.purpose, ask.day or DAY)
        scope = played.scope(who, ask.object, ask.act)
        assert scope.admits(ask.region, ask.owner, ask.minor) is (case.expect is Expect.ALLOW)
        asked += 1
    assert asked >= 60


def test_production_gives_the_lab_nothing(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lab = Gate(book, asker(("rev", "lab", "532622"), purpose="aid.review"), catalog)
    verdict = lab.demand("Citizen.basic", "read", "532622205203", "rev")
    assert (verdict.allowed, verdict.reason) == (False, Reason.NO_RULE)


# ---- each of them can fail


def contrary(case: Case) -> Case:
    """The same case claiming something else."""
    if case.expect is Expect.ALLOW:
        return replace(case, expect=Expect.DENY)
    if case.expect is Expect.DENY:
        return replace(case, expect=Expect.ALLOW, reason=None)
    if case.columns is not None:
        states = {"明文": "脱敏", "脱敏": "隐藏", "隐藏": "明文"}
        return replace(case, columns={n: states[s] for n, s in case.columns.items()})
    if case.places is not None:
        return replace(case, places=case.places ^ {"532622101"})
    return replace(case, text=case.text + "。")


def test_a_claim_that_is_not_so_fails(book: PolicyBook, catalog: Catalog) -> None:
    wrong = [outcome(contrary(case), book, catalog, DAY) for case in CASES]
    assert [one.name for one in wrong if one.ok] == []


def test_a_reason_that_is_not_the_one_fails(book: PolicyBook, catalog: Catalog) -> None:
    denied = next(case for case in CASES if case.reason is Reason.REACH)
    ended = outcome(replace(denied, reason=Reason.OWNER), book, catalog, DAY)
    assert ended == Outcome(denied.name, "不许（OWNER）", "不许（REACH）")
    assert outcome(replace(denied, reason=None), book, catalog, DAY).ok


def test_every_scenario_fails_under_some_other_policy(book: PolicyBook, catalog: Catalog) -> None:
    """Under one that allows all, one that allows nothing, or without its own lines."""
    line = Rule("town", "*", "Citizen.basic", "read", "county", "any", "*", NO_END, "allow", "x")
    objects = [*catalog.objects, *(o + MINOR for o in catalog.objects if minor_of(o))]
    roles = {role for case in CASES for _, role, _ in case.posts}
    everything = book.with_rules(
        replace(line, role=role, object=obj, action=act)
        for role in roles
        for obj in objects
        for act in ACTS
    )
    nothing = book.with_rules([replace(line, role="portal", purpose="self")])

    def holds(case: Case) -> bool:
        bare = replace(case, lines=())
        worlds = [(bare, everything), (bare, nothing), *([(bare, book)] if case.lines else [])]
        return all(outcome(one, world, catalog, DAY).ok for one, world in worlds)

    fixed = {case.name for case in CASES if holds(case)}
    # These follow from the catalogue's purposes, whatever the lines say.
    by_purpose = {
        case.name
        for case in CASES
        if case.reason is Reason.CASE
        or (case.ask.purpose == EMERGENCY and case.ask.act not in EMERGENCY_ACTS)
    }
    assert fixed == by_purpose
    assert len(by_purpose) == 4


# ---- reading


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "cases.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_case_is_read_with_its_defaults(tmp_path: Path, catalog: Catalog) -> None:
    read = read_scenarios(written(tmp_path, HEAD + ASK + 'expect = "allow"\n'), catalog)
    (case,) = read.cases
    assert read.day is None
    assert case.posts == (("rev", "town", "532622205"),)
    assert (case.ask.owner, case.ask.minor, case.ask.case_no, case.ask.day) == (
        "rev",
        False,
        None,
        None,
    )
    assert case.lines == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("day = 1\n", "cases.toml: day: must be a date, as in 2026-11-01"),
        ("day = 2026-11-01T00:00:00\n", "cases.toml: day: must be a date, as in 2026-11-01"),
        ("", "cases.toml: case: is missing: write at least one [[case]]"),
        ("[[case", "cases.toml: syntax: is not TOML in UTF-8"),
        (HEAD + ASK + 'expect = "maybe"\n', "case[一].expect: `maybe` is unknown"),
        (HEAD + 'expect = "allow"\n', "case[一].ask: is missing"),
        ('[[case]]\nname = "一"\n' + ASK + 'expect = "allow"\n', "case[一].posts: is missing"),
        ((HEAD + ASK + 'expect = "allow"\n') * 2, "case[一]: is there twice"),
        (HEAD + ASK + 'expect = "allow"\nreason = "REACH"\n', "case[一].reason: is unknown"),
        (HEAD + ASK + 'expect = "deny"\nreason = "FAR"\n', "case[一].reason: `FAR` is unknown"),
        (HEAD + ASK.replace("read", "look") + 'expect = "deny"\n', ".act: `look` is no act"),
        (HEAD + ASK.replace("205", "205000") + 'expect = "deny"\n', ".region: `532622205000` is"),
        (HEAD + LIST, "case[一].places: is missing"),
        (HEAD + LIST + 'places = ["1"]\n', "case[一].places: `1` is no region path"),
        (HEAD + LIST.replace("basic", "contact") + "places = []\n", "has no rows of its own"),
        (HEAD + SEEN, "case[一].columns: is missing"),
        (HEAD + SEEN + 'columns = { nose = "明文" }\n', "columns.nose: is no column of data set"),
        (HEAD + SEEN + 'columns = { name = "逐行而定" }\n', "columns.name: `逐行而定` is unknown"),
    ],
)
def test_a_wrong_word_is_named(tmp_path: Path, catalog: Catalog, text: str, said: str) -> None:
    with pytest.raises(CatalogError) as error:
        read_scenarios(written(tmp_path, text), catalog)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({'role = "town"': 'role = "mayor"'}, "角色 `mayor` 不存在"),
        ({'base = "532622205"': 'base = "532622"'}, "辖区 `532622` 不适用于角色 `town`"),
        ({'expect = "allow"': 'expect = "allow"\nlines = ["town"]'}, "lines 第 1 行：应有 10 列"),
        ({'expect = "allow"': "expect = 'allow'\nlines = ['a,\"b']"}, "第 1 行：引号不成对"),
    ],
)
def test_a_post_or_line_that_cannot_be_is_refused(
    tmp_path: Path, catalog: Catalog, change: dict[str, str], said: str
) -> None:
    text = HEAD + ASK + 'expect = "allow"\n'
    for old, new in change.items():
        text = text.replace(old, new, 1)
    with pytest.raises(RuleError) as error:
        read_scenarios(written(tmp_path, text), catalog)
    assert said in str(error.value)


def test_the_example_of_the_module_is_a_case(
    tmp_path: Path, book: PolicyBook, catalog: Catalog
) -> None:
    import authz.scenarios as module

    block = (module.__doc__ or "").split("\n\n")[1]
    lines = [line.strip().split("      ")[0] for line in block.splitlines()]
    read = read_scenarios(written(tmp_path, "\n".join(lines)), catalog)
    ends: list[Any] = [outcome(case, book, catalog, DAY) for case in read.cases]
    assert [(one.ok, one.found) for one in ends] == [(True, "不许（REACH）")]
    assert ends[0].found != ALLOWED
