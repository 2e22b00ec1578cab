"""Every page, one row each; the first whose path matches is it."""

from __future__ import annotations

from console.page import Page
from console.pages import accounts, audit, bulletins, cases, catalogue, home, orders, own, sources

PAGES: tuple[Page, ...] = (
    *home.PAGES,
    *catalogue.PAGES,
    *sources.PAGES,
    *own.PAGES,
    *cases.PAGES,
    *orders.PAGES,
    *bulletins.PAGES,
    *audit.PAGES,
    *accounts.PAGES,
)


def page_at(path: str) -> tuple[Page, dict[str, str]] | None:
    """The page of a path and its parts."""
    for page in PAGES:
        match = page.pattern.match(path)
        if match is not None:
            return page, match.groupdict()
    return None
