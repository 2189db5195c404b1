"""``weir serve``: a node in the foreground."""

import click

from weir.cli import options
from weir.cli.command import Command
from weir.cli.node import find_settings


@click.command(cls=Command)
@options.data_dir
@click.option("--host", metavar="HOST", help="Address to listen on. Default: 127.0.0.1.")
@click.option(
    "--port",
    type=options.in_bounds("port"),
    metavar="PORT",
    help="Port; 0 takes a free one. Default: 8080.",
)
@click.option(
    "--workers",
    type=options.in_bounds("workers"),
    metavar="N",
    help="Edge workers; 0 is one per core.",
)
@click.option("--tls-cert", metavar="FILE", help="PEM certificate chain: the door speaks TLS.")
@click.option("--tls-key", metavar="FILE", help="PEM key of the certificate.")
@click.option("--json", "as_json", is_flag=True, help="Log lines as JSON, for machines.")
@click.pass_context
def serve(ctx: click.Context, /, as_json: bool, **flags: str | int | None) -> None:
    """Start a node and keep it running.

    When it takes events it prints one line: weir ready http://HOST:PORT. Everything else goes to
    standard error. The first start makes a tenant, a project and two keys, which it leaves in
    DIR/first-run.json. All other settings come from the environment or weir.toml; see weir config.
    """
    from weir.server.serve import serve as serve_node

    found = find_settings(**flags, log_format="json" if as_json else None)
    ctx.exit(serve_node(found.settings, warnings=found.warnings))
