"""docs/telemetry.md and what deploy/ ships for it ask for nothing that a hub does not export."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from audit.quorum import WitnessState
from hub.app import assemble, create_app, running
from hub.demo.site import Site
from hub.settings import PORT
from hub.telemetry.exporting import METRICS, telemetry_of
from hub.telemetry.metrics import MetricName
from hub.telemetry.spans import NUMBERS, Attribute, SpanName

PAGE = "docs/telemetry.md"
WORDS = {
    *("sum", "max", "by", "rate", "histogram_quantile", "label_values"),
    *("job", "instance", "le", "m"),
}
"""What may stand in an expression beside names of metrics and their labels."""
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_TEXT = re.compile(r'"[^"]*"')

Exported = Mapping[str, set[str]]
"""Name of a series -> its labels."""


@pytest.fixture(scope="module")
def exported(site: Site) -> Exported:
    """What a hub of files and databases tells after one question and one stranger."""
    return asyncio.run(_scraped(site))


async def _scraped(site: Site) -> Exported:
    settings = site.connected({}, **{"telemetry.metrics": "127.0.0.1"})
    async with running(assemble(settings, telemetry=telemetry_of(settings))) as hub:
        hub.quorum.learned(WitnessState(0, 1, None, 0, 1, ()))  # as if a witness were named
        transport = httpx.ASGITransport(create_app(hub))
        token = hub.tokens.issue("lab", ("aid.review",))
        person = site.shown("zhelai").id18
        query = """query($n: String!) { citizen(by: {idNumber: $n}) { name
          civilAffairs { minLiving { status } } education { enrolment { sex } } } }"""
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            for headers in ({}, {"Authorization": f"Bearer {token}"}):
                body = {"query": query, "variables": {"n": person}}
                await client.post("/graphql", json=body, headers=headers)
            text = (await client.get(METRICS)).text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _plain(name: str, exported: Exported) -> set[str]:
    """The series of a metric in Prometheus' spelling."""
    spelt = name.replace(".", "_")
    return {s for s in exported if re.fullmatch(rf"{spelt}(_seconds)?(_total|_bucket)?", s)}


def test_every_metric_is_really_exported(exported: Exported) -> None:
    assert {name: bool(_plain(name, exported)) for name in MetricName} == dict.fromkeys(
        MetricName, True
    )
    ours = {s for s in exported if s.startswith("hub_")}
    assert ours - {s for name in MetricName for s in _plain(name, exported)} == {
        f"hub_{name}_seconds_{part}"
        for name in ("request_duration", "source_duration", "audit_append_duration")
        for part in ("count", "sum")
    }


def test_every_metric_and_its_attributes_are_told(
    page: Callable[[str], Any], exported: Exported
) -> None:
    told = {}
    for names, _kind, attributes, _what in page(PAGE).rows("指标"):
        for name in re.findall(r"`([^`]+)`", names):
            told[name] = {a.replace(".", "_") for a in re.findall(r"`([^`]+)`", attributes)}
    assert sorted(told) == sorted(MetricName)
    for name, labels in told.items():
        (series,) = _plain(name, exported)
        assert exported[series] - {"le"} == labels, name


def test_every_span_and_attribute_is_told(page: Callable[[str], Any]) -> None:
    rows = page(PAGE).rows("跨度")
    names = [n for row in rows for n in re.findall(r"`([^`]+)`", row[0])]
    assert sorted(names) == sorted(SpanName)
    attributes = {a for row in rows for a in re.findall(r"`([^`]+)`", row[2])}
    assert attributes == {*Attribute}
    assert {*NUMBERS} < attributes


# ---- deploy/ -----------------------------------------------------------------------------------


def strange(expression: str, exported: Exported) -> list[str]:
    """What an expression names that is neither exported, a label of it, nor a known word."""
    words = {*_WORD.findall(_TEXT.sub("", expression.replace("$job", "")))}
    series = words & exported.keys()
    labels = set().union(*(exported[s] for s in series)) if series else set()
    return sorted(words - series - labels - WORDS) + ([] if series else ["no series"])


def expressions(panels: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for panel in panels:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


@pytest.fixture(scope="module")
def dashboard(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "deploy/grafana-dashboard.json").read_text("utf-8"))
    return found


def test_every_panel_asks_for_what_is_exported(
    dashboard: dict[str, Any], exported: Exported
) -> None:
    asked = list(expressions(dashboard["panels"]))
    assert {title: said for title, text in asked if (said := strange(text, exported))} == {}
    (variable,) = dashboard["templating"]["list"]
    assert strange(variable["query"]["query"], exported) == []
    everything = " ".join(text for _, text in asked)
    unseen = [n for n in MetricName if not any(s in everything for s in _plain(n, exported))]
    assert unseen == []


def test_a_panel_that_asks_for_something_else_is_seen(exported: Exported) -> None:
    for text, fault in {
        'sum(rate(hub_request_total{job="$job"}[5m]))': "hub_request_total",
        "up": "up",
        "max by (hub_reason) (hub_policy_age_seconds)": "hub_reason",
        "sum by (hub_sauce) (rate(hub_source_calls_total[5m]))": "hub_sauce",
        "hub_audit_append_duration_seconds_bucket + process_cpu_seconds_total": "process_cpu_",
    }.items():
        assert [found for found in strange(text, exported) if found.startswith(fault)], text


def test_the_dashboard_can_be_imported(dashboard: dict[str, Any]) -> None:
    """What Grafana's import asks for: a data source to choose, ids and places of their own."""
    (wanted,) = dashboard["__inputs"]
    assert (wanted["type"], wanted["pluginId"]) == ("datasource", "prometheus")
    panels = dashboard["panels"]
    uid = "${" + wanted["name"] + "}"
    assert {p["datasource"]["uid"] for p in panels} == {uid}
    assert {t["datasource"]["uid"] for p in panels for t in p["targets"]} == {uid}
    assert len({p["id"] for p in panels}) == len(panels) == 16
    assert all(re.search(r"[一-鿿]", p["title"]) for p in panels)
    assert dashboard["schemaVersion"] >= 36
    taken = [
        (x, y)
        for p in panels
        for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"])
        for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])
    ]
    assert len(taken) == len({*taken})
    assert max(x for x, _ in taken) == 23


def _yaml(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def test_prometheus_collects_where_the_hub_answers(root: Path, exported: Exported) -> None:
    found = _yaml(root / "deploy/prometheus.yml")
    (job,) = found["scrape_configs"]
    assert (job["metrics_path"], job["job_name"]) == (METRICS, "data-sharing-hub")
    assert job["static_configs"] == [{"targets": [f"127.0.0.1:{PORT}"]}]
    (file,) = found["rule_files"]
    (group,) = _yaml(root / "deploy" / file)["groups"]
    rules = {r["alert"]: r["expr"] for r in group["rules"]}
    assert {name: said for name, text in rules.items() if (said := strange(text, exported))} == {}
    assert len(group["rules"]) == 8
    assert all({"expr", "labels", "annotations"} <= r.keys() for r in group["rules"])


def test_the_collector_listens_where_the_settings_example_sends(root: Path) -> None:
    found = _yaml(root / "deploy/otel-collector.yml")
    (receiver,) = found["receivers"].values()
    address = f"http://{receiver['protocols']['http']['endpoint']}"
    assert address == "http://127.0.0.1:4318"
    assert f"`{address}`" in (root / "docs/operations.md").read_text(encoding="utf-8")
    pipelines = found["service"]["pipelines"]
    assert {*pipelines} == {"traces", "metrics"}
    for parts in pipelines.values():
        for kind in ("receivers", "processors", "exporters"):
            assert {*parts[kind]} <= {*found[kind]}, kind
    used = {name for parts in pipelines.values() for kind in parts.values() for name in kind}
    assert used == {*found["receivers"], *found["processors"], *found["exporters"]}
