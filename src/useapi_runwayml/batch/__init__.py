"""Many jobs, durably: rows of a file become workflows on DBOS, whose journal outlives any crash.

`rows` reads a jobs file, `checks` finds all that is wrong with it before anything is sent, `journal` is what DBOS keeps, `engine` is
the life of one row, `settling` decides whether a lost create may be sent again, `accounts` has slots, gates and the budget,
`runner` drives it all, `states` tells what became of each row, `report` shows it.
"""
