"""The class challenge: a server that scores submissions, its scoreboard, and what keeps both honest.

`settings` says how a challenge runs, `state.Challenge` is one that is open: its settings, its database and its stored
files. Everything else is a function of these. Times are whole milliseconds since 1970 in UTC, told by the database, so
that several server processes share one clock.
"""
