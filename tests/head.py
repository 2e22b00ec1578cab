"""The newest migration, by name: whoever adds one changes this line."""

HEAD = "console_sessions"
