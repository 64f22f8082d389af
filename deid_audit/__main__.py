"""The console entry `deid-audit`: every command is registered here, in one place.

A command's module imports heavy libraries inside its function, so that `--help` answers at once.
"""

import typer

from deid_audit.cli import (
    approve,
    audit,
    board_report,
    conceal,
    dataset,
    demo,
    doctor,
    donor,
    inspect,
    keys,
    log,
    motion,
    policy,
    ratings,
    recheck,
    review,
    run,
    vault,
    verify,
    viewer_test,
    withdraw,
)
from deid_audit.cli.frame import make_app


def build_app() -> typer.Typer:
    """The application with all its commands: the one place where a command is registered."""
    app = make_app()
    app.command("run")(run.run)
    app.command("audit")(audit.audit)
    app.command("conceal")(conceal.conceal)
    app.command("inspect")(inspect.inspect)
    app.command("motion")(motion.motion)
    app.command("ratings")(ratings.ratings)
    app.command("demo")(demo.demo)
    app.command("verify")(verify.verify)
    app.command("approve")(approve.approve)
    app.command("withdraw")(withdraw.withdraw)
    app.command("recheck")(recheck.recheck)
    app.command("review")(review.review)
    app.command("report")(board_report.report)
    app.command("doctor")(doctor.doctor)
    app.add_typer(donor.app, name="donor")
    app.add_typer(dataset.app, name="dataset")
    app.add_typer(policy.app, name="policy")
    app.add_typer(keys.app, name="keys")
    app.add_typer(vault.app, name="vault")
    app.add_typer(viewer_test.app, name="viewer-test")
    app.add_typer(log.app, name="log")
    return app


def main() -> None:
    """Run the command line and exit with its status."""
    build_app()(prog_name="deid-audit")


if __name__ == "__main__":
    main()
