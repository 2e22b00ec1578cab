"""月度通报, its figures, and places on the 红黑榜: sums and codes, nobody's rows."""

from __future__ import annotations

from schema.bound import Kit
from schema.shared import connection


def bulletin(kit: Kit) -> None:
    """MonthlyBulletin, BulletinFigure and RankingPlace with their pages."""
    for name in ("monthly_bulletin", "bulletin_figure", "ranking_place"):
        dataset = kit.catalog.datasets[name]
        kit.rows(dataset, {})
        connection(kit, dataset.type, dataset.title)
