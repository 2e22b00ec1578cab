"""What operators see: spans, metrics, log lines. Never a person in any of them."""
