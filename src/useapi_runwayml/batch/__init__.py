"""Many jobs, durably: rows of a file become workflows on DBOS, whose journal outlives any crash.

`rows` reads a jobs file, `checks` finds all that is wrong with it before anything is sent, `comparing` what has changed in it since,
`records` reads what DBOS keeps and `journal` writes it, `engine` is the life of one row, `settling` decides whether a lost create may
be sent again, `accounts` has slots, gates and the budget, `notices` and `pulse` say what is waited for, `runner` drives it all, `facts`
tells what became of each row, `report` shows it.
"""
