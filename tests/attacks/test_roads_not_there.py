"""Roads that do not exist yet. Who builds one adds it to every attack in this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from graphql import GraphQLObjectType, is_abstract_type

from tests.attacks.conftest import ROADS, reasons

if TYPE_CHECKING:
    from tests.attacks.conftest import County

KNOWN = {
    "viewer", "citizen", "citizens", "household", "division", "divisions", "case", "cases",
    "caseStats", "workOrders", "timeouts",
    "supervisionOrder", "supervisionOrders", "department", "departments", "dataset",
    "datasets", "auditEvents", "subjectAccess", "actorActivity", "accessSummary", "topSubjects",
    "auditAlerts", "auditHealth", "spotSample", "auditProof",
    "mySubjectAccess", "myActivity", "sources", "_entities", "_service",
    "bulletin", "bulletins", "bulletinFigures", "rankings",
    "complaint", "complaints", "spotChecks", "spotCheckItems",
    "accountChange", "accountChanges", "trainingRecords", "staffingGaps",
    "correction", "corrections", "correctionReaders",
    "sharingRequest", "sharingRequests", "refusedOrUnanswered",
    "comparisonRuns", "riskClue", "riskClues",
}  # fmt: skip
"""Every root. A new one is a new road: see to each attack before it is added here."""

SUBSCRIBED = {"caseEvents", "supervisionEvents", "caseCounts"}
"""Every subscription; what it tells of a row is what `test_subscriptions.py` attacks."""

CHANGED = {
    "submitCase", "acceptCase", "returnCase", "rejectCase", "transferCase", "visitCase",
    "deliberateCase", "publishCase", "objectToCase", "reviewCase", "presentCase", "approveCase",
    "denyCase", "notifyDecision", "extendWorkOrder",
    "deliverCase", "closeCase", "followUpCase", "withdrawCase", "reopenCase",
    "fileComplaint", "assignComplaint", "answerComplaint", "notifyComplaint", "escalateComplaint",
    "closeComplaint", "drawSpotCheck", "checkSpotCheckItem", "orderRectification",
    "rectifySpotCheckItem", "closeSpotCheckItem",
    "issueSupervision", "signSupervision", "startSupervision", "finishSupervision",
    "reportSupervision", "reviewSupervision", "closeSupervision", "sendBackSupervision",
    "fileAccountChange", "approveAccountChange", "applyAccountChange", "handOverAccountChange",
    "confirmAccountChange", "activateAccountChange", "recordTraining",
    "fileCorrection", "acceptCorrection", "flagCorrection", "assignCorrection",
    "investigateCorrection", "decideCorrection", "confirmCorrection", "replayCorrection",
    "notifyCorrection", "closeCorrection", "extendCorrection",
    "submitSharingRequest", "reviewSharingRequest", "grantSharingRequest",
    "grantSharingRequestPartly", "refuseSharingRequest", "extendSharingRequest", "revokeSharing",
    "disputeSharingRefusal", "rejectSharingBasis", "mediateSharingRequest",
    "decideSharingRequest",
}  # fmt: skip
"""Every mutation: `test_mutations.py`, `test_complaint_mutations.py`, `test_corrections.py` and
`test_sharing_requests.py`, `test_account_changes.py`."""

DOCUMENTS = {
    "node": '{ node(id: "x") { id } }',
    "nodes": '{ nodes(ids: ["x"]) { id } }',
    "mutation": 'mutation { fileCase(input: {item: "TEMP_AID"}) { case { id } } }',
    "mutation by the row": 'mutation { updateCase(id: "x", patch: {state: "CLOSED"}) { id } }',
    "subscription": "subscription { caseChanged { id } }",
}


def test_the_schema_has_no_road_that_no_attack_was_tried_on(county: County) -> None:
    schema = county.desk.bindings.schema
    assert schema.query_type is not None
    assert set(schema.query_type.fields) == KNOWN
    assert schema.mutation_type is not None
    assert set(schema.mutation_type.fields) == CHANGED
    assert schema.subscription_type is not None
    assert set(schema.subscription_type.fields) == SUBSCRIBED


def test_no_type_can_stand_for_another(county: County) -> None:
    """No interface; one union of rows, whose fragments are tried in test_entities.py; payloads."""
    kinds = county.desk.bindings.schema.type_map.values()
    payloads = [f"{name[0].upper()}{name[1:]}Payload" for name in CHANGED]
    found = [kind.name for kind in kinds if is_abstract_type(kind)]
    assert sorted(found) == sorted(["_Entity", *payloads])


def test_persons_are_reached_by_the_roads_that_are_attacked(county: County) -> None:
    """Fields that lead to a Citizen; each is a step of one of the roads."""
    leading = {
        f"{kind.name}.{name}"
        for kind in county.desk.bindings.schema.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
        for name, field in kind.fields.items()
        if str(field.type).strip("[]!") in ("Citizen", "CitizenConnection", "_Entity")
    }
    assert leading == {
        "Query.citizen", "Query.citizens", "Household.members", "Case.applicant",
        "Complaint.complainant", "CitizenConnection.nodes", "CitizenEdge.node", "Query._entities",
    }  # fmt: skip
    text = " ".join(road.text for road in ROADS.values())
    assert [
        f
        for f in ("citizen(", "citizens(", "members", "applicant", "_entities(", "complainant")
        if f not in text
    ] == []


@pytest.mark.parametrize("road", DOCUMENTS)
def test_who_tries_it_is_told_the_field_is_not_there(county: County, road: str) -> None:
    before = county.desk.sent()
    answer = county.answer(DOCUMENTS[road], account="lab")
    assert (answer.data, answer.executed) == (None, False)
    assert {code for code, _ in reasons(answer)} == {"GRAPHQL_VALIDATION_FAILED"}
    assert county.desk.sent() == before
