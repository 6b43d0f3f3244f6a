"""``wa-sim policies``: which policies there are."""

from typing import Any

import click


@click.command("policies")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(form: str) -> None:
    """List the policies, what each is, and its options."""
    from wa_fsm import policies

    listed: list[dict[str, Any]] = [
        {
            "name": name,
            "summary": policies.summary(name),
            "caution": policies.caution(name) or None,
            "version": policies.get(name).version,
            "options": [
                {"name": option, "kind": kind, "default": policies.default(name, option),
                 "help": policies.option_help(name, option)}
                for option, kind in policies.OPTIONS[name].items()
            ],
        }
        for name in policies.NAMES
    ]  # fmt: skip
    if form == "json":
        import json

        click.echo(json.dumps({"format": 1, "policies": listed}, indent=1, ensure_ascii=False))
        return
    for each in listed:
        click.echo(f"{each['name']}  (version {each['version']})")
        click.echo(f"  {each['summary']}")
        if each["caution"]:
            click.echo(f"  Note: {each['caution']}")
        for option in each["options"]:
            click.echo(f"  {option['name']}={option['default']}  {option['help']}")
        click.echo()
