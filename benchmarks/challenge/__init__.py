"""Measure the challenge's server: a class at a deadline, posts at the same moment, and SIGKILL under load.

    python -m benchmarks.challenge load --record records/challenge-load.json
    python -m benchmarks.challenge race --record records/challenge-race.json
    python -m benchmarks.challenge kill --record records/challenge-kill.json

The server is `thumbnet serve` as a process of its own, on SQLite and on a private PostgreSQL cluster; everything is on
the loopback address.
"""
