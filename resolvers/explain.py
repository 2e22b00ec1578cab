"""A Plan as a reviewer reads it: each Read, its source, its statement, rows, columns, record.

If this print cannot be understood, the Plan is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adapters.contract import Source
from authz.gate import Gate
from authz.lens import CellState, Mode
from authz.scope import Scope
from authz.wording import STATES, line_words
from catalog.datasets import RegionKind
from catalog.divisions import COUNTY
from catalog.load import Catalog
from resolvers.facet import facet_request, nest_rides
from resolvers.plan import Grouping, Kind, Plan, Read
from resolvers.refusal import refused

EXACT = "本人范围内精确计数"
PUBLISHED = "本期发布的汇总表（过少的不公布，取整；每期只做一次，人人相同）"
HOW = {
    Kind.ROOT: "根",
    Kind.ENTITY: "按键",
    Kind.EDGE: "关系",
    Kind.FACET: "部门数据",
    Kind.NEST: "下级数据",
}
TOP = (Kind.ROOT, Kind.ENTITY)


def explain(plan: Plan, gate: Gate, catalog: Catalog, sources: Mapping[str, Source]) -> str:
    """The whole Plan in Chinese; no value of any variable, no row."""
    return "\n".join(_Printer(plan, gate, catalog, sources).lines()) + "\n"


class _Printer:
    def __init__(
        self, plan: Plan, gate: Gate, catalog: Catalog, sources: Mapping[str, Source]
    ) -> None:
        self._plan, self._gate, self._catalog, self._sources = plan, gate, catalog, sources
        self._ids: set[str] = set()

    def lines(self) -> Iterator[str]:
        asker, shape = self._gate.asker, self._plan.shape
        places = self._catalog.divisions.by_path
        posts = "；".join(f"{p.dept}/{p.role}@{places[p.base].name}" for p in asker.posts)
        purpose = self._catalog.purposes[asker.purpose].title
        yield f"操作 {shape.operation} {shape.name or '（无名）'}"
        yield f"岗位 {posts}；用途 {asker.purpose} {purpose}；策略版本 {self._plan.policy}"
        for root in shape.roots:
            yield ""
            yield from self._read(root, 0)
        yield ""
        yield from self._legend()
        yield from self._record()

    def _read(self, read: Read, depth: int) -> Iterator[str]:
        pad = "  " * depth
        source = read.dataset.source
        what = f"{read.coordinate} → {read.dataset.title}（{source}）"
        yield f"{pad}[{read.id}] {HOW[read.kind]} {what}"
        error = refused(self._gate, read) if read.kind in TOP else None
        if error is not None:
            yield f"{pad}    拒绝：{error.message}（{error.reason}），不取任何数据"
            return
        if read.kind is Kind.ENTITY:
            by = f"{read.dataset.type}.{read.child}"
            yield f"{pad}    键：{by}；有引用以此为键才取，一次取完"
        if read.unreadable:
            yield f"{pad}    选择：@skip 或 @include 的条件为空，逐个对象报错，不给出内容"
        if read.group is not None:
            yield from self._groups(read, read.group, pad)
        elif read.kind in (Kind.FACET, Kind.NEST):
            yield from self._facet(read, pad)
        else:
            yield from self._rows(read, pad)
        for child in read.children:
            yield from self._read(child, depth + 1)

    def _groups(self, read: Read, group: Grouping, pad: str) -> Iterator[str]:
        """Counts: over whose rows, by what, exact or as published, by which statement."""
        planned = self._plan.reads[read.id]
        lens = self._gate.lens(read.dataset, read.mode)
        yield f"{pad}    行：{self._words(lens.rows)}；规则 {self._cited(lens.rules)}"
        words = self._catalog.codes.get(group.enum, {})
        titles = "，".join(words.get(name, name) for name in group.by) or "（总数）"
        published = lens.mode is Mode.TALLY
        yield f"{pad}    汇总：按 {titles}；{PUBLISHED if published else EXACT}"
        if planned.prepared is not None:
            when = "本期首次查询时的语句" if published else "语句"
            yield f"{pad}    {when}：{_flat(planned.prepared.describe())}"

    def _rows(self, read: Read, pad: str) -> Iterator[str]:
        planned = self._plan.reads[read.id]
        lens = self._gate.lens(read.dataset, read.mode, read.identifier)
        yield f"{pad}    行：{self._words(lens.rows)}；规则 {self._cited(lens.rules)}"
        yield from self._columns(planned.states, read, pad)
        if self._plan.rides(read.id):
            yield f"{pad}    语句：随上级语句以 JSON 带出"
        elif planned.prepared is None:
            yield f"{pad}    语句：无权，不取"
        else:
            yield f"{pad}    语句：{_flat(planned.prepared.describe())}"
        if planned.counted is not None:
            yield f"{pad}    总数：{_flat(planned.counted.describe())}"

    def _facet(self, read: Read, pad: str) -> Iterator[str]:
        rights = self._gate.facet(read.dataset)
        yield f"{pad}    人：{self._words(rights.see)}；规则 {self._cited(rights.rules)}"
        cells = self._cells(read)
        if cells is None:
            yield f"{pad}    语句：无权，不问该部门"
            return
        yield from self._columns(cells, read, pad)
        if self._rides(read):
            yield f"{pad}    语句：随上级语句以 JSON 带出"
            return
        source = self._sources[read.dataset.source]
        riding = [c.id for c in read.children if self._rides(c)]
        request = facet_request(read, cells, riding, self._by_own_region(read))
        yield f"{pad}    语句：{_flat(source.prepare(request).describe())}"

    def _rides(self, read: Read) -> bool:
        """True for a nest that comes as JSON text of its facet's statement."""
        cells = self._cells(read)
        json_mode = self._plan.json_mode and self._sources[read.dataset.source].json
        return (
            json_mode and read.kind is Kind.NEST and cells is not None and nest_rides(read, cells)
        )

    def _by_own_region(self, read: Read) -> bool:
        """True if the statement also compares the rows' own region with the asker's places."""
        if read.dataset.region.kind is not RegionKind.CODE:
            return False
        return self._gate.facet(read.dataset).own_codes(self._catalog.divisions) is not None

    def _words(self, scope: Scope) -> str:
        depts = {d.code: d.short for d in self._catalog.departments.values()}
        return scope.describe(self._catalog.divisions.by_path, depts)

    def _cells(self, read: Read) -> Mapping[str, CellState] | None:
        """The states at the asker's own place: an adult's, else a minor's."""
        rights = self._gate.facet(read.dataset)
        bases = [p.base for p in self._gate.asker.posts] or [COUNTY]
        found = (rights.cells(base, minor) for base in bases for minor in (False, True))
        admitted = next((cells for cells in found if cells is not None), None)
        return None if admitted is None else dict(admitted)

    def _columns(self, states: Mapping[str, CellState], read: Read, pad: str) -> Iterator[str]:
        groups = {f.name: f.object for f in read.dataset.fields if f.object != read.dataset.object}
        shown = [
            f"{c} {STATES[states[c]]}" + (f"〔{groups[c]}〕" if c in groups else "")
            for c in read.columns
            if c in states
        ]
        yield f"{pad}    列：{'，'.join(shown) or '（只取存在与否）'}"

    def _cited(self, rules: Sequence[str]) -> str:
        self._ids.update(rules)
        return " ".join(rules) or "无"

    def _legend(self) -> Iterator[str]:
        """The lines of the policy behind the ids, in the policy's own words."""
        cited = {rule.id: rule for rule in self._gate.book.rules if rule.id in self._ids}
        if not cited:
            return
        yield "规则（岗位角色@部门，授权对象与操作，范围与数据所属部门，用途，依据）"
        for rule in sorted(cited.values(), key=lambda r: (r.object, r.action, r.line)):
            yield f"    {line_words(rule)}"
        yield ""

    def _record(self) -> Iterator[str]:
        reads = [r for r in self._plan.shape.walk() if r.id in self._plan.reads]
        if not reads:
            yield "审计记录 READ：拒绝（DENIED），没有读取任何数据"
            return
        kinds = "AUDIT_READ" if any(r.dataset.source == "audit" for r in reads) else "READ"
        names = "，".join(dict.fromkeys(r.dataset.name for r in reads)) or "无"
        told = "每列明文与脱敏行数、所见人员代号" if any(r.group is None for r in reads) else ""
        counts = "汇总的维度与组数（不涉及人员）" if any(r.group is not None for r in reads) else ""
        what = "；".join(text for text in (told, counts) if text)
        yield f"审计记录 {kinds}：数据集 {names}；{what}、规则编号"


def _flat(text: str) -> str:
    return " ".join(text.split())
