"""``wa-sim rules POLICY``: the decision table, from the data."""

import click


@click.command("rules")
@click.argument("spec", metavar="POLICY")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "mermaid", "json"]),
    default="text",
    show_default=True,
    help="A table for the terminal or for Markdown, the state diagram, or data.",
)
def command(spec: str, form: str) -> None:
    """Show the decision table of POLICY, such as `cloud-api` or `cloud-api,margin=5m`.

    Rows of options that are off are not in the policy; they are listed apart, with the option.
    """
    from wa_fsm import describe, policies

    try:
        policy = policies.from_spec(spec)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if form == "mermaid":
        click.echo(describe.mermaid(policy), nl=False)
    elif form == "markdown":
        click.echo(describe.markdown(policy), nl=False)
    elif form == "json":
        import json

        whole = {"format": 1, **describe.policy_json(policy)}
        click.echo(json.dumps(whole, indent=1, ensure_ascii=False))
    else:
        click.echo(describe.text(policy), nl=False)
