"""Settings for a verb: read once, every fault in one readable line."""

from __future__ import annotations

from hub.cli.say import OPERATOR, stop
from hub.settings import Settings, SettingsError, load_settings


def read(**given: object) -> Settings:
    """The settings, or the end of the program with what is wrong."""
    try:
        return load_settings(given=given)
    except SettingsError as error:
        stop("\n".join(error.lines), OPERATOR)
