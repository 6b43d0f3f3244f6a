"""``wa-sim schema``: print the JSON Schema of scenario files."""

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of scenario files, for editors and other tools."""
    from ..schema import schema_text

    click.echo(schema_text(), nl=False)
