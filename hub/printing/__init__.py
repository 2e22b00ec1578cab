"""Prints: what an asker may see, as a page of paper that can be verified (领域设计 1.13).

    kind ──► its document through the Plan ──► number, code, digest, record, row ──► page
    code ──► row, digest, record of the log ──► genuine, or not

A print is asked like any question, so it never shows what its asker may not see.
"""
