"""``wa-sim forward SCENARIO``: send what a scenario allows, or print the requests."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from .reporting import wants_colour

if TYPE_CHECKING:
    from wa_fsm.policy import Policy

    from ..forward import Forwarder, Item, Mapped, Report
    from ..outcome import Run

_NUMBER = re.compile("[0-9]{1,40}")
_PHONE = re.compile("[0-9]{8,15}")
_BSUID = re.compile(r"[A-Z]{2}(\.[A-Z]+)?\.[A-Za-z0-9]{1,128}")
_NOTHING_LEFT = "nothing was sent"
_FASTEST = 1e6
_YEAR = 366 * 86400.0


@click.command("forward")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--live", is_flag=True, help="Really send; the token is taken from WHATSAPP_TOKEN.")
@click.option(
    "--number", "numbers", multiple=True, metavar="NAME=ID", help="The phone_number_id of NAME."
)
@click.option(
    "--to",
    "contacts",
    multiple=True,
    metavar="NAME=PHONE",
    help="The phone number of contact NAME.",
)
@click.option("--speed", type=click.FloatRange(0, _FASTEST, min_open=True), metavar="N",
              help="At the scenario's times, N times as fast; without it, at once.")  # fmt: skip
@click.option("--content", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
              help="YAML or JSON: from a step's id or a kind to its object in a body.")  # fmt: skip
@click.option("--language", default="en_US", show_default=True, help="Of templates that name none.")
@click.option("--journal", type=click.Path(dir_okay=False), metavar="FILE",
              help="Where to note what leaves; default: FILE.journal of the scenario.")  # fmt: skip
@click.option("--statuses", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
              help="Lines of webhook bodies, which settle what may have left.")  # fmt: skip
@click.option("--resend-unknown", is_flag=True, help="Send again what may have left.")
@click.option("--base-url", default="https://graph.facebook.com/v24.0", show_default=True,
              help="Of the Cloud API, with the version.")  # fmt: skip
@click.option("--policy", "spec", metavar="SPEC", help="Instead of the file's policy, options too.")
@click.option("-k", "expression", metavar="EXPR", help="Which case, by words of its name.")
def command(file: str, live: bool, **options: Any) -> None:
    """Run the one case of FILE and, if it passes, send its allowed business sends.

    Without --live the requests are only printed. What the scenario refuses is shown as not sent.

    Each send is noted in a journal before it leaves, so that after an interruption the same command
    goes on, and sends nothing twice: what may have left is listed, and sent again only with
    --resend-unknown.

    Exit codes: 0 all sent, 1 the scenario failed or a send did, 2 a file or the call is wrong.
    """
    from ..forward import Mapped, plan

    if not options["language"].strip():
        raise click.UsageError("--language is empty; expected a language such as `en_US`")
    run = _run(file, options["spec"], options["expression"])
    mapped = Mapped(
        _pairs(options["numbers"], "--number"),
        _pairs(options["contacts"], "--to"),
        _contents(options["content"]),
        options["language"],
    )
    _known(run, mapped, options["content"])
    items = plan(run, mapped)
    _in_time(items, options["speed"])
    click.echo(f"{run.case.name} [{run.case.policy.spec}]")
    if not live:
        _printed(run, items, options["base_url"])
        return
    _check(items, mapped)
    click.get_current_context().exit(_live(file, run, items, mapped, options))


def _run(file: str, spec: str | None, expression: str | None) -> Run:
    from ..batch import tell
    from ..reports.text import Style, explain_failures
    from ..runner import run_case
    from ..scenario import BadFile, load_file
    from ..select import chooser
    from .specs import policy_of

    policy: Policy | None = policy_of(spec) if spec is not None else None
    try:
        chosen = chooser(expression) if expression is not None else None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        cases = load_file(file, file, policy)
    except BadFile as bad:
        click.echo(tell(bad.mistakes), err=True, nl=False)
        raise click.ClickException(f"the file cannot be used, so {_NOTHING_LEFT}") from None
    except OSError as error:
        raise click.ClickException(f"{file}: cannot be read: {error.strerror}") from None
    cases = [c for c in cases if chosen is None or chosen(f"{c.name} [{c.policy.spec}]")]
    if len(cases) != 1:
        names = "".join(f"\n  {c.name} [{c.policy.spec}]" for c in cases)
        raise click.ClickException(
            f"{len(cases)} cases, and only one can be forwarded: choose by -k or --policy{names}"
        )
    run = run_case(cases[0])
    if not run.passed:
        click.echo(f"FAIL {file}:{run.case.line} {run.case.name} [{run.case.policy.spec}]")
        click.echo(explain_failures(run, Style(wants_colour())), nl=False)
        click.echo(f"the scenario failed, so {_NOTHING_LEFT}")
        click.get_current_context().exit(1)
    return run


def _pairs(given: Sequence[str], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name or not value or name in pairs:
            raise click.UsageError(f"{option} takes NAME=VALUE, each name once; got `{each}`")
        pairs[name] = value
    return pairs


def _contents(path: str | None) -> dict[str, Any]:
    import yaml

    if path is None:
        return {}
    try:
        read = yaml.safe_load(Path(path).read_bytes())
    except RecursionError:
        raise click.ClickException(f"{path}: cannot be read: it is nested too deeply") from None
    except Exception as error:  # of a value that is not what its tag says, YAML raises anything
        raise click.ClickException(f"{path}: cannot be read: {error}") from None
    if not isinstance(read, dict):
        raise click.ClickException(f"{path}: expected a mapping from step or kind to its object")
    return {str(key): _as_json(path, str(key), value) for key, value in read.items()}


def _as_json(path: str, name: str, content: Any) -> Any:
    """The content as a body carries it: YAML knows more than JSON does."""
    try:
        said = json.dumps(content, allow_nan=False, ensure_ascii=False, default=_no_json)
        said.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise click.ClickException(f"{path}: `{name}` cannot be sent: {error}") from None
    return json.loads(said)


def _no_json(value: object) -> Any:
    raise TypeError(
        f"`{value}` is read as a {type(value).__name__}; to send a text put it in quotes"
    )


def _known(run: Run, mapped: Mapped, file: str | None) -> None:
    """A misspelt name must not go unseen: without its content a message has another's words."""
    from wa_fsm.events import FREE_FORM_KINDS
    from wa_fsm.policies import near

    steps = [outcome.step for outcome in run.outcomes]
    sends = [step for step in steps if step.message is not None and not step.asked_only]
    ids = [step.id for step in sends]
    asked = (
        ("--number", "business number", mapped.numbers, [step.number for step in sends]),
        ("--to", "contact", mapped.contacts, [step.contact for step in sends]),
        (f"{file}:", "step or kind", mapped.contents, [*ids, *FREE_FORM_KINDS, "template"]),
    )
    wrong = [
        f"{where} `{name}` is no {what} of what is sent here"
        + (f"; {near(name, dict.fromkeys(known))}" if known else "")
        for where, what, given, known in asked
        for name in given
        if name not in known
    ]
    lists = {"contacts", *(step.id for step in sends if step.kind == "contacts")}
    for name, content in mapped.contents.items():
        if name in lists and not isinstance(content, list):
            wrong.append(f"{file}: `{name}` has no list; expected one of contacts, as in a body")
        elif name not in lists and not isinstance(content, dict):
            expected = "expected one as in a body, such as {body: Hello}"
            wrong.append(f"{file}: `{name}` has no object; {expected}")
    if wrong:
        raise click.UsageError("\n".join(wrong))


def _check(items: Sequence[Item], mapped: Mapped) -> None:
    """Everything that a live run needs, before anything leaves."""
    from wa_fsm.identity import canonical

    sends = [item for item in items if item.body is not None]
    wrong = []
    for name in sorted({i.step.number for i in sends if not _NUMBER.fullmatch(i.number)}):
        wrong.append(f"--number {name}=ID is missing: its phone_number_id, in digits")
    contacts = {item.step.contact for item in sends}
    real = {name: canonical(mapped.contacts.get(name, name)) for name in contacts}
    for name in sorted(contacts):
        if not (_PHONE.fullmatch(real[name]) or _BSUID.fullmatch(real[name])):
            wrong.append(f"--to {name}=PHONE is missing: a phone number, or a BSUID")
    if len(set(real.values())) < len(real):
        wrong.append("two contacts of the scenario cannot be one phone number")
    ids = {item.step.number: item.number for item in sends}
    if len(set(ids.values())) < len(ids):
        wrong.append("two business numbers of the scenario cannot be one phone_number_id")
    for item in sends:
        if item.lacks:
            wrong.append(
                f"line {item.step.line}: --content gives nothing for `{item.step.id}` or "
                f"`{item.lacks}`"
            )
    if wrong:
        raise click.UsageError("\n".join(wrong))


def _in_time(items: Sequence[Item], speed: float | None) -> None:
    """A clock that hardly moves is a mistake, and there are waits that no machine can make."""
    if speed is None:
        return
    at = [item.step.arrived for item in items if item.body is not None]
    seconds = (at[-1] - at[0]).total_seconds() / speed if at else 0.0
    if math.isnan(speed):
        raise click.UsageError("--speed nan is no speed")
    if seconds > _YEAR:
        raise click.UsageError(f"at --speed {speed:g} the last send would wait for over a year")


def _printed(run: Run, items: Sequence[Item], base_url: str) -> None:
    from ..forward import refusal

    address, sends = _shown_address(base_url), 0
    for item in items:
        _head(run, item)
        if item.body is None:
            click.echo(f"  not sent: {refusal(run.case, item.outcome)}")
            continue
        sends += 1
        body = {"messaging_product": "whatsapp", "recipient_type": "individual", **item.body}
        click.echo(f"  POST {address}/{item.number}/messages")
        click.echo(f"  {json.dumps(body, ensure_ascii=False)}")
        if item.lacks:
            click.echo(f"  needs --content for `{item.step.id}` or `{item.lacks}`")
    refused = len(items) - sends
    click.echo(f"{sends} to send, {refused} not sent; these are only shown (--live sends)")


def _shown_address(base_url: str) -> str:
    """The address without what stands before an `@` in it: that may be a password."""
    try:
        parts = urlsplit(base_url)
        whole = parts.hostname and parts.scheme in ("http", "https")
    except ValueError:
        whole = None
    if not whole or parts.query or parts.fragment:
        raise click.UsageError("--base-url is no address; expected one such as the default")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def _head(run: Run, item: Item) -> None:
    from ..reports.text import zone_of

    step = item.step
    when = step.arrived.astimezone(zone_of(run.case)).isoformat(sep=" ", timespec="milliseconds")
    what = f"template `{step.template}`" if step.template else step.kind
    click.echo(f"{when}  {step.number} to {step.contact}: {what} ({step.id})")


def _live(
    file: str, run: Run, items: Sequence[Item], mapped: Mapped, options: dict[str, Any]
) -> int:
    import time

    from ..forward import Forwarder, digest, settled
    from ..journal import Journal, JournalError

    make = _sender_maker(options["base_url"])
    path = Path(options["journal"] or f"{file}.journal")
    try:
        with Journal(path, digest(run.case, items), _origin(options["base_url"])) as journal:
            if options["statuses"]:
                count = settled(journal, _lines(options["statuses"]))
                click.echo(f"settled by their status: {count}", err=True)
            forwarder = Forwarder(
                run,
                items,
                mapped,
                journal,
                make,
                time.monotonic,
                time.sleep,
                options["speed"],
                again=options["resend_unknown"],
            )
            reports = _all_told(run, forwarder)
    except JournalError as error:
        raise click.ClickException(str(error)) from None
    return _summed(reports, path)


def _origin(base_url: str) -> str:
    """The host that requests go to, whatever the version of the API, and without a password."""
    import httpx

    url = httpx.URL(base_url)
    return f"{url.scheme}://{url.netloc.decode()}"


def _sender_maker(base_url: str) -> Any:
    from wa_fsm.gatekeeper import Gatekeeper

    try:
        from wa_fsm.adapters.bearer import TOKEN, Bearer, address_of, client
        from wa_fsm.adapters.sender import CloudApiSender
    except ImportError:
        raise click.ClickException("--live needs httpx: pip install httpx") from None
    try:
        Bearer()
    except ValueError as error:
        raise click.UsageError(f"--live takes the token from {TOKEN}: {error}") from None
    try:
        address_of(base_url)
    except ValueError as error:
        raise click.UsageError(f"--base-url: {error}") from None
    try:
        client().close()
    except ValueError as error:
        raise click.UsageError(f"{error}; {_NOTHING_LEFT}") from None

    def make(gate: Gatekeeper, number: str, wait: Any) -> CloudApiSender:
        return CloudApiSender(gate, number, base_url=base_url, sleep=wait)

    return make


def _lines(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        yield from (line for line in file if line.strip())


def _all_told(run: Run, forwarder: Forwarder) -> list[Report]:
    from ..journal import JournalError

    try:
        return [_told(run, report) for report in forwarder.reports()]
    except JournalError as error:  # what cannot be noted could be sent twice
        raise JournalError(f"{error}; nothing more was sent") from None
    finally:
        forwarder.close()


def _told(run: Run, report: Report) -> Report:
    _head(run, report.item)
    words = "not sent" if report.told == "refused" else report.told
    click.echo(f"  {words}: {report.text}")
    return report


def _summed(reports: Sequence[Report], journal: Path) -> int:
    counts = {
        word: sum(report.told == word for report in reports)
        for word in ("sent", "sent earlier", "refused", "failed", "not taken", "unknown")
    }
    words = {"refused": "not sent"}
    click.echo(", ".join(f"{n} {words.get(word, word)}" for word, n in counts.items() if n))
    if counts["unknown"]:
        click.echo(
            f"{counts['unknown']} may have left: settle them by --statuses FILE, or send them "
            f"again with --resend-unknown ({journal})",
            err=True,
        )
    gate = any(r.told == "refused" and r.item.body is not None for r in reports)
    bad = counts["failed"] + counts["not taken"] + counts["unknown"]
    return 1 if bad or gate else 0
