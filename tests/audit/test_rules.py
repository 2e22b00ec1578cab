"""The alert rules over plain bodies: exact thresholds, edges of windows, what never hits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pytest

from audit.rules import DEFAULTS, RULES, Hit, Limits, Rules, is_off_hours, network, review_until
from audit.subjects import seen_field
from catalog.workdays import ZONE

SECOND = 1_000_000
DAY = 86_400
NOON = int(datetime(2026, 11, 25, 12, tzinfo=ZONE).timestamp())  # a Wednesday
Body = Mapping[str, Any]


def tokens(*numbers: int) -> dict[str, Any]:
    """The body's member for these citizens."""
    return seen_field(b"".join(n.to_bytes(16) for n in numbers))


def at(seconds: float, idx: int = 0, **fields: Any) -> dict[str, Any]:
    """A read by a clerk of township 205, seconds after noon of a working day."""
    return {
        "idx": idx or int(seconds) + 1,
        "id": f"id-{idx}-{seconds}",
        "ts": (NOON * SECOND) + int(seconds * SECOND),
        "kind": "READ",
        "outcome": "OK",
        "actor": "clerk",
        "org": "rev",
        "post_area": "532622205",
        "area": "532622205",
    } | fields


def hits(rule: str, bodies: Iterable[Body], **limits: Any) -> list[Hit]:
    """What one rule alone says."""
    given = DEFAULTS[rule]
    own = Limits(limits.get("threshold", given.threshold), limits.get("window_s", given.window_s))
    rules = Rules({rule: own})
    return [hit for body in bodies for hit in rules.feed(body)]


def denied(seconds: float, **fields: Any) -> dict[str, Any]:
    return at(seconds, outcome="DENIED", code="FORBIDDEN", **fields)


# ---- windows


def test_bulk_counts_different_citizens_not_reads() -> None:
    same = [at(n, **tokens(*range(100))) for n in range(50)]
    assert hits("bulk", same) == []
    assert hits("bulk", [at(0, **tokens(*range(200)))]) == []
    (hit,) = hits("bulk", [at(0, **tokens(*range(200))), at(9, **tokens(7, 200))])
    assert (hit.actor, hit.count, hit.evidence) == ("clerk", 201, (1, 10))
    assert hit.start == NOON * SECOND


def test_a_window_is_open_at_its_old_end() -> None:
    two = {"threshold": 2, "window_s": 600}
    assert hits("denials", [denied(0), denied(600)], **two) == []
    (hit,) = hits("denials", [denied(0), denied(599.999999, idx=2)], **two)
    assert (hit.count, hit.evidence) == (2, (1, 2))


def test_a_burst_across_two_aligned_windows_is_seen() -> None:
    """NOON is the start of an aligned window; five lie before it, five after."""
    found = hits("denials", [denied(n, idx=n + 30) for n in range(-5, 5)])
    assert [(hit.start, hit.count) for hit in found] == [(NOON * SECOND, 10)]


def test_a_rule_hits_once_a_window_and_again_in_the_next() -> None:
    found = hits("denials", [denied(n, idx=n + 1) for n in range(0, 1_200, 10)])
    assert [hit.start - NOON * SECOND for hit in found] == [0, 600 * SECOND]
    assert [hit.count for hit in found] == [10, 60]
    assert len({hit.id for hit in found}) == 2


def test_the_hundred_first_records_are_evidence() -> None:
    found = hits("denials", [denied(n / 10, idx=n + 1) for n in range(150)], threshold=150)
    assert found[0].evidence == tuple(range(1, 101))


@pytest.mark.parametrize(
    ("first", "second"), [("clerk", "other"), ("clerk", "clerk.1"), ("clerk", "")]
)
def test_accounts_are_counted_apart(first: str, second: str) -> None:
    both = [denied(n, actor=first if n % 2 else second) for n in range(18)]
    assert hits("denials", both) == []


def test_a_whole_list_is_counted_by_the_packed_text_too() -> None:
    many = tokens(*range(300))
    assert "subjects_b64" in many
    assert [hit.count for hit in hits("bulk", [at(0, **many)])] == [300]


# ---- each rule


def test_what_was_denied_discloses_nobody() -> None:
    assert hits("bulk", [denied(0, **tokens(*range(300)))]) == []
    assert len(hits("bulk", [at(0, outcome="PARTIAL", **tokens(*range(300)))])) == 1


@pytest.mark.parametrize(
    ("moment", "off"),
    [
        ("2026-11-25T06:59:59", True),
        ("2026-11-25T07:00:00", False),
        ("2026-11-25T19:59:59", False),
        ("2026-11-25T20:00:00", True),
        ("2026-11-28T12:00:00", True),  # Saturday
        ("2026-02-14T12:00:00", False),  # Saturday, worked for the Spring Festival
        ("2026-02-17T12:00:00", True),  # the festival
        ("2049-10-01T12:00:00", False),  # a year whose holidays nobody knows
    ],
)
def test_office_hours_are_those_of_shanghai_and_the_calendar(moment: str, off: bool) -> None:
    ts = int(datetime.fromisoformat(f"{moment}+08:00").timestamp()) * SECOND
    assert is_off_hours(ts) is off


def test_after_hours_counts_only_what_lies_there() -> None:
    evening = 8 * 3600
    before = at(evening - 1, **tokens(*range(50)))
    assert hits("after-hours", [before, at(evening, **tokens(*range(20)))]) == []
    (hit,) = hits("after-hours", [before, at(evening, **tokens(*range(100, 121)))])
    assert hit.count == 21


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"areas": ["532622205"]}, 0),
        ({"areas": ["532622206"]}, 1),
        ({"areas": ["532622205", "532622206"]}, 1),
        ({"areas": ["many"]}, 1),
        ({"areas": ["532622206"], "case": "SQ20260001"}, 0),
        ({"areas": ["532622206"], "post_area": "532622"}, 0),
        ({"areas": ["532622205"], "post_area": "532622205001"}, 0),  # places end at townships
        ({"areas": ["532622206"], "post_area": "532622205001"}, 1),
        ({"areas": ["532622206"], "outcome": "DENIED"}, 0),
    ],
)
def test_out_of_area_is_a_township_the_post_does_not_reach(
    fields: dict[str, Any], found: int
) -> None:
    assert len(hits("out-of-area", [at(0, **fields)])) == found


def test_three_refusals_out_of_reach_are_told_from_other_refusals() -> None:
    hidden = {"reads": [{"hidden": {"Citizen": "REACH"}}]}
    assert hits("out-of-area-denied", [denied(n, **hidden) for n in range(2)]) == []
    assert hits("out-of-area-denied", [denied(n) for n in range(9)]) == []
    assert len(hits("out-of-area-denied", [denied(n, **hidden) for n in range(3)])) == 1


def test_an_application_is_counted_over_its_accounts() -> None:
    some = [denied(n, actor=f"clerk-{n}", client="window") for n in range(30)]
    assert hits("denials-client", some[:29]) == []
    (hit,) = hits("denials-client", some)
    assert (hit.actor, hit.count) == ("window", 30)


def test_anonymous_rejects_are_nobodys_denials() -> None:
    flood = [denied(n, kind="REJECTS", actor="clerk", client="x") for n in range(50)]
    assert hits("denials", flood) == hits("denials-client", flood) == []


def miss(seconds: float, times: int = 1) -> dict[str, Any]:
    reads = [{"d": "citizen", "states": {"NO_RECORD": 1}} for _ in range(times)]
    return at(seconds, sought=["00" * 16], reads=reads)


def test_enumeration_counts_each_alias_that_found_nobody() -> None:
    assert hits("enumeration", [miss(n) for n in range(9)]) == []
    assert [h.count for h in hits("enumeration", [miss(n) for n in range(10)])] == [10]
    assert [h.count for h in hits("enumeration", [miss(0, 4), miss(1, 6)])] == [10]
    unsought = [at(n, reads=[{"states": {"NO_RECORD": 1}}]) for n in range(20)]
    assert hits("enumeration", unsought) == []


def test_a_run_of_numbers_is_as_long_as_the_endpoint_says() -> None:
    def run(seconds: float, length: object) -> dict[str, Any]:
        return at(seconds, op={"vars": {"run": length}})

    assert hits("consecutive", [run(n, 2) for n in range(9)]) == []
    assert [h.count for h in hits("consecutive", [run(n, n) for n in range(2, 6)])] == [5]
    assert hits("consecutive", [run(0, "Int!")]) == []  # a client's own variable of that name


def test_most_read_is_by_accounts_or_by_offices() -> None:
    eight = [at(n, actor=f"clerk-{n}", **tokens(5, n + 50)) for n in range(8)]
    assert hits("most-read", eight[:7]) == []
    (hit,) = hits("most-read", eight)
    assert (hit.actor, hit.count) == ((5).to_bytes(16).hex(), 8)
    assert hits("most-read-departments", eight) == []
    offices = [at(n, org=org, **tokens(5)) for n, org in enumerate(["rev", "mca", "hea"])]
    assert [h.count for h in hits("most-read-departments", offices)] == [3]


def test_who_pages_through_a_list_has_not_looked_at_those_in_it() -> None:
    page = [at(n, actor=f"clerk-{n}", **tokens(*range(21))) for n in range(9)]
    assert hits("most-read", page) == []


def test_each_emergency_is_one_alert_with_three_working_days() -> None:
    uses = [at(0, 1, break_glass=True), at(0, 2, break_glass=True)]
    found = hits("break-glass", [*uses, at(0, 3, break_glass=True, kind="BREAK_GLASS_RESULT")])
    assert [(h.start - NOON * SECOND, h.evidence) for h in found] == [(0, (1,)), (1, (2,))]
    due = int(datetime(2026, 12, 1, tzinfo=ZONE).timestamp()) * SECOND  # Thu, Fri, Mon
    assert [h.due_at for h in found] == [due, due] == [review_until(NOON * SECOND)] * 2


@pytest.mark.parametrize(
    ("rule", "kind", "found"),
    [
        ("export", "EXPORT_INTENT", 1),
        ("export", "EXPORT_RESULT", 0),
        ("change", "POLICY_CHANGED", 1),
        ("change", "ACCOUNT_CHANGED", 1),
        ("change", "RULE_CHANGED", 1),
        ("change", "READ", 0),
        ("log-clock", "CLOCK_STEP", 1),
    ],
)
def test_every_one_of_its_kind(rule: str, kind: str, found: int) -> None:
    assert len(hits(rule, [at(0, 1, kind=kind)])) == found


def test_a_changer_who_reads_within_a_day() -> None:
    change = at(0, 1, kind="POLICY_CHANGED", actor="sec")
    assert hits("change-use", [change, at(5, **tokens(1))]) == []
    assert hits("change-use", [change, at(5, actor="sec")]) == []  # nobody was shown
    assert hits("change-use", [change, at(DAY, actor="sec", **tokens(1))]) == []
    (hit,) = hits("change-use", [change, at(DAY - 1, 7, actor="sec", **tokens(1))])
    assert (hit.actor, hit.evidence) == ("sec", (1, 7))


def test_an_account_that_slept_for_sixty_days() -> None:
    assert hits("dormant", [at(0), at(60 * DAY - 1)]) == []
    assert [h.actor for h in hits("dormant", [at(0), at(60 * DAY)])] == ["clerk"]
    rules = Rules()
    assert rules.strangers([at(0)]) == {"clerk"}
    rules.used("clerk", (NOON - 60 * DAY) * SECOND)
    assert [h.rule for h in rules.feed(at(0))] == ["dormant"]
    assert rules.strangers([at(1)]) == set()


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("10.1.0.1", "10.1.255.9", 0),
        ("10.1.0.1", "10.2.0.1", 1),
        ("2001:db8::1", "2001:db8:1::1", 0),
        ("2001:db8::1", "2001:db9::1", 1),
        ("10.1.0.1", "2001:db8::1", 1),
    ],
)
def test_two_networks_within_ten_minutes(one: str, other: str, found: int) -> None:
    assert len(hits("two-networks", [at(0, ip=one), at(599, ip=other)])) == found
    assert hits("two-networks", [at(0, ip=one), at(600, ip=other)]) == []
    assert network("") == ""


def test_an_intent_without_its_result() -> None:
    rules = Rules()
    rules.feed(at(0, 1, id="a", kind="EXPORT_INTENT"))
    rules.feed(at(0, 2, id="b", kind="EXPORT_INTENT", ref="x-1"))
    rules.feed(at(1, 3, id="c", kind="REMOTE_INTENT"))
    rules.feed(at(2, 4, id="d", kind="EXPORT_RESULT", ref="a"))
    rules.feed(at(2, 5, id="e", kind="EXPORT_RESULT", ref="x-1"))
    assert rules.orphans((NOON + 301) * SECOND) == []
    (hit,) = rules.orphans((NOON + 301) * SECOND + 1)
    assert (hit.rule, hit.evidence, hit.start) == ("log-intent", (3,), (NOON + 1) * SECOND)


# ---- the whole


def test_alerts_raise_no_alerts() -> None:
    rules = Rules({name: Limits(1, 10) for name in RULES})
    for kind in ("ALERT_RAISED", "ALERT_HANDLED"):
        assert rules.feed(at(0, kind=kind, outcome="DENIED", break_glass=True, ip="1.2.3.4")) == []


def test_a_disabled_rule_says_nothing() -> None:
    rules = Rules({"denials": Limits(1, 600, enabled=False)})
    assert rules.feed(denied(0)) == []


def test_state_read_back_from_one_window_goes_on_as_if_never_lost() -> None:
    bodies = [denied(37 * n, idx=n) if n % 3 else miss(37 * n) | {"idx": n} for n in range(900)]
    whole, expected = Rules(), []
    for body in bodies:
        expected += whole.feed(body)
    assert len(expected) > 20
    raised: dict[str, Hit] = {}
    for cut in range(0, 900, 100):  # a process that dies every hundred records
        rules = Rules()
        last = bodies[cut - 1]["ts"] if cut else 0
        for body in bodies[:cut]:
            if body["ts"] > last - rules.span_s * SECOND:
                rules.feed(body)
        for body in bodies[cut : cut + 100]:
            raised |= {h.id: h for h in rules.feed(body) if h.id not in raised}
    assert list(raised.values()) == expected


def test_windows_that_have_run_out_are_forgotten() -> None:
    rules = Rules({"most-read": Limits(8, 10)})
    for number in range(9_000):
        rules.feed(at(number, **tokens(number)))
    assert 0 < rules.kept < 5_000
