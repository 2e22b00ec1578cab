"""Orders that were there stay as they are, and are noted as before; new ones need no case."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError

from store import migrate
from tests.migrations.statements import execute

BEFORE = "corrections"
PLACE = "'532622205', 'mca'"
FILLED = (
    "INSERT INTO household (id, household_no, size, region_path, region_state, as_of) "
    "VALUES ('h1', '1', 1, '532622205', 'PLACED', '2026-11-01')",
    "INSERT INTO citizen (id, citizen_uid, name, sex, household_id, region_path, region_state, "
    "dq, as_of) VALUES ('p1', 'u1', '侬某', 'MALE', 'h1', '532622205', 'PLACED', '', '2026-11-01')",
    "INSERT INTO case_file (id, case_no, item, flow, state, channel, intake, applicant_id, "
    "filed_at, overdue, has_complaint, body, applicant_uid, household_id, region_path, "
    "handling_dept) VALUES ('c1', 'SQ1', 'TEMP_AID', 'F1', 'ROUTED', 'SELF_RAISED', 'ONLINE', "
    f"'p1', '2026-11-01 00:00:00', false, false, 'x', 'u1', 'h1', {PLACE})",
)


def order(key: str, about: str, column: str = "case_id", applicant: str = "'u1'") -> str:
    """One order about something."""
    return (
        f"INSERT INTO supervision_order (id, order_no, {column}, kind, reason, state, issued_at, "
        "due_at, expired, applicant_uid, region_path, handling_dept) VALUES "
        f"('{key}', 'DB{key}', '{about}', 'URGE', 'OVERDUE', 'ISSUED', '2026-11-01 00:00:00', "
        f"'2026-11-02 00:00:00', false, {applicant}, {PLACE})"
    )


def event(key: str, of: str, applicant: str) -> str:
    """What was done to an order."""
    return (
        "INSERT INTO supervision_event (id, order_id, seq, act, state, at, post, applicant_uid, "
        f"region_path, handling_dept) VALUES ('{key}', '{of}', 1, 'ISSUE', 'ISSUED', "
        f"'2026-11-01 00:00:00', 'p', {applicant}, {PLACE})"
    )


REQUEST = (
    "INSERT INTO sharing_request (id, request_no, version, state, requester, provider, object, "
    "share_class, actions, purposes, items, reach, since, until, frequency, text, basis, filed_by, "
    "filed_at, overdue, region_path) VALUES ('r1', 'GX1', 1, 'PROVIDER_REVIEW', 'mca', 'hea', "
    "'Citizen.health', 'CONDITIONAL', 'read', 'aid.review', 'x', 'county', '2026-11-01', "
    "'2026-11-02', 'DAILY', 'x', 'x', 'a', '2026-11-01 00:00:00', false, '532622')"
)
NOTED = "SELECT row_id FROM change WHERE dataset = 'supervision_order' ORDER BY seq"
ORDERS = "SELECT id FROM supervision_order ORDER BY id"


def test_orders_stay_and_one_about_a_request_has_no_case(store_url: str) -> None:
    migrate.upgrade(store_url, BEFORE)
    execute(store_url, *FILLED, order("o1", "c1"), event("e1", "o1", "'u1'"))
    with pytest.raises(DBAPIError):
        execute(store_url, order("o2", "c1", applicant="NULL"))
    migrate.upgrade(store_url)
    about = order("o2", "r1", "sharing_request_id", "NULL")
    execute(store_url, REQUEST, about, event("e2", "o2", "NULL"))
    with pytest.raises(DBAPIError):
        execute(store_url, order("o3", "r9", "sharing_request_id", "NULL"))
    assert [row.id for row in execute(store_url, ORDERS)] == ["o1", "o2"]
    assert [row.row_id for row in execute(store_url, NOTED)] == ["o1", "o2"]
    if store_url.startswith("sqlite"):
        assert execute(store_url, "PRAGMA integrity_check")[0][0] == "ok"
        assert execute(store_url, "PRAGMA foreign_key_check") == []
    assert migrate.drift(store_url) == []
    migrate.downgrade(store_url, BEFORE)
    assert [row.id for row in execute(store_url, ORDERS)] == ["o1"]
    with pytest.raises(DBAPIError):
        execute(store_url, order("o2", "c1", applicant="NULL"))


def test_what_was_done_to_a_request_is_never_changed(store_url: str) -> None:
    migrate.upgrade(store_url)
    done = (
        "INSERT INTO sharing_request_event (id, request_id, seq, state, act, at, post, requester, "
        "provider, region_path) VALUES ('e1', 'r1', 1, 'SUBMITTED', 'SUBMIT', "
        "'2026-11-01 00:00:00', 'p', 'mca', 'hea', '532622')"
    )
    execute(store_url, REQUEST, done)
    for change in (
        "UPDATE sharing_request_event SET note = 'x'",
        "DELETE FROM sharing_request_event",
    ):
        with pytest.raises(DBAPIError, match="what was done to a request stays recorded"):
            execute(store_url, change)
    for wrong in (
        "UPDATE sharing_request SET provider = 'mca'",
        "UPDATE sharing_request SET answered_by = 'a'",
        "UPDATE sharing_request SET refusal = 'LAW_FORBIDS', refusal_basis = ''",
    ):
        with pytest.raises(DBAPIError):
            execute(store_url, wrong)
