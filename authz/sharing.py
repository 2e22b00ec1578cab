"""共享属性 and grants as rule lines: no line of policy.csv repeats them.

UNCONDITIONAL objects that hold no person's data are open to staff and department systems
(办法第十一条第三项). A grant opens a provider's rows to one other department, for its purpose and
between its days. NOT_SHARED objects are denied to every department but their provider, so that a
grant given by mistake has no effect.

A grant speaks to the consumer's county desk (`dept`, and through it `lead`), to its machine
(`system`), and in the leading group's office to `office`: a department asked for the data, so
its own people and its own system may use them. It does not speak to villages and townships:
they all belong to `rev` and have lines of their own, and what one grant gave the office would
be seen at every counter of the county.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from authz.errors import RuleError
from authz.rule import ACTS, EXCEPTION, MINOR, NO_END, Rule, check_rule, minor_of
from catalog.datasets import PERSONAL, Dataset
from catalog.divisions import is_region_path
from catalog.grades import SharingKind
from catalog.load import AuthObject, Catalog
from store.grants import Grant
from store.policy import Shared

OPEN_ACTS = ("read", "list")
OPEN_ROLES = ("staff", "system")
GRANTED_ACTS = ("read", "list", "lookup", "unmask", "export", "share")
"""What may be granted: nobody writes another department's data, and counts are published."""
GRANTED_ROLES = ("dept", "system")
OFFICE, OFFICE_ROLE = "rev", "office"

Classes = Mapping[str, SharingKind]


def shared_rules(
    catalog: Catalog, classes: Classes | None = None, grants: Iterable[Grant] = ()
) -> tuple[Rule, ...]:
    """The lines that follow from sharing classes and active grants. RuleError for an unfit grant.

    `classes`: those of the store; an object it does not hold has the catalogue's.
    """
    found = classes or {}
    lines: list[Rule] = []
    for obj in catalog.objects.values():
        kind = found.get(obj.name, obj.sharing)
        if kind is SharingKind.UNCONDITIONAL and is_open(obj, catalog):
            lines += _opened(obj)
        elif kind is SharingKind.NOT_SHARED:
            lines += _closed(obj)
    for grant in grants:
        if grant.active:
            lines += _proved(grant, catalog)
    return tuple(lines)


def classes_of(objects: Iterable[Shared], catalog: Catalog) -> dict[str, SharingKind]:
    """The store's classes by object. RuleError for an object that is not the catalogue's.

    Rows belong to the department the catalogue names: a store that names another one would
    deny the wrong departments.
    """
    found = {}
    for name, provider, share_class, _ in objects:
        known = catalog.objects.get(name)
        if known is None:
            raise RuleError("object", f"授权对象 `{name}` 不存在：请核对共享属性表与目录")
        if known.provider != provider:
            raise RuleError("provider_dept", f"`{name}` 的提供部门与目录不一致：请核对")
        found[name] = SharingKind(share_class)
    return found


def check_grant(grant: Grant, catalog: Catalog) -> RuleError | None:
    """Why a grant may not become lines of the policy, or None."""
    fault = _departments(grant, catalog) or _acts(grant) or _purposes(grant)
    if fault is not None:
        return fault
    checked = (check_rule(line, catalog) for line in granted(grant))
    fault = next((fault for fault in checked if fault is not None), None)
    if fault is None and grant.until < grant.since:
        return RuleError("until", "截止日早于起始日：请核对")
    return fault


def is_open(obj: AuthObject, catalog: Catalog) -> bool:
    """Does every data set showing this object hold no person's data?

    Data that belongs to a person or household stays bounded by post and area, whatever
    its sharing class between departments.
    """
    shown = _showing(obj.name, catalog)
    return bool(shown) and not any(_personal(dataset) for dataset in shown)


def _showing(name: str, catalog: Catalog) -> list[Dataset]:
    return [d for d in catalog.datasets.values() if any(f.object == name for f in d.fields)]


def _personal(dataset: Dataset) -> bool:
    if dataset.facet is not None or dataset.bound is not None or dataset.subject is not None:
        return True
    return any(field.sensitivity in PERSONAL for field in dataset.fields)


# ---- lines ---------------------------------------------------------------------------------------


def _opened(obj: AuthObject) -> list[Rule]:
    basis = "共享属性：无条件共享"
    return [
        Rule(role, "*", obj.name, act, "county", "any", "*", NO_END, "allow", basis)
        for role in OPEN_ROLES
        for act in OPEN_ACTS
    ]


def _closed(obj: AuthObject) -> list[Rule]:
    basis, others = "共享属性：不予共享", f"!{obj.provider}"
    minor = minor_of(obj.name)
    return [
        Rule("*", others, name, act, "county", "any", "*", NO_END, "deny", basis)
        for name in (obj.name, *([minor] if minor else []))
        for act in ACTS
    ]


def granted(grant: Grant) -> Iterator[Rule]:
    """The lines a grant gives while it is active."""
    basis = f"共享授权 {grant.request_id}"
    if is_region_path(grant.reach):
        basis = EXCEPTION + basis  # the grant itself names the place it opens
    office = (OFFICE_ROLE,) if grant.consumer == OFFICE else ()
    for role in (*GRANTED_ROLES, *office):
        for act in grant.actions.split("|"):
            yield Rule(
                role,
                grant.consumer,
                grant.object,
                act,
                grant.reach,
                grant.provider,
                grant.purpose,
                grant.until,
                "allow",
                basis,
                grant.since,
            )


def _proved(grant: Grant, catalog: Catalog) -> Iterator[Rule]:
    fault = check_grant(grant, catalog)
    if fault is not None:
        raise RuleError(fault.column, f"共享授权 `{grant.id}`：{fault.message}")
    return granted(grant)


# ---- what makes a grant unfit --------------------------------------------------------------------


def _departments(grant: Grant, catalog: Catalog) -> RuleError | None:
    for column, dept in (("provider", grant.provider), ("consumer", grant.consumer)):
        if dept not in catalog.departments:
            return RuleError(column, f"部门 `{dept}` 不存在：请写一个部门")
    if grant.provider == grant.consumer:
        return RuleError("consumer", "提供部门与使用部门相同：本部门的数据无须授权")
    name = grant.object.removesuffix(MINOR)
    known = catalog.objects.get(name)
    if known is None:
        return RuleError("object", f"授权对象 `{name}` 不存在：请核对拼写")
    if known.provider != grant.provider and not _owned(name, catalog):
        return RuleError("provider", f"`{name}` 不由 `{grant.provider}` 提供：请由提供部门授权")
    return None


def _owned(name: str, catalog: Catalog) -> bool:
    """Do the object's rows name their own department, as cases do?"""
    return any(dataset.owner is not None for dataset in _showing(name, catalog))


def _acts(grant: Grant) -> RuleError | None:
    for act in grant.actions.split("|"):
        if act not in GRANTED_ACTS:
            return RuleError("actions", f"操作 `{act}` 不能授权：可用 {' '.join(GRANTED_ACTS)}")
    return None


def _purposes(grant: Grant) -> RuleError | None:
    if grant.purpose == "*" or grant.purpose.startswith("!"):
        return RuleError("purpose", "须逐项写明用途：共享授权不能不限用途")
    return None
