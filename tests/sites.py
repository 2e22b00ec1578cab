"""The demonstration's county for tests: made once, copied for whoever changes something in it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

from hub.demo.site import Site

SCALE = 0.01
"""The county at its smallest."""


def copied(site: Site, folder: Path) -> Site:
    """The same county in a new folder, with a store, keys and a log of its own."""
    # Somebody may write to the store: the copy is SQLite's own, of one moment. A signer's memory is
    # of one log: the copy's signer adopts what it finds, also where the test brings another store.
    left = shutil.ignore_patterns("store.sqlite*", "signer.json*")
    shutil.copytree(site.folder, folder, ignore=left)
    with (
        contextlib.closing(sqlite3.connect(site.folder / "store.sqlite")) as old,
        contextlib.closing(sqlite3.connect(folder / "store.sqlite")) as new,
    ):
        old.backup(new)
    return Site(folder, site.scale, site.people, site.demonstrations)
