"""The scenario that ``wa-sim new`` writes: a whole small story, with a comment beside each thing.

What it expects is what the policy does, so it passes whatever the policy is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from wa_fsm.durations import format_duration
from wa_fsm.policy import Policy

from .files import shown
from .outcome import Outcome
from .policy_file import said
from .runner import run_case
from .scenario import load_text

SCHEMA: Final = "scenario.schema.json"
_SOON: Final = timedelta(minutes=5)
_MS: Final = timedelta(milliseconds=1)
_TEXT: Final = """\
# yaml-language-server: $schema={schema}
# (The line above lets an editor with YAML support help while you write.)
#
# A scenario is a conversation with times, and what must come of it.
#   wa-sim run {file}     says whether what is expected here comes true
#   wa-sim show {file}    draws what happens
# Lines that begin with # are for readers only.

scenario: The customer answers our template, and we may write freely for a while

policy: {policy}    # by which rules; `wa-sim policies` lists what there is

start: 2026-03-02T09:00:00+01:00    # the instant of 0s below; a zone is required
timezone: Europe/Berlin             # in which zone times are shown

# Tickets or clauses that this covers:
# requirement: [PROJ-31]

# The templates of the account and their status. Any other template is unknown and refused.
templates:
  order_update: approved

# What happens, in order. Each step has `at` and one of:
#   business: we try to send          customer: the customer writes, or calls
#   ask: we only ask, nothing is sent platform: WhatsApp reports something
steps:
  - at: 0s                          # counted from `start`
    business: text                  # text, image, document, ...{sent[0]}

  - at: +1m                         # counted from the step above
    business: {{template: order_update}}{sent[1]}

  - at: 2h
    id: answer                      # a name for this step, to count times from it
    customer: text{seen[2]}

  - at: answer + {soon}
    business: image{sent[3]}

  - at: answer + {last}       # the last millisecond before{until}
    ask: text{asked[4]}

  - at: answer + {window}
    business: text                  # the window is over now{sent[5]}
"""
_EXPECT: Final = "\n    expect: {{{said}}}"


def starter(policy: Policy, file: str, folder: str = "") -> str:
    """The text of the scenario.

    Args:
        policy: by which rules; what is expected is what they say.
        file: its name, for the commands in its comments.
        folder: where it will stand; a policy file is named as seen from there.
    """
    draft = _written(policy, file, folder, None)
    (case,) = load_text(draft.encode(), file, policy, folder)
    text = _written(policy, file, folder, run_case(case).outcomes)
    (case,) = load_text(text.encode(), file, policy, folder)
    assert run_case(case).passed, "what is expected was read from a run"
    return text


def _written(policy: Policy, file: str, folder: str, outcomes: list[Outcome] | None) -> str:
    usable = policy.window - policy.margin
    nothing = [""] * 6
    return _TEXT.format(
        schema=SCHEMA,
        file=" ".join(shown(file).splitlines()),
        policy=said(policy, folder),
        soon=format_duration(min(_SOON, usable // 2 // _MS * _MS)),
        last=f"{format_duration(usable)} - 1ms",
        window=format_duration(policy.window),
        until=" the margin" if policy.margin else " the end",
        sent=[_sent(each) for each in outcomes] if outcomes else nothing,
        asked=[_asked(each) for each in outcomes] if outcomes else nothing,
        seen=[_seen(each) for each in outcomes] if outcomes else nothing,
    )


def _sent(outcome: Outcome) -> str:
    """After a send. One that is refused must be expected to be."""
    decision = outcome.decision
    if decision is None or decision.allowed:
        return "\n    # no `expect`: it must be allowed"
    return _EXPECT.format(said=f"refused: {decision.reason}")


def _asked(outcome: Outcome) -> str:
    decision = outcome.decision
    if decision is None or decision.allowed:
        return _EXPECT.format(said="allowed: true")
    return _EXPECT.format(said=f"refused: {decision.reason}")


def _seen(outcome: Outcome) -> str:
    state = outcome.situation
    window = "open" if state.window_open else "shut"
    return _EXPECT.format(said=f"state: {state.state}, window: {window}")
