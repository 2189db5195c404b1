"""``weir doctor``: looks at everything that a node needs, and says what to do."""

from pathlib import Path

import click

from weir.cli import options
from weir.cli.command import Command, Exit
from weir.cli.doctor.certificate import look_at_certificate
from weir.cli.doctor.disk import look_at_disk, running_url
from weir.cli.doctor.findings import Finding, State, warning
from weir.cli.doctor.machine import look_at_machine
from weir.cli.node import find_settings
from weir.cli.output import print_json, show
from weir.clock import SystemClock
from weir.node.directory import Directory

_SIGNS = {State.OK: ("ok", "green"), State.WARNING: ("!!", "yellow"), State.FAILED: ("XX", "red")}


@click.command(cls=Command)
@options.data_dir
@options.as_json
@click.pass_context
def doctor(ctx: click.Context, /, data_dir: str | None, as_json: bool) -> None:
    """Look at the disk, the machine and the settings, and say what to do.

    Nothing of the node is changed; it may run meanwhile. The exit code is 1 when something would
    keep a node from starting or from keeping its promises.
    """
    found = find_settings(data_dir=data_dir)
    directory = Directory(Path(found.settings.data_dir).resolve())
    advice = "Correct the name or the value; weir config shows what is in force."
    findings = [warning("settings", each, advice) for each in found.warnings]
    clock = SystemClock()
    findings += look_at_machine(found.settings, own_url=running_url(directory))
    findings += look_at_certificate(found.settings, clock)
    findings += look_at_disk(directory, found.settings, clock)
    if as_json:
        print_json(findings)
    else:
        _print(findings)
    if any(each.state is State.FAILED for each in findings):
        ctx.exit(Exit.FAILED)


def _print(findings: list[Finding]) -> None:
    margin = max(len(each.what) for each in findings)
    for each in findings:
        sign, colour = _SIGNS[each.state]
        click.echo(f"{click.style(sign, fg=colour)}  {each.what:<{margin}}  {show(each.seen)}")
        if each.advice:
            click.echo(f"    {'':<{margin}}  {each.advice}")
