"""控制台: pages for people in a browser: what a page asks and how the answer is said.

Nothing is fetched here. `hub/edge/console.py` asks a page's document as any request asks, and hands
the answer in.
"""
