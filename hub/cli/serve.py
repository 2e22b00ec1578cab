"""``hub serve``: the production verb. Settings from HUB_CONFIG and HUB_*; see hub config show."""

from __future__ import annotations

import contextlib

import click
import structlog

from hub.settings import Profile, load_settings
from hub.telemetry import logs


@click.command(help="以正式设置启动服务（演示请用 hub demo --serve）。")
def serve() -> None:
    """Check what must be there, then listen."""
    settings = load_settings()
    logs.configure(settings.log_level)
    from hub import server
    from hub.app import assemble, create_app
    from hub.start import ready
    from hub.telemetry.exporting import telemetry_of

    ready(settings)
    app = create_app(assemble(settings, telemetry=telemetry_of(settings)))
    if settings.witness_quorum == 0 and settings.profile is Profile.PRODUCTION:
        log = structlog.get_logger("hub.serve")
        log.warning("no witness is demanded: who holds store and keys can rewrite the access log")
    with contextlib.suppress(KeyboardInterrupt):  # the usual end in a terminal
        server.serve(app, settings.host, settings.port)
