"""`thumbnet`: the commands, and how each kind of failure ends."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from cyclopts import App, CycloptsError, Group

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
from thumbnet.errors import ThumbnetError, memory_errors
from thumbnet.files import storage_error

app = App(
    name="thumbnet",
    help="Train, judge and explain classifiers of small images.",
    version=__version__,
    help_epilogue="Start with: thumbnet demo",
    suppress_keyboard_interrupt=False,
)
_GROUPS: Mapping[str, Sequence[App | Callable[..., None]]] = {
    "Start": (demo.demo, data.app, recipes.recipes, training.train, training.resume),
    "Judge": (
        judging.evaluate,
        judging.predict,
        ensembling.compare,
        ensembling.ensemble,
        ensembling.soup,
        zero_shot.zero_shot,
    ),
    "Explain": (analyze.analyze, report.report),
    "Experiment": (study.study, tune.tune, reproduce.reproduce, features.features, judging.record),
    "Challenge": (submit.join, submit.submit, serve.serve, challenge.app),
}


def _register() -> None:
    """Add all commands, each with its group of the help page; the epilogue is that page's alone."""
    flags = Group("Options")
    for flag in ("--help", "--version"):
        app[flag].group = (flags,)
    for title, commands in _GROUPS.items():
        group = Group.create_ordered(title)
        for command in commands:
            if isinstance(command, App):
                command.group, command.help_epilogue = (group,), ""
                app.command(command)
            else:
                app.command(command, group=group, help_epilogue="")


_register()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that `arguments` (the process's own by default) state, and exit.

    The exit status is 0 for success, 1 for an error that the user can mend (one line on standard error, and one for
    each note of the error), 2 for wrong usage, 130 for an interruption, as shells have it.
    """
    given = sys.argv[1:] if arguments is None else arguments
    set_command_line(given)
    try:
        with memory_errors():
            app(given, exit_on_error=False, print_error=True, result_action="return_value")
            sys.stdout.flush()
    except CycloptsError:
        sys.exit(2)
    except ThumbnetError as error:
        sys.exit(_fail(str(error), 1, getattr(error, "__notes__", ())))
    except KeyboardInterrupt as error:
        sys.exit(_fail(str(error) or "interrupted", 130))
    except BrokenPipeError:
        # The reader has gone (as in `thumbnet recipes | head`); what is left in the buffer must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.filename is None:
            raise
        # A question about a path, such as whether it exists, fails where a folder above may not be entered.
        sys.exit(_fail(str(storage_error(error, error.filename)), 1))
    sys.exit(0)


def _fail(message: str, status: int, notes: Sequence[str] = ()) -> int:
    sys.stderr.writelines(" ".join(line.split()) + "\n" for line in (f"thumbnet: {message}", *notes))
    return status
