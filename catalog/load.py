"""The whole catalogue as one frozen value.

``load(extra_dir)`` reads the packaged words and, beside them, the source files of
`extra_dir`. The first fault stops the start with one line: file, key, remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from catalog.bulletin import Edition, read_editions
from catalog.comparison import Comparisons, read_comparisons
from catalog.datasets import Dataset, SourceSpec, Words, read_source, unique
from catalog.departments import Department, read_department, read_departments
from catalog.divisions import Divisions, load_divisions
from catalog.errors import CatalogError
from catalog.grades import Sensitivity, SharingKind
from catalog.items import ServiceItem, read_items
from catalog.limits import Limits, read_limits
from catalog.needs import Needs, read_needs
from catalog.procedures import Procedures, read_procedures
from catalog.purposes import Purpose, read_purposes
from catalog.routing import RoutingRule, read_routing
from catalog.routing import Words as RoutingWords
from catalog.table import Table, read_toml
from catalog.validity import LegalBasis
from catalog.workdays import COUNTY_DAYS, Workdays, read_county_days, workdays

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class AuthObject:
    """An authorisation object ``Type.group`` and who provides it."""

    name: str
    title: str
    provider: str
    sharing: SharingKind


@dataclass(frozen=True)
class Catalog:
    """Every word the hub knows. Immutable; made once at start."""

    departments: Mapping[str, Department]
    divisions: Divisions
    items: Mapping[str, ServiceItem]
    purposes: Mapping[str, Purpose]
    legal_bases: Mapping[str, LegalBasis]
    objects: Mapping[str, AuthObject]
    codes: Mapping[str, Mapping[str, str]]
    code_titles: Mapping[str, str]
    sources: Mapping[str, SourceSpec]
    datasets: Mapping[str, Dataset]
    procedures: Procedures
    limits: Limits
    routing: tuple[RoutingRule, ...]
    calendar: Workdays
    illnesses: frozenset[str]
    comparisons: Comparisons
    needs: Needs
    bulletins: tuple[Edition, ...] = ()

    def of_type(self, type_name: str) -> Dataset:
        """The data set a GraphQL type shows; KeyError if none."""
        return self._by_type[type_name]

    @cached_property
    def sensitive_objects(self) -> frozenset[str]:
        """Objects with sensitive personal data in them (个人信息保护法第二十八条)."""
        fields = (field for dataset in self.datasets.values() for field in dataset.fields)
        return frozenset(f.object for f in fields if f.sensitivity is Sensitivity.L4_SENSITIVE)

    @property
    def _by_type(self) -> Mapping[str, Dataset]:
        return {d.type: d for d in self.datasets.values()}

    def owned(self, obj: str) -> bool:
        """Have the rows of an object an owner of their own? Else they are its provider's."""
        kind = obj.partition(".")[0]
        return any(d.owner is not None for d in self.datasets.values() if d.auth == kind)

    def facets(self, on: str) -> Mapping[str, tuple[Dataset, ...]]:
        """Facet containers of a type in catalogue order: container -> its data sets."""
        found: dict[str, tuple[Dataset, ...]] = {}
        for dataset in self.datasets.values():
            if dataset.facet is not None and dataset.facet.on == on:
                container = dataset.facet.container
                found[container] = (*found.get(container, ()), dataset)
        return found


@cache
def load(extra_dir: Path | None = None) -> Catalog:
    """Read everything; CatalogError for the first fault."""
    departments = read_departments(read_toml(HERE / "departments.toml"))
    bases = _bases(read_toml(HERE / "legal_bases.toml"))
    objects = _objects(read_toml(HERE / "objects.toml"), departments)
    titles, codes = _codes(read_toml(HERE / "codes.toml"))
    items = read_items(read_toml(HERE / "items.toml"), departments, bases)
    procedures = read_procedures(read_toml(HERE / "procedures.toml"), departments, bases)
    titles["ServiceItem"] = "服务事项"
    codes["ServiceItem"] = {item.code: item.title for item in items.values()}
    comparisons = read_comparisons(read_toml(HERE / "comparison.toml"), items, departments, bases)
    titles["ComparisonRule"] = "比对规则"
    codes["ComparisonRule"] = {rule.code: rule.title for rule in comparisons.rules}
    bulletins = read_editions(read_toml(HERE / "bulletin.toml"), bases)
    titles["FigureCode"] = "通报指标"
    codes["FigureCode"] = {f.code: f.title for one in bulletins for f in one.figures}
    folders = [HERE / "datasets", *([extra_dir] if extra_dir else [])]
    files = [read_toml(file) for folder in folders for file in sorted(folder.glob("*.toml"))]
    for file in files:
        _own_words(file, departments, titles, codes)
    words = Words(departments, objects, codes, bases)
    sources = [read_source(file, words) for file in files]
    datasets = unique(tuple(d for s in sources for d in s.datasets), "datasets/")
    _check_nests(datasets)
    divisions = load_divisions(HERE)
    return Catalog(
        departments=departments,
        divisions=divisions,
        items=items,
        purposes=read_purposes(read_toml(HERE / "purposes.toml"), bases),
        legal_bases=bases,
        objects=objects,
        codes=codes,
        code_titles=titles,
        sources={s.name: s for s in sources},
        datasets=datasets,
        procedures=procedures,
        limits=read_limits(read_toml(HERE / "limits.toml"), items, bases),
        routing=read_routing(
            read_toml(HERE / "routing.toml"),
            RoutingWords(items, departments, divisions.by_path, bases),
        ),
        calendar=_calendar(extra_dir, bases),
        illnesses=_illnesses(read_toml(HERE / "illnesses.toml")),
        comparisons=comparisons,
        needs=read_needs(read_toml(HERE / "needs.toml"), items, {s.name for s in sources}, bases),
        bulletins=bulletins,
    )


def _calendar(extra_dir: Path | None, bases: Mapping[str, LegalBasis]) -> Workdays:
    # A day of the county's own file goes before the packaged one.
    own = extra_dir / COUNTY_DAYS if extra_dir is not None else None
    files = [HERE / COUNTY_DAYS, *([own] if own is not None and own.is_file() else [])]
    days = {d.day: d for file in files for d in read_county_days(file, bases)}
    return workdays(days.values())


def _own_words(
    file: Table,
    departments: dict[str, Department],
    titles: dict[str, str],
    codes: dict[str, dict[str, str]],
) -> None:
    """What a source file brings besides its data sets: its department, its code tables.

    Authorisation objects are not among them: what a new one allows is for the policy to say.
    """
    own = file.sub("department")
    if own is not None:
        one = read_department(own, own.text("code"))
        if one.code in departments:
            raise own.fail("code", f"`{one.code}` is a department already: leave it out")
        departments[one.code] = one
    more, tables = _code_tables(file, "code_table")
    taken = sorted(tables.keys() & codes.keys())
    if taken:
        raise file.fail(f"code_table[{taken[0]}]", "is a code table already: use it or rename it")
    titles |= more
    codes |= tables


def _check_nests(datasets: Mapping[str, Dataset]) -> None:
    for dataset in datasets.values():
        for nest in dataset.nests:
            child = datasets.get(nest.dataset)
            if child is None or child.source != dataset.source:
                raise CatalogError(
                    f"{dataset.source}.toml",
                    f"{dataset.name}.nest[{nest.name}]",
                    f"`{nest.dataset}` is no data set of this source",
                )


def _bases(table: Table) -> dict[str, LegalBasis]:
    found = {}
    for code, sub in table.tables():
        found[code] = LegalBasis(
            code,
            sub.text("title"),
            sub.optional("article"),
            sub.flag("confirmed", False),
            sub.flag("law", False),
        )
        sub.done()
    return found


def _objects(table: Table, departments: Mapping[str, Department]) -> dict[str, AuthObject]:
    found = {}
    for entry in table.subs("object"):
        name = entry.text("name")
        provider = entry.known("provider", departments, "department")
        sharing = entry.choice("sharing", SharingKind)
        found[name] = AuthObject(name, entry.text("title"), provider, sharing)
        entry.done()
    table.done()
    return found


def _illnesses(table: Table) -> frozenset[str]:
    """What no public notice may say of anybody."""
    found = frozenset((*table.texts("programme"), *table.texts("word")))
    table.done()
    return found


def _codes(table: Table) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    found = _code_tables(table, "table")
    table.done()
    return found


def _code_tables(table: Table, key: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    titles, codes = {}, {}
    for entry in table.subs(key):
        name = entry.text("name")
        titles[name], codes[name] = entry.text("title"), entry.pairs("values")
        if not codes[name]:
            raise entry.fail("values", "is empty: list code = label")
        entry.done()
    return titles, codes
