"""Facet types: one container a department, one type a data set, all from the catalogue."""

from __future__ import annotations

from strawberry.types.field import StrawberryField

from catalog.datasets import Dataset
from resolvers.binding import EdgeTo, FacetRows
from schema.bound import Kit


def facets(kit: Kit, on: str) -> dict[str, StrawberryField]:
    """The container fields of Citizen or Household; makes the types they lead to."""
    fields = {}
    for container, datasets in kit.catalog.facets(on).items():
        for dataset in datasets:
            _rows(kit, dataset)
        department = kit.catalog.departments[datasets[0].provider]
        name = f"{container[0].upper()}{container[1:]}Facet"
        kit.object(
            name, f"{department.short}数据。由{department.title}提供", _members(kit, datasets)
        )
        about = f"{department.short}数据。不在您权限内的为空，见 access"
        fields[container] = kit.container(f"{name}!", about, container)
    return fields


def _members(kit: Kit, datasets: tuple[Dataset, ...]) -> dict[str, StrawberryField]:
    found = {}
    for dataset in datasets:
        facet = dataset.facet
        assert facet is not None  # noqa: S101  Catalog.facets gives no others
        kind = f"[{dataset.type}!]" if facet.many else dataset.type
        found[facet.field] = kit.facet(kind, dataset.title, FacetRows(dataset.name, facet.many))
    return found


def _rows(kit: Kit, dataset: Dataset) -> None:
    more = {"provenance": kit.provenance(), "access": kit.access()}
    nests = {}
    for nest in dataset.nests:
        child = kit.catalog.datasets[nest.dataset]
        if child.type not in kit.names:
            kit.rows(child, {})
        binding = EdgeTo(nest.dataset, nest.parent, nest.child, many=True)
        nests[nest.name] = kit.edge(f"[{child.type}!]", nest.title, binding)
    kit.rows(dataset, nests | more)
