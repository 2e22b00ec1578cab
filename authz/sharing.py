"""共享属性 as rule lines: the catalogue's sharing class decides, no line repeats it.

UNCONDITIONAL objects that hold no person's data are open to staff and department systems
(办法第十一条第三项); NOT_SHARED objects are denied to every department but their provider,
so that a grant given by mistake has no effect.
"""

from __future__ import annotations

from authz.rule import ACTS, NO_END, Rule
from catalog.datasets import PERSONAL, Dataset
from catalog.grades import SharingKind
from catalog.load import AuthObject, Catalog

OPEN_ACTS = ("read", "list")
OPEN_ROLES = ("staff", "system")


def shared_rules(catalog: Catalog) -> tuple[Rule, ...]:
    """The lines that follow from the sharing classes of ``objects.toml``."""
    lines: list[Rule] = []
    for obj in catalog.objects.values():
        if obj.sharing is SharingKind.UNCONDITIONAL and is_open(obj, catalog):
            lines += _opened(obj)
        elif obj.sharing is SharingKind.NOT_SHARED:
            lines += _closed(obj)
    return tuple(lines)


def is_open(obj: AuthObject, catalog: Catalog) -> bool:
    """Does every data set showing this object hold no person's data?

    Data that belongs to a person or household stays bounded by post and area, whatever
    its sharing class between departments.
    """
    shown = [d for d in catalog.datasets.values() if any(f.object == obj.name for f in d.fields)]
    return bool(shown) and not any(_personal(dataset) for dataset in shown)


def _personal(dataset: Dataset) -> bool:
    if dataset.facet is not None or dataset.bound is not None or dataset.subject is not None:
        return True
    return any(field.sensitivity in PERSONAL for field in dataset.fields)


def _opened(obj: AuthObject) -> list[Rule]:
    basis = "共享属性：无条件共享"
    return [
        Rule(role, "*", obj.name, act, "county", "any", "*", NO_END, "allow", basis)
        for role in OPEN_ROLES
        for act in OPEN_ACTS
    ]


def _closed(obj: AuthObject) -> list[Rule]:
    basis, others = "共享属性：不予共享", f"!{obj.provider}"
    return [
        Rule("*", others, obj.name, act, "county", "any", "*", NO_END, "deny", basis)
        for act in ACTS
    ]
