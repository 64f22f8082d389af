"""The frame around every command: the root options, how an error ends, and the table of exit statuses.

Errors are handled where commands are invoked, so that a command called from a test ends as it does in a shell.
Nothing here knows what a command does.
"""

import os
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from deid_audit import __version__
from deid_audit.errors import DeidAuditError, describe_defect

DEBUG_VARIABLE = "DEID_AUDIT_DEBUG"
EXIT_STATUSES = (
    (0, "passed; for verify: authentic, trusted and PASSED"),
    (1, "error, unreadable input, evidence that does not hold, unknown issuer"),
    (2, "wrong usage, settings or policy file"),
    (3, "done, but not passed; for verify: authentic, but not PASSED, past its validity, refused or withdrawn"),
    (130, "stopped by Ctrl-C"),
    (143, "stopped by SIGTERM"),
)
# \b keeps the lines of the table as they are.
_EPILOG = "\n".join(("\b", "Exit status:", *(f"{number:>5}  {meaning}" for number, meaning in EXIT_STATUSES)))


class Commands(TyperGroup):
    """A group of commands in which every exception ends in one clear message and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; DeidAuditError, Ctrl-C and defects become messages on standard error."""
        try:
            return super().invoke(ctx)
        except DeidAuditError as error:
            _say(f"error: {error}")
            if error.next_step:
                _say(f"next: {error.next_step}")
            _trace_if_asked()
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            _say("stopped")
            raise typer.Exit(130) from None
        except typer.Abort as abort:
            # A prompt turns Ctrl-C into Abort; an Abort at the end of the input is left to typer (exit status 1).
            if not isinstance(abort.__context__, KeyboardInterrupt):
                raise
            _say("stopped")
            raise typer.Exit(130) from None
        except (typer.Exit, typer.TyperException, BrokenPipeError):
            raise
        except Exception as defect:
            _say(f"internal error: {describe_defect(defect)}; set {DEBUG_VARIABLE}=1 to see where, and report it")
            _trace_if_asked()
            raise typer.Exit(1) from None


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deid-audit {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    return


def make_app() -> typer.Typer:
    """The root application, without commands."""
    app = typer.Typer(
        cls=Commands,
        name="deid-audit",
        help="Release exam videos with a donor's face, and the signed evidence for it.",
        epilog=_EPILOG,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        # A traceback would print locals, and locals here are faces and keys.
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
    )
    app.callback()(_root)
    return app


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _trace_if_asked() -> None:
    if os.environ.get(DEBUG_VARIABLE) == "1":
        traceback.print_exc(file=sys.stderr)
