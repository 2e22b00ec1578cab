"""比对: rules are asked of the county page by page, as any question, and what they find is kept.

`kinds` is what each rule asks and how its answer is read, `reading` asks it under the program's own
rights with a record for every page, `running` judges, keeps the run with its clues and knows when
the month's runs are due.
"""
