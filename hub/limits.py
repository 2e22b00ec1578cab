"""The edge's limits: one number per line, with its reason (protocol 1.3)."""

from __future__ import annotations

from typing import Final

from catalog.standing import Standing

# The head and the body, before anything is read from them
HEAD_BYTES: Final = 64 * 1024  # a token has 500 bytes, all headers of a proxy 8 KiB
BODY_BYTES: Final = 1024 * 1024  # the largest approved document with its variables has < 100 kB
JSON_DEPTH: Final = 64  # Python's decoder recurses: 5,000 levels end it
JSON_MEMBERS: Final = 5_000  # a bulk look-up sends 200 keys
JSON_DIGITS: Final = 20  # a 64-bit number; 6,000 digits take seconds to read

# The document
CHARACTERS: Final = 100_000  # 25 a token; a text of 1 MiB is read for 0.3 s
TOKENS: Final = 4_000  # the parser stops here; the standard introspection query has 230
OPERATIONS: Final = 5  # a document file of a page
FRAGMENTS: Final = 100  # a page of relay-style components
FIELDS: Final = 2_000  # after fragment expansion: fragment bombs double with every line
ALIASES: Final = 30  # after expansion: each alias of an edge is a read of its own
DIRECTIVES: Final = 100  # after expansion: a page of components has a dozen conditions
NODE_DIRECTIVES: Final = 10  # there are two that mean anything
OVERLAPS: Final = 3_000  # comparisons of 10 µs each; a page of 100 components has a thousand
VALUES: Final = 500  # members of lists and objects in the text: a bulk look-up has 200 keys
DEPTH: Final = 12  # case → citizen → household → member → facet → list and room to spare
INTROSPECTION_DEPTH: Final = 16  # every tool's standard query is 15 deep
INTROSPECTION_FIELDS: Final = 400  # and has 227 fields after expansion
COST: Final = 20_000  # rows: a page of 100 with ten facets of ten rows could bring 11,000
GATEWAY_COST: Final = 25_000  # rows: 500 representations with five lists of ten rows
COSTS: Final = {Standing.GATEWAY: GATEWAY_COST}  # all others: COST

# What is asked for
PAGE_DEFAULT: Final = 20  # rows of a page when `first` and `last` are absent
PAGE_MAX: Final = 100  # the largest `first` or `last`
REPRESENTATIONS: Final = 500  # of all `_entities`: a gateway asks for a page's rows, 100 at most

# Who is looked up, per account
LOOKUPS_PER_HOUR: Final = 60  # a window serves a person a minute
LOOKUP_MISSES: Final = 10  # in ten minutes: typing errors are fewer, trying numbers out is more

# Streams
MESSAGE_BYTES: Final = 256 * 1024  # of a WebSocket: the largest document with its variables, twice
INIT_S: Final = 10.0  # for `connection_init`: a page sends it at once
INIT_BYTES: Final = 16 * 1024  # of a message until then: a token and three words
PING_S: Final = 30.0  # proxies cut lines that are still for a minute
BEAT_S: Final = 12.0  # the same for server-sent events, whose reader cannot be asked back
SEND_S: Final = 20.0  # a reader who takes nothing for so long is gone, or holds memory
OPERATIONS_A_CONNECTION: Final = 100  # a desk shows a dozen lists
CONNECTIONS_A_PRINCIPAL: Final = 10  # in one worker: the windows of one browser
STREAMS_A_PRINCIPAL: Final = 100  # server-sent events, in one worker: each is a connection
OPERATION_ID: Final = 128  # characters: clients send numbers or UUIDs
PENDING: Final = 1_000  # changes a reader may be behind: 100 kB; a busy county has them in a day
RIGHTS_S: Final = 1.0  # between two looks at whether rights and token still hold
RECOUNT_S: Final = 1.0  # counts are told at most so often

# How often and how much at once, per account
RATE_PERSON: Final = 600  # a minute: ten a second, as long as somebody leafs through pages
RATE_SYSTEM: Final = 6_000  # a hundred a second: a department's nightly comparison
RATE_GATEWAY: Final = 60_000  # of one account, by a gateway: it asks in parts
RUNNING_PERSON: Final = 4  # the queries of one page; a worker's own count, as the next two
RUNNING_SYSTEM: Final = 16  # as many as a department's pool of connections
RUNNING_GATEWAY: Final = 64  # half of what a worker runs without queueing at its databases

# While it runs
DEADLINE_S: Final = 10.0  # a clerk at a window has left by then
ERRORS_SHOWN: Final = 20  # further ones are counted in `errorsOmitted`
