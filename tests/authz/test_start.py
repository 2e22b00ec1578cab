"""policy.csv: readable, checked line by line, nothing enters half."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from authz.book import PolicyBook
from authz.errors import RuleError
from authz.post import Asker
from authz.rule import ACTS, COLUMNS, check_rule, minor_of
from authz.sharing import is_open, shared_rules
from authz.start import DEMO_FILE, POLICY_FILE, read_policy, start_rules
from catalog.grades import SharingKind
from catalog.load import AuthObject, Catalog

NewAsker = Callable[..., Asker]
HEAD = ",".join(COLUMNS)
LINE = "town,*,Citizen.basic,read,subtree,any,*,9999-12-31,allow,办法第六条"

DEEDS = {
    *("Case.filing", "Case.acceptance", "Case.verification", "Case.review", "Case.presenting"),
    *("Case.approval", "Case.delivery", "Case.follow_up", "Case.reopening", "Case.extension"),
    *("SupervisionOrder.issuing", "SupervisionOrder.handling"),
    *("Complaint.filing", "Complaint.assigning", "Complaint.answering", "Complaint.rehearing"),
    *("Complaint.closing", "SpotCheck.drawing", "SpotCheckItem.checking"),
    *("SpotCheckItem.rectifying", "SpotCheckItem.closing"),
    *("AccountChange.filing", "AccountChange.appointing", "AccountChange.approving"),
    *("AccountChange.handling", "TrainingRecord.recording"),
    *("Correction.filing", "Correction.handling", "Correction.decision"),
    *("SharingRequest.filing", "SharingRequest.reviewing", "SharingRequest.answering"),
    *("SharingRequest.mediating",),
    "RiskClue.lifting",
}
"""Objects that stand for acts: whoever may do one has the right to write it."""


def read(tmp_path: Path, catalog: Catalog, *lines: str) -> list[tuple[str, ...]]:
    file = tmp_path / "policy.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [rule.line for rule in read_policy(file, catalog)]


def test_the_shipped_policy_is_sound(catalog: Catalog) -> None:
    rules = start_rules(catalog)
    assert len({rule.id for rule in rules}) == len(rules)
    assert 110 <= len(rules) <= 560
    assert not any(rule.role == "lab" for rule in rules)


def test_the_file_explains_itself_in_chinese() -> None:
    text = POLICY_FILE.read_text(encoding="utf-8")
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert len(comments) >= 15
    assert all(not line.isascii() for line in comments)


def test_objects_and_acts_in_one_line_are_one_rule_each(tmp_path: Path, catalog: Catalog) -> None:
    line = LINE.replace("Citizen.basic,read", "Citizen.basic|Citizen.contact,read|list")
    found = read(tmp_path, catalog, "# 说明", HEAD, "", line)
    assert [rule[2:4] for rule in found] == [
        ("Citizen.basic", "read"),
        ("Citizen.basic", "list"),
        ("Citizen.contact", "read"),
        ("Citizen.contact", "list"),
    ]


def test_a_star_means_every_act_in_a_deny_only(tmp_path: Path, catalog: Catalog) -> None:
    deny = "auditor,*,Citizen.*,*,county,any,*,9999-12-31,deny,GB/T 39477-2020"
    assert [rule[3] for rule in read(tmp_path, catalog, HEAD, deny)] == list(ACTS)
    with pytest.raises(RuleError, match="操作 `\\*` 不存在"):
        read(tmp_path, catalog, HEAD, LINE.replace(",read,", ",*,"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["# 只有说明"], "首行须为"),
        ([LINE], "首行须为"),
        ([HEAD, LINE + ",多"], "第 2 行：应有 10 列"),
        ([HEAD, LINE.rpartition(",")[0]], "第 2 行：应有 10 列"),
        ([HEAD, LINE, LINE], "第 3 行：与前面的行重复"),
        ([HEAD, LINE.replace("allow", "Allow")], "第 2 行：效力 `Allow` 不存在"),
        ([HEAD, LINE.replace("town", "lab")], "只能用于演示策略"),
    ],
)
def test_one_bad_line_refuses_the_file(
    tmp_path: Path, catalog: Catalog, lines: list[str], message: str
) -> None:
    with pytest.raises(RuleError, match=message):
        read(tmp_path, catalog, *lines)


def test_a_comma_in_quotes_stays_one_value(tmp_path: Path, catalog: Catalog) -> None:
    # The library's own adapter would make two columns of it (D11).
    line = LINE.replace("办法第六条", '"办法第六条, 第四条"')
    file = tmp_path / "policy.csv"
    file.write_text(f"{HEAD}\n{line}\n", encoding="utf-8")
    assert read_policy(file, catalog)[0].basis == "办法第六条, 第四条"


def test_the_lab_may_read_list_and_look_up_everything(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lab = asker(("rev", "lab", "532622"), purpose="report")
    for obj in catalog.objects.keys() - DEEDS:
        for act in ("read", "list", "lookup"):
            assert demo_book.scope(lab, obj, act).whole, (obj, act)
        assert demo_book.scope(lab, obj, "unmask").empty


def test_production_refuses_the_demonstration_file(catalog: Catalog) -> None:
    with pytest.raises(RuleError, match="只能用于演示策略"):
        read_policy(DEMO_FILE, catalog)


def test_a_deed_is_a_right_to_write_and_nothing_is_seen_by_it(
    book: PolicyBook, catalog: Catalog
) -> None:
    allowed = {(rule.object, rule.action) for rule in book.rules if rule.allows}
    assert {(o, a) for o, a in allowed if o in DEEDS} == {(obj, "write") for obj in DEEDS}
    assert {f.object for d in catalog.datasets.values() for f in d.fields} & DEEDS == set()


def test_every_object_is_somebodys(book: PolicyBook, catalog: Catalog) -> None:
    readable = {rule.object for rule in book.rules if rule.allows and rule.action == "read"}
    missing = set(catalog.objects) - readable - DEEDS
    # Introspection and federation are for the demonstration's lab and certified clients.
    assert missing == {"Schema.sdl", "Schema.federation", "Stat.monthly"}
    # Statistics are published, not read.
    tallied = {rule.object for rule in book.rules if rule.allows and rule.action == "tally"}
    assert tallied == {"Stat.monthly"}


def test_open_objects_are_read_by_all_staff(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    helper = asker(("rev", "helper", "532622205203"), purpose="aid.file")
    for obj in ("Division.basic", "Department.basic", "Dataset.basic"):
        assert book.scope(helper, obj, "read").whole
        assert book.scope(helper, obj, "list").whole


def test_personal_objects_stay_bounded_whatever_their_sharing(catalog: Catalog) -> None:
    from dataclasses import replace

    open_people = AuthObject("Citizen.basic", "人员基本", "rev", SharingKind.UNCONDITIONAL)
    changed = replace(catalog, objects={**catalog.objects, open_people.name: open_people})
    opened = {rule.object for rule in shared_rules(changed) if rule.allows}
    assert opened == {
        *("Division.basic", "Department.basic", "Dataset.basic", "Source.health"),
        "OwnActivity.basic",  # whose rows are the asker's own alone
    }
    # An object nothing shows is not opened either.
    nothing = AuthObject("Nothing.basic", "无", "rev", SharingKind.UNCONDITIONAL)
    assert not is_open(nothing, catalog)


def test_data_not_shared_is_denied_to_everyone_else(catalog: Catalog, asker: NewAsker) -> None:
    from dataclasses import replace

    closed = AuthObject("Citizen.health", "健康服务", "hea", SharingKind.NOT_SHARED)
    changed = replace(catalog, objects={**catalog.objects, closed.name: closed})
    rules = (*start_rules(catalog), *shared_rules(changed))
    assert all(check_rule(rule, catalog) is None for rule in shared_rules(changed))
    granted = replace(
        rules[0], role="dept", object="Citizen.health", action="read", owner="any", purpose="*"
    )
    book = PolicyBook(1, (*rules, granted), {"dept": ("staff",), "staff": ()}, catalog)
    mca = asker(("mca", "dept", "532622"))
    hea = asker(("hea", "dept", "532622"))
    assert book.scope(mca, "Citizen.health", "read").empty
    assert book.scope(hea, "Citizen.health", "read").for_owner("hea").adult.cuts != ()
    assert book.scope(hea, "Citizen.health", "read").admits("532622205", "hea")


def test_minors_have_no_identity_nor_health_anywhere(book: PolicyBook) -> None:
    allowed = {rule.object for rule in book.rules if rule.allows}
    for obj in ("Citizen.identity", "Citizen.health", "Citizen.contact", "Citizen.income"):
        assert minor_of(obj) not in allowed
