"""``hub serve``: the production verb. Settings from HUB_CONFIG and HUB_*; see hub config show."""

from __future__ import annotations

import click

from hub import logs
from hub.settings import load_settings


@click.command(help="以正式设置启动服务（演示请用 hub demo --serve）。")
def serve() -> None:
    """Check what must be there, then listen."""
    settings = load_settings()
    logs.configure(settings.log_level)
    import uvicorn

    from hub.app import assemble, create_app
    from hub.start import ready

    ready(settings)
    uvicorn.run(
        create_app(assemble(settings)),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
    )
