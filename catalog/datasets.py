"""What a source and its data sets are: one TOML file a source, read strictly.

A data set is one kind of row a source can give: whose it is, how it is found, where it
lies, which authorisation object each column belongs to, and how much of it a mask leaves.
Adding a department's data set is adding one such file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from catalog.deprecation import Deprecation, deprecation
from catalog.errors import CatalogError
from catalog.grades import Mask, Sensitivity, SharingKind, UpdateCycle
from catalog.interface import Interface, read_interface
from catalog.states import CodeScheme
from catalog.subgraph import Subgraph, misfit, read_subgraph
from catalog.table import Table

ROOM = 16  # calls at once; a department's system is no larger than a county's


class Kind(StrEnum):
    """Kinds of source; each has one adapter."""

    SQL = "sql"
    REST = "rest"
    GRAPHQL = "graphql"
    FILES = "files"


class FieldType(StrEnum):
    """What a column holds once it is read. `money` is decimal text in yuan."""

    ID = "id"
    STRING = "string"
    INT = "int"
    SEQUENCE = "sequence"
    BOOL = "bool"
    DATE = "date"
    MONTH = "month"
    DATETIME = "datetime"
    MONEY = "money"
    DECIMAL = "decimal"
    DIVISION = "division"
    CODE = "code"
    LINES = "lines"


class Decode(StrEnum):
    """How a source writes a value: what the adapter must undo. Unreadable is DQ10."""

    PLAIN = "plain"
    YYYYMMDD = "yyyymmdd"
    YYYYMM = "yyyymm"
    EXCEL_SERIAL = "excel_serial"
    AMOUNT = "amount"
    SQUARE_METRES = "square_metres"
    VALUES = "values"
    DIVISION = "division"
    PLACE_NAME = "place_name"


class KeyKind(StrEnum):
    """How rows are found: by a person's id number, by a place, or by a plain column."""

    IDENTITY = "identity"
    DIVISION = "division"
    COLUMN = "column"


class RegionKind(StrEnum):
    """Where a row lies: a region path of its own, a foreign code, or where its citizen lives."""

    PATH = "path"
    CODE = "code"
    CITIZEN = "citizen"
    COUNTY = "county"


@dataclass(frozen=True, slots=True)
class Sharing:
    """共享属性 with its condition (CONDITIONAL) or its law (NOT_SHARED)."""

    kind: SharingKind
    condition: str | None
    basis: str


@dataclass(frozen=True, slots=True)
class Field:
    """One column: `name` in GraphQL, `column` at the source, `object` its authorisation group.

    `deprecated`: it will go, and the contract says so.
    """

    name: str
    column: str
    title: str
    description: str
    type: FieldType
    object: str
    sensitivity: Sensitivity
    mask: Mask
    nullable: bool
    decode: Decode
    code: str | None
    values: Mapping[str, str]
    exposed: bool
    deprecated: Deprecation | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """The columns a row is found by; several columns are one key joined with ``/``."""

    kind: KeyKind
    columns: tuple[str, ...]
    formats: tuple[str, ...]
    scheme: CodeScheme


@dataclass(frozen=True, slots=True)
class Region:
    """Where the row lies; `column` holds a path or a code of `scheme`."""

    kind: RegionKind
    column: str | None
    scheme: CodeScheme


@dataclass(frozen=True, slots=True)
class Join:
    """A second table of the same source, `left` a column of the first."""

    table: str
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Facet:
    """Where the data set hangs: `on` Citizen or Household, `container` the department's field."""

    on: str
    container: str
    field: str
    many: bool


@dataclass(frozen=True, slots=True)
class Nest:
    """A data set of the same source below this one, e.g. a house's appraisals."""

    name: str
    dataset: str
    parent: str
    child: str
    title: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How a data set's delivered files are laid out, for a source of kind ``files``.

    `header_row`: the line (from 1) with the column names, titles stand above it; of a header of
    `header_rows` lines with merged cells it is the last, and an upper name goes before the names
    below it (监护人1 over 姓名 is 监护人1姓名). `sheet`: of a workbook, the first if None. `trim`:
    blanks, full-width ones too, at the ends of a cell are not part of its value.
    """

    header_row: int = 1
    header_rows: int = 1
    sheet: str | None = None
    trim: bool = True


@dataclass(frozen=True)
class Dataset:
    """One kind of row. `type` is its GraphQL type, `auth` the type its Lens is made for.

    Source columns: `owner` the handling department, `subject` the person's `citizen_uid`,
    `birth` decides the class of minors, `bound` the household a case number narrows to,
    `person_name` the source's own spelling of the name, for the match grade. `clean`: the
    source's own text is the wire text, so that rows may ride as JSON without a decoder.
    `tally`: the object of its published counts, for those who may not list its rows. `entity`:
    the fields a federation gateway may name one row by, the first of them first. `party`: a second
    department that the row belongs to as much as to its `owner`: who may touch the rows of either
    may touch it.
    """

    name: str
    type: str
    title: str
    description: str
    source: str
    provider: str
    auth: str
    object: str
    sharing: Sharing
    legal_basis: str
    update_cycle: UpdateCycle
    table: str
    joins: tuple[Join, ...]
    key: Key
    region: Region
    owner: str | None
    subject: str | None
    birth: str | None
    bound: str | None
    person_name: str | None
    order: tuple[tuple[str, bool], ...]
    facet: Facet | None
    nests: tuple[Nest, ...]
    fields: tuple[Field, ...]
    clean: bool = False
    tally: str | None = None
    layout: Layout = Layout()
    entity: tuple[str, ...] = ()
    party: str | None = None

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """Fields by their GraphQL name."""
        return {f.name: f for f in self.fields}

    @property
    def personal(self) -> bool:
        """True if a row is one person's own: his on the register, or found by his id number."""
        return self.birth is not None or self.key.kind is KeyKind.IDENTITY


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One department system as the catalogue describes it; its address is a setting.

    `rest`, `graphql`: how it is asked over HTTP, for the kind of that name. `copy_of`: the source
    whose tables it has too, so that its rows are as trusted as that one's.
    What the department lets the hub ask of its system: `room` calls at once (of each worker), and,
    all workers together, `rate` calls a second, `quota` calls a day of Beijing; None for no limit.
    """

    name: str
    title: str
    department: str
    kind: Kind
    scheme: CodeScheme
    datasets: tuple[Dataset, ...]
    rest: Interface | None = None
    graphql: Subgraph | None = None
    copy_of: str | None = None
    room: int = ROOM
    rate: int | None = None
    quota: int | None = None

    @property
    def limited(self) -> bool:
        """Its calls are counted by all workers together."""
        return self.rate is not None or self.quota is not None


@dataclass(frozen=True, slots=True)
class Words:
    """What a source file may refer to: departments, objects, code tables, legal bases."""

    departments: Mapping[str, object]
    objects: Mapping[str, object]
    codes: Mapping[str, Mapping[str, str]]
    bases: Mapping[str, object]


def read_source(table: Table, words: Words) -> SourceSpec:
    """One ``datasets/<source>.toml`` -> SourceSpec; CatalogError for the first fault."""
    head = table.sub("source")
    if head is None:
        raise table.fail("source", "is missing: add a [source] table")
    name = head.text("name")
    if table.file != f"{name}.toml":
        raise head.fail("name", f"`{name}` differs from the file's name: rename one of them")
    department = head.known("department", words.departments, "department")
    title, kind = head.text("title"), head.choice("kind", Kind)
    scheme = head.choice("code_scheme", CodeScheme)
    rest, graphql = _rest(head, kind), _graphql(head, kind)
    room, rate, quota = head.positive("room"), head.positive("rate"), head.positive("quota")
    head.done()
    datasets = tuple(
        _dataset(t, words, source=name, provider=department, scheme=scheme)
        for t in table.subs("dataset")
    )
    if graphql is not None:
        _check_fields(head, graphql, datasets)
    table.done()
    return SourceSpec(
        name,
        title,
        department,
        kind,
        scheme,
        datasets,
        rest,
        graphql,
        room=room or ROOM,
        rate=rate,
        quota=quota,
    )


def _rest(head: Table, kind: Kind) -> Interface | None:
    sub = head.sub("rest")
    if sub is not None:
        return read_interface(sub)
    if kind is Kind.REST:
        raise head.fail("rest", "is missing: say under [source.rest] how it is asked")
    return None


def _graphql(head: Table, kind: Kind) -> Subgraph | None:
    sub = head.sub("graphql")
    if sub is not None:
        return read_subgraph(sub)
    if kind is Kind.GRAPHQL:
        raise head.fail("graphql", "is missing: say under [source.graphql] how it is asked")
    return None


def _check_fields(head: Table, subgraph: Subgraph, datasets: tuple[Dataset, ...]) -> None:
    for dataset in datasets:
        columns = [f.column for f in dataset.fields] + [name for name, _ in dataset.order]
        columns += [dataset.person_name] if dataset.person_name else []
        keys = dataset.key.columns if dataset.key.kind is KeyKind.IDENTITY else ()
        wrong = misfit(subgraph, dataset.table, keys, columns)
        if wrong is not None:
            raise head.fail("graphql", wrong)
    unused = [name for name in subgraph.fields if name not in {d.table for d in datasets}]
    if unused:
        raise head.fail("graphql.fields", f"`{unused[0]}` is no data set's table: remove it")


def _dataset(
    table: Table, words: Words, *, source: str, provider: str, scheme: CodeScheme
) -> Dataset:
    group = table.known("object", words.objects, "authorisation object")
    fields = tuple(_field(t, words, group) for t in table.subs("field"))
    dataset = Dataset(
        name=table.text("name"),
        type=table.text("type"),
        title=table.text("title"),
        description=table.text("description"),
        source=source,
        provider=_provider(table, words, provider),
        auth=group.partition(".")[0],
        object=group,
        sharing=_sharing(table, words),
        legal_basis=table.known("legal_basis", words.bases, "legal basis"),
        update_cycle=table.choice("update_cycle", UpdateCycle),
        table=table.text("table"),
        joins=tuple(_join(t) for t in table.subs("join", "table")),
        key=_key(table, scheme),
        region=_region(table, scheme),
        owner=table.optional("owner"),
        party=table.optional("party"),
        subject=table.optional("subject"),
        birth=table.optional("birth"),
        bound=table.optional("bound"),
        person_name=table.optional("person_name"),
        order=tuple(_order(o) for o in table.texts("order")),
        facet=_facet(table),
        nests=tuple(_nest(t) for t in table.subs("nest")),
        clean=table.flag("clean", False),
        tally=_tally(table, words),
        layout=_layout(table),
        entity=table.texts("entity"),
        fields=fields,
    )
    if not fields:
        raise table.fail("field", "has no fields: add a [[dataset.field]]")
    _check_subject(table, dataset)
    if dataset.party is not None and dataset.owner is None:
        raise table.fail("party", "is a second owner: name the first one under `owner`")
    table.done()
    return dataset


def _check_subject(table: Table, dataset: Dataset) -> None:
    # A data set that shows persons must say whom, or the access log would miss them.
    personal = any(f.sensitivity in PERSONAL for f in dataset.fields)
    found = dataset.subject is not None or dataset.key.kind is KeyKind.IDENTITY
    if personal and not found:
        raise table.fail("subject", "personal fields but no subject column: name it")


PERSONAL = (Sensitivity.L3_PERSONAL, Sensitivity.L4_SENSITIVE)


def _provider(table: Table, words: Words, default: str) -> str:
    provider = table.optional("provider")
    if provider is None:
        return default
    if provider not in words.departments:
        raise table.fail("provider", f"`{provider}` is no department")
    return provider


def _tally(table: Table, words: Words) -> str | None:
    found = table.optional("tally")
    if found is not None and found not in words.objects:
        raise table.fail("tally", f"`{found}` is no authorisation object: see objects.toml")
    return found


def _sharing(table: Table, words: Words) -> Sharing:
    sub = table.sub("sharing")
    if sub is None:
        raise table.fail("sharing", "is missing: say kind, condition and basis")
    kind = sub.choice("kind", SharingKind)
    condition = sub.optional("condition")
    if kind is SharingKind.CONDITIONAL and condition is None:
        raise sub.fail("condition", "is missing: CONDITIONAL states its condition")
    sharing = Sharing(kind, condition, sub.known("basis", words.bases, "legal basis"))
    sub.done()
    return sharing


def _key(table: Table, scheme: CodeScheme) -> Key:
    sub = table.sub("key")
    if sub is None:
        raise table.fail("key", "is missing: say kind and columns")
    kind = sub.choice("kind", KeyKind)
    columns, formats = sub.texts("columns"), sub.texts("formats")
    own = sub.choice("code_scheme", CodeScheme, scheme)
    if not columns:
        raise sub.fail("columns", "is missing: name at least one column")
    unknown = [f for f in formats if f not in KEY_FORMATS]
    if unknown:
        raise sub.fail("formats", f"`{unknown[0]}` is unknown: use {' '.join(KEY_FORMATS)}")
    if kind is KeyKind.IDENTITY and not formats:
        raise sub.fail("formats", f"is missing: use one of {' '.join(KEY_FORMATS)}")
    sub.done()
    return Key(kind, columns, formats, own)


KEY_FORMATS = ("id18", "lower_x", "id15", "g18", "disability20", "apostrophe", "padded")
"""Spellings of an id number a source is known to hold (领域设计 2.5)."""


def _region(table: Table, scheme: CodeScheme) -> Region:
    sub = table.sub("region")
    if sub is None:
        raise table.fail("region", "is missing: say kind (and column)")
    kind = sub.choice("kind", RegionKind)
    column, own = sub.optional("column"), sub.choice("code_scheme", CodeScheme, scheme)
    if kind in (RegionKind.PATH, RegionKind.CODE) and column is None:
        raise sub.fail("column", "is missing: a row's own region needs its column")
    sub.done()
    return Region(kind, column, own)


def _join(table: Table) -> Join:
    join = Join(table.text("table"), table.text("left"), table.text("right"))
    table.done()
    return join


def _order(text: str) -> tuple[str, bool]:
    return (text[1:], True) if text.startswith("-") else (text, False)


def _facet(table: Table) -> Facet | None:
    sub = table.sub("facet")
    if sub is None:
        return None
    facet = Facet(
        sub.text("on", "Citizen"), sub.text("container"), sub.text("field"), sub.flag("many", False)
    )
    sub.done()
    return facet


def _layout(table: Table) -> Layout:
    sub = table.sub("file")
    if sub is None:
        return Layout()
    layout = Layout(
        sub.number("header_row", 1),
        sub.number("header_rows", 1),
        sub.optional("sheet"),
        sub.flag("trim", True),
    )
    if not 1 <= layout.header_rows <= layout.header_row:
        raise sub.fail("header_row", "is the header's last line, from 1: at least `header_rows`")
    sub.done()
    return layout


def _nest(table: Table) -> Nest:
    nest = Nest(
        table.text("name"),
        table.text("dataset"),
        table.text("parent"),
        table.text("child"),
        table.text("title"),
    )
    table.done()
    return nest


def _field(table: Table, words: Words, group: str) -> Field:
    name = table.text("name")
    own = table.optional("object") or group
    if own not in words.objects:
        raise table.fail("object", f"`{own}` is no authorisation object: see objects.toml")
    kind = table.choice("type", FieldType)
    code = table.optional("code")
    if kind is FieldType.CODE and code is None:
        raise table.fail("code", "is missing: name the code table")
    if code is not None and code not in words.codes:
        raise table.fail("code", f"`{code}` is no code table: see codes.toml")
    values = table.pairs("values")
    if code is not None and any(v not in words.codes[code] for v in values.values()):
        raise table.fail("values", f"a value is not in code table {code}")
    title = table.text("title")
    field = Field(
        name=name,
        column=table.text("column", name),
        title=title,
        description=table.text("description", title),
        type=kind,
        object=own,
        sensitivity=table.choice("sensitivity", Sensitivity),
        mask=table.choice("mask", Mask, Mask.NONE),
        nullable=table.flag("nullable", True),
        decode=table.choice("decode", Decode, Decode.VALUES if values else Decode.PLAIN),
        code=code,
        values=values,
        exposed=table.flag("exposed", True),
        deprecated=_deprecation(table),
    )
    if field.mask is not Mask.NONE and not field.nullable:
        raise table.fail("nullable", "a masked field can be null: set nullable = true")
    table.done()
    return field


def _deprecation(table: Table) -> Deprecation | None:
    reason = table.optional("deprecated")
    try:
        return None if reason is None else deprecation(reason)
    except ValueError as error:
        raise table.fail("deprecated", str(error)) from None


def unique(datasets: tuple[Dataset, ...], file: str) -> dict[str, Dataset]:
    """Data sets by name; a name used twice stops the start."""
    found: dict[str, Dataset] = {}
    for dataset in datasets:
        if dataset.name in found:
            raise CatalogError(file, dataset.name, "is used twice: rename one data set")
        found[dataset.name] = dataset
    return found
