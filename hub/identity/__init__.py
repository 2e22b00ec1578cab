"""Who asks: tokens, outside issuers, machine clients, certificates; and for whom."""
