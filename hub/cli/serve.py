"""``hub serve``: the production verb. Settings from HUB_CONFIG and HUB_*; see hub config show."""

from __future__ import annotations

import click

from hub import logs
from hub.cli.say import OPERATOR, stop
from hub.cli.settings import read


@click.command(help="以正式设置启动服务（演示请用 hub demo --serve）。")
def serve() -> None:
    """Check what must be there, then listen."""
    settings = read()
    logs.configure(settings.log_level)
    import uvicorn

    from catalog.errors import CatalogError
    from hub.app import assemble, create_app
    from hub.keys import KeysError
    from hub.start import Unready, ready

    try:
        ready(settings)
        app = create_app(assemble(settings))
    except (Unready, CatalogError, KeysError) as error:
        stop(str(error), OPERATOR)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
    )
