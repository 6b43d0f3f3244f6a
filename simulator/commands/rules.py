"""``wa-sim rules POLICY``: the decision table, from the data."""

import click


@click.command("rules")
@click.argument("spec", metavar="POLICY")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "mermaid", "svg", "json"]),
    default="text",
    show_default=True,
    help="A table for the terminal or for Markdown, the state diagram, or data.",
)
def command(spec: str, form: str) -> None:
    """Show the decision table of POLICY: `cloud-api`, `cloud-api,margin=5m`, or a policy file.

    Rows of options that are off are not in the policy; they are listed apart, with the option.
    """
    from wa_fsm import describe

    from .specs import policy_of

    policy = policy_of(spec)
    if form == "mermaid":
        click.echo(describe.mermaid(policy), nl=False)
    elif form == "svg":
        from ..reports.diagram import diagram_svg

        click.echo(diagram_svg(policy), nl=False)
    elif form == "markdown":
        click.echo(describe.markdown(policy), nl=False)
    elif form == "json":
        import json

        whole = {"format": 1, **describe.policy_json(policy)}
        click.echo(json.dumps(whole, indent=1, ensure_ascii=False))
    else:
        click.echo(describe.text(policy), nl=False)
