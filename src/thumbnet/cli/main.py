"""`thumbnet`: the commands, and how each kind of failure ends."""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from thumbnet import __version__
from thumbnet.cli import (
    analyze,
    challenge,
    data,
    demo,
    ensembling,
    features,
    judging,
    recipes,
    report,
    reproduce,
    serve,
    study,
    submit,
    training,
    tune,
    zero_shot,
)
from thumbnet.cli.options import set_command_line
from thumbnet.errors import ThumbnetError

app = App(
    name="thumbnet",
    help="Train, judge and explain classifiers of small images.",
    version=__version__,
    help_epilogue="Start with: thumbnet demo",
    suppress_keyboard_interrupt=False,
)
app.command(data.app)
app.command(demo.demo)
app.command(recipes.recipes)
app.command(training.train)
app.command(training.resume)
app.command(judging.evaluate)
app.command(judging.predict)
app.command(judging.record)
app.command(analyze.analyze)
app.command(zero_shot.zero_shot)
app.command(features.features)
app.command(ensembling.ensemble)
app.command(ensembling.soup)
app.command(ensembling.compare)
app.command(report.report)
app.command(reproduce.reproduce)
app.command(study.study)
app.command(tune.tune)
app.command(serve.serve)
app.command(submit.join)
app.command(submit.submit)
app.command(challenge.app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that `arguments` (the process's own by default) state, and exit.

    The exit status is 0 for success, 1 for an error that the user can mend (one line on standard error), 2 for wrong
    usage, 130 for an interruption, as shells have it.
    """
    given = sys.argv[1:] if arguments is None else arguments
    set_command_line(given)
    try:
        app(given, exit_on_error=False, print_error=True, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError:
        sys.exit(2)
    except ThumbnetError as error:
        sys.exit(_fail(str(error), 1))
    except KeyboardInterrupt as error:
        sys.exit(_fail(str(error) or "interrupted", 130))
    except BrokenPipeError:
        # The reader has gone (as in `thumbnet recipes | head`); what is left in the buffer must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def _fail(message: str, status: int) -> int:
    line = " ".join(message.split())
    sys.stderr.write(f"thumbnet: {line}\n")
    return status
