"""The edge: how a request arrives, is admitted, answered and leaves, by whatever road."""
