"""The command line of the measurements."""

import argparse
import sys
from typing import Any

from benchmarks.challenge import kill, load, race
from benchmarks.challenge.classroom import DATABASES, say
from benchmarks.program import add_record, write
from thumbnet import environment
from thumbnet.challenge.web.pages.scoreboard import POLL_SECONDS


def main() -> int:
    """Measure, print, and write a record when one is asked for; return 1 where something went wrong."""
    options = _parse()
    figures: dict[str, Any] = {}
    good = True
    for database in options.databases:
        found = _measure(options, database)
        program = {"load": load, "race": race, "kill": kill}[options.what]
        say(program.summary(database, found))
        good = good and program.passed(found)
        figures[database] = found
    write(options.record, figures, environment.describe("cpu", environment.usable_cpus()))
    return 0 if good else 1


def _measure(options: argparse.Namespace, database: str) -> dict[str, Any]:
    if options.what == "load":
        plan = load.Plan(options.clients, options.readers, options.window, options.poll)
        return load.measure(database, plan, options.seed)
    if options.what == "race":
        return race.measure(database, options.posts, options.rounds, options.seed)
    return kill.measure(database, options.kills, options.seed)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.challenge", description="Measure the challenge's server."
    )
    programs = parser.add_subparsers(dest="what", required=True)
    one = programs.add_parser("load", help="a class at a deadline")
    one.add_argument("--clients", type=int, default=500, help="teams that submit once each")
    one.add_argument("--readers", type=int, default=2000, help="who poll the board")
    one.add_argument("--window", type=float, default=60, help="seconds until the deadline")
    one.add_argument("--poll", type=float, default=POLL_SECONDS, help="seconds between two questions of one reader")
    two = programs.add_parser("race", help="posts of one team at the same moment")
    two.add_argument("--posts", type=int, default=50, help="posts at the same moment")
    two.add_argument("--rounds", type=int, default=10, help="teams that try it, one after the other")
    three = programs.add_parser("kill", help="SIGKILL at random moments under load")
    three.add_argument("--kills", type=int, default=50, help="how often")
    for program in (one, two, three):
        program.add_argument("--databases", nargs="+", choices=DATABASES, default=list(DATABASES))
        program.add_argument("--seed", type=int, default=0, help="of files and moments")
        add_record(program)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
