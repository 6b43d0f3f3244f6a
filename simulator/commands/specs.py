"""Policy specs of a call: a shipped policy's name or a policy file, with options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wa_fsm.policy import Policy

    from ..mistakes import Mistake


def policy_of(spec: str, hear: Callable[[Sequence[Mistake]], None] = lambda told: None) -> Policy:
    """The policy that a call names; what is wrong with it ends the call with exit code 2.

    Args:
        spec: a shipped policy's name or a policy file, with options.
        hear: is given the mistakes of a policy file, before they are told on stderr.
    """
    from ..batch import tell
    from ..policy_file import BadPolicyFile, from_spec

    check_name(spec)
    try:
        return from_spec(spec)
    except BadPolicyFile as bad:
        hear(bad.mistakes)
        click.echo(tell(bad.mistakes), err=True, nl=False)
        told = spec.partition(",")[0]
        raise click.ClickException(f"the policy file `{told}` cannot be used") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def check_name(spec: str) -> None:
    """End the call where no scenario file could name the policy file of this spec."""
    from ..flow import LONE, PLACEHOLDER

    hole = PLACEHOLDER.search(spec)
    if hole is not None:
        raise click.UsageError(
            f"a policy file cannot have `{hole[0]}` in its name: scenario files take that for a "
            "value of `examples`; give the file another name"
        )
    if LONE.search(spec):
        raise click.UsageError(
            "a policy file's name must be UTF-8, as scenario files are; give the file another name"
        )
