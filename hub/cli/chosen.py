"""Which hub a verb speaks of: the folder named, else the settings, else ./demo-data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.say import OPERATOR, stop
from hub.demo.site import FOLDER, Site, opened
from hub.settings import Settings, configured, load_settings

if TYPE_CHECKING:
    from catalog.load import Catalog

DIR = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"演示目录；不给则用 HUB_* 设置，再不然用 ./{FOLDER}",
)


def chosen(folder: Path | None) -> tuple[Settings, Site | None]:
    """The settings, and the demonstration they belong to if it is one. SettingsError.

    A demonstration that happens to lie in the working directory never stands in for
    settings that somebody made.
    """
    if folder is None and configured():
        return load_settings(), None
    site = opened(folder or Path(FOLDER))
    if site is not None:
        return site.connected({}), site
    if folder is not None:
        stop(f"目录 {folder} 中没有演示数据：请先运行 hub demo", OPERATOR)
    return load_settings(), None


def store_of(folder: Path | None) -> str:
    """The address of the store."""
    return chosen(folder)[0].store_url


def selected(folder: Path | None) -> tuple[Settings, Catalog]:
    """The settings a verb speaks of, and their catalogue."""
    from hub.placing import catalogue

    settings, _ = chosen(folder)
    return settings, catalogue(settings)
