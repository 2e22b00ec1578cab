"""The nine invented department systems, each in its own names and formats (领域设计 2.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from hub.demo.files import Rows, Sheet
from hub.demo.sources import (
    civil_affairs,
    education,
    employment,
    health,
    housing,
    insurance,
    monitoring,
    provincial,
    water,
)
from hub.demo.village import Village


@dataclass(frozen=True, slots=True)
class Writer:
    """One source: its tables, and a village's rows for them."""

    sheets: tuple[Sheet, ...]
    rows: Callable[[Village, Random], Rows]


WRITERS: Mapping[str, Writer] = {
    "mz_assist": Writer(civil_affairs.SHEETS, civil_affairs.rows),
    "jt_xueji": Writer(education.SHEETS, education.rows),
    "rs_jiuye": Writer(employment.SHEETS, employment.rows),
    "wfgz": Writer(housing.SHEETS, housing.rows),
    "sw_gongcheng": Writer(water.SHEETS, water.rows),
    "wj_resident": Writer(health.SHEETS, health.rows),
    "yb_settle": Writer(insurance.SHEETS, insurance.rows),
    "xczx_monitor": Writer(monitoring.SHEETS, monitoring.rows),
    "sj_exchange": Writer(provincial.SHEETS, provincial.rows),
}
"""By source name, as in ``catalog/datasets/<source>.toml``."""
