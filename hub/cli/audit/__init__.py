"""``hub audit``: one file per group of verbs. The files register themselves with `audit`."""

from __future__ import annotations

import click

CANNOT_READ = 3


@click.group(help="访问审计日志。")
def audit() -> None:
    """The group."""


from hub.cli.audit import (  # noqa: E402  a verb's file needs the group above
    alerts,  # noqa: F401
    archive,  # noqa: F401
    checkpoint,  # noqa: F401
    drill,  # noqa: F401
    export,  # noqa: F401
    keys,  # noqa: F401
    restart,  # noqa: F401
    rules,  # noqa: F401
    search,  # noqa: F401
    verify,  # noqa: F401
    withhold,  # noqa: F401
)
