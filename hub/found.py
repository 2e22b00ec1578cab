"""What every store needs before its first question: words, alert rules, and a first policy."""

from __future__ import annotations

from collections.abc import Iterable

from audit.alerts import seed_rules
from authz.start import seed
from catalog.load import Catalog, load
from store.accounts import NewPrincipal, seed_accounts
from store.catalogue import load_words
from store.engine import open_engine
from store.policy import read_version


async def found(
    url: str,
    *,
    catalog: Catalog | None = None,
    demo: bool = False,
    accounts: Iterable[NewPrincipal] = (),
) -> None:
    """Refill the words, add alert rules that are new; policy and accounts if there is no policy."""
    words, engine = catalog or load(), open_engine(url, pool_size=1)
    try:
        async with engine.begin() as connection:
            await load_words(connection, words)
            await seed_rules(connection)
            if await read_version(connection) == 0:
                await seed(connection, words, by="hub", demo=demo)
                await seed_accounts(connection, accounts)
    finally:
        await engine.dispose()
