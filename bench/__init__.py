"""What the hub costs beside its peers, on one machine in one run: see bench/README.md.

Not part of the wheel; run from the checkout by ``make bench``.
"""
