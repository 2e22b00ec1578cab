"""What verbs share that change who may do what: who signs, the deed done, one line if it is not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from catalog.errors import AuditUnavailable, Readable
from hub.cli.say import FAILED, OPERATOR, no_store, stop

if TYPE_CHECKING:
    from catalog.load import Catalog
    from hub.deeds import Change, Deed
    from hub.settings import Settings

BY = click.option("--by", required=True, help="签署人的账号")
APPROVED = click.option("--approved-by", required=True, help="批准人的账号，须为另一人")
BASIS = click.option("--basis", required=True, help="依据：文号或法条")
CLASH = "已有相同的规则或授权，或内容不合要求：请核对"


def done(
    settings: Settings, words: Catalog, deed: Deed, change: Change, *, clash: str = CLASH
) -> int:
    """The version in force; a refusal or a store that does not answer is one line.

    `clash`: what is said of a row that the store does not take.
    """
    from sqlalchemy.exc import IntegrityError, SQLAlchemyError

    from hub.deeds import do

    try:
        return asyncio.run(do(settings, words, deed, change))
    except Readable as error:
        stop(str(error), FAILED)
    except AuditUnavailable as error:
        stop(f"{error.code}: {error.message}", OPERATOR)
    except IntegrityError:
        stop(clash, FAILED)
    except (SQLAlchemyError, OSError):
        no_store()
