"""``weir completion``: what makes a shell complete the commands and options of ``weir``."""

import click
from click.shell_completion import get_completion_class

from weir.cli import options
from weir.cli.command import Command
from weir.cli.output import print_json

SHELLS = ("bash", "zsh", "fish")


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(SHELLS))
@options.as_json
@click.pass_context
def completion(ctx: click.Context, /, shell: str, as_json: bool) -> None:
    """Print what makes bash, zsh or fish complete these commands.

    \b
    bash:  weir completion bash > ~/.local/share/bash-completion/completions/weir
    zsh:   weir completion zsh > ~/.zfunc/_weir
    fish:  weir completion fish > ~/.config/fish/completions/weir.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = ctx.find_root().command
    script = kind(root, {}, "weir", "_WEIR_COMPLETE").source()
    if as_json:
        print_json({"shell": shell, "script": script})
        return
    click.echo(script)
