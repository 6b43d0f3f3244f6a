"""Policy specs of a call: a shipped policy's name or a policy file, with options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wa_fsm.policy import Policy


def policy_of(spec: str) -> Policy:
    """The policy that a call names; what is wrong with it ends the call with exit code 2."""
    from ..batch import tell
    from ..policy_file import BadPolicyFile, from_spec

    try:
        return from_spec(spec)
    except BadPolicyFile as bad:
        click.echo(tell(bad.mistakes), err=True, nl=False)
        told = spec.partition(",")[0]
        raise click.ClickException(f"the policy file `{told}` cannot be used") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
