"""hub/printing/kinds.py: each document fits the schema and asks for no more than its paper says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from catalog.errors import BadUserInput, ValidationFailed
from catalog.load import load
from domain.case import CaseState, is_decided
from hub.app import assemble
from hub.demo.site import Site
from hub.printing.kinds import CODED, HERE, KINDS, ROOT, Kind
from hub.printing.making import Prints
from hub.release import _safe_name


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.name)
def test_a_document_is_of_one_row_and_names_itself(kind: Kind, site: Site) -> None:
    hub = assemble(site.settings())
    told = hub.trusted.examiner.examined(kind.text)
    _, *beside = told.roots
    sums = {"bulletin_figure"} if kind.name == "bulletin" else set()
    assert {read.dataset.name for read in beside} == sums  # nobody's rows
    document = hub.engine.documents.get(kind.text)
    name = document.operation(None).name
    assert name is not None
    assert name.startswith("Print")
    assert _safe_name(name) == name  # else the record would not say what was printed
    assert {variable.name for variable in told.variables} == set(kind.variables("X", 100))


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.name)
def test_no_document_asks_for_an_id_number_and_each_names_its_row(kind: Kind) -> None:
    asked = {*re.findall(r"\w+", re.sub("#.*", "", kind.text))}
    assert asked & {"idNumber", "idDigest", "ethnic", "birthDate", "applicantUid"} == set()
    assert {"id", kind.number, ROOT} <= asked


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.name)
def test_its_template_is_there_with_its_version(kind: Kind) -> None:
    name, version = kind.template.split("/")
    page = (HERE / "templates" / f"{name}.{version}.html").read_text(encoding="utf-8")
    assert f"{{% block title %}}{kind.title}{{% endblock %}}" in page


def test_every_folder_file_belongs_to_a_kind() -> None:
    documents = {file.stem for file in (HERE / "documents").iterdir()}
    assert documents == {kind.document for kind in KINDS.values()}


def test_every_coded_name_has_its_code_table() -> None:
    tables = load().codes
    assert [table for table in CODED.values() if table not in tables] == []
    asked = " ".join(kind.text for kind in KINDS.values())
    assert [name for name in CODED if not re.search(rf"\b{name}\b", asked)] == []


def test_lists_are_no_longer_than_a_page() -> None:
    order = KINDS["work-order"]
    assert order.variables("SQ1", 1_000) == {"number": "SQ1", "events": 100}
    assert order.variables("SQ1", 7) == {"number": "SQ1", "events": 7}


@pytest.mark.parametrize("state", CaseState)
def test_a_decision_is_printed_once_there_is_one(state: CaseState) -> None:
    check = KINDS["decision"].check
    if is_decided(state):
        check({"caseState": state.value})
    else:
        with pytest.raises(BadUserInput) as refused:
            check({"caseState": state.value})
        assert refused.value.reason == "UNDECIDED"


def test_a_kind_whose_document_does_not_fit_ends_the_start(site: Site, tmp_path: Path) -> None:
    (tmp_path / "odd.graphql").write_text("query PrintOdd { record: nothing { id } }")
    odd = Kind("odd", "怪", "caseNo", "odd", "odd/1", folder=tmp_path)
    hub = assemble(site.settings())
    made = (hub.store, hub.catalog, hub.release, hub.engine.documents)
    with pytest.raises(ValidationFailed):
        Prints(*made, url=None, wait_s=1, sandbox=True, kinds={"odd": odd})
