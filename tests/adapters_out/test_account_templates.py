"""``AccountTemplates``: read page by page, kept fresh, led by webhooks, by name and language."""

from __future__ import annotations

import multiprocessing
import threading
import time
import traceback
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.adapters_out.conftest import ANA, NINE, NUMBER
from tests.adapters_out.loopback import Loopback, error
from wa_fsm import FreeForm, Template, TemplateStatus
from wa_fsm.adapters.templates import AccountTemplates, TemplatesUnavailable
from wa_fsm.clock import ManualClock
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.registry import Follower, Registry
from wa_fsm.stores.base import StoreUnavailable
from wa_fsm.stores.memory import MemoryStore

SECRET = "EAAsecret123"
WABA = "102290129340398"


def entry(name: str, status: str, language: str = "en_US", **more: Any) -> dict[str, Any]:
    return {"name": name, "status": status, "language": language, "id": "1", **more}


def page(*entries: Any, after: str = "", cursors: bool = True) -> dict[str, Any]:
    paging: dict[str, Any] = {}
    if cursors:
        paging["cursors"] = {"before": "b", "after": after or "end"}
    if after:
        paging["next"] = f"https://elsewhere.example/x?access_token={SECRET}&after={after}"
    return {"data": list(entries), "paging": paging}


@pytest.fixture
def account(graph: Loopback, clock: ManualClock) -> Any:
    graph.pages[""] = page(entry("hello", "APPROVED"), entry("hello", "PAUSED", "de"), after="p2")
    graph.pages["p2"] = page(entry("sale", "REJECTED"), after="p3", cursors=False)
    graph.pages["p3"] = page(
        entry("new", "PENDING"),
        entry("odd", "SOMETHING_NEW"),
        entry("risky", "FLAGGED"),
        entry("auto", "APPROVED", source="AUTO_GENERATED"),
        {"name": None},
        "no entry",
    )
    with AccountTemplates(WABA, token=SECRET, base_url=f"{graph.url}/v24.0", now=clock) as made:
        yield made


def status(account: AccountTemplates, name: str, language: str | None = "en_US") -> str | None:
    return account.status(Template(name, language), account._now())


def test_all_pages_are_read(graph: Loopback, account: AccountTemplates) -> None:
    """By their cursors, from our own server, with the token in the header only."""
    assert account.refresh() == 6
    assert [seen.path.partition("?")[0] for seen in graph.log] == [
        f"/v24.0/{WABA}/message_templates"
    ] * 3
    assert SECRET not in "".join(seen.path for seen in graph.log)
    assert {seen.headers["authorization"] for seen in graph.log} == {f"Bearer {SECRET}"}


def test_a_template_is_known_by_name_and_language(account: AccountTemplates) -> None:
    """What the account calls by names of its own is approved only where Meta says so."""
    names = ("hello", "sale", "new", "odd", "risky", "auto", "nobody")
    assert {name: status(account, name) for name in names} == {
        "hello": "approved",
        "sale": "rejected",
        "new": "pending",
        "odd": "rejected",
        "risky": "approved",
        "auto": None,
        "nobody": None,
    }
    assert status(account, "hello", "de") == "paused"
    assert status(account, "hello", "en-US") == "approved"
    assert status(account, "hello", "fr") is None
    assert status(account, "hello", None) == "approved"


def test_what_direct_send_made_is_asked_for_and_passed_over(clock: ManualClock) -> None:
    """WhatsApp tells only the fields that are asked for, and refuses such a template by name."""
    listed = [entry("mine", "APPROVED", source="MANUAL"),
              entry("auto", "APPROVED", source="AUTO_GENERATED")]  # fmt: skip

    def tell(request: httpx.Request) -> httpx.Response:
        asked = request.url.params["fields"].split(",")
        told = [{key: each[key] for key in asked if key in each} for each in listed]
        return httpx.Response(200, json={"data": told})

    transport = httpx.MockTransport(tell)
    with AccountTemplates(WABA, token=SECRET, now=clock, transport=transport) as account:
        assert [status(account, name) for name in ("mine", "auto")] == ["approved", None]


def test_it_is_a_registry(account: AccountTemplates) -> None:
    """And one that follows what a store learns."""
    assert isinstance(account, Registry)
    assert isinstance(account, Follower)


def test_it_is_read_again_by_age(
    graph: Loopback, account: AccountTemplates, clock: ManualClock
) -> None:
    """Within an hour one reading serves; after it a question reads anew."""
    status(account, "hello")
    clock.advance(timedelta(minutes=59))
    status(account, "hello")
    assert len(graph.log) == 3
    graph.pages[""] = page(entry("hello", "DISABLED"))
    clock.advance(timedelta(minutes=1))
    assert status(account, "hello") == "disabled"
    assert status(account, "hello", "de") is None
    assert len(graph.log) == 4


def test_the_last_reading_holds_while_the_account_cannot_be_read(
    graph: Loopback, account: AccountTemplates, clock: ManualClock
) -> None:
    """And it is not asked again with each question."""
    status(account, "hello")
    graph.script += [(500, error(2))] * 10
    clock.advance(timedelta(hours=2))
    assert status(account, "hello") == "approved"
    assert status(account, "hello") == "approved"
    assert len(graph.log) == 4
    clock.advance(timedelta(minutes=1))
    status(account, "hello")
    assert len(graph.log) == 5
    with pytest.raises(TemplatesUnavailable):
        account.refresh()


ODD = [
    b"[" * 100_000,
    b'{"data":[],"paging":{"next":"https://[::1"}}',
    b'{"data":[],"paging":{"next":"https://elsewhere.example/x"}}',
    b'{"data":{}}',
    b"\xff",
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_is_an_account_that_cannot_be_read(
    graph: Loopback, account: AccountTemplates, clock: ManualClock, odd: bytes
) -> None:
    """Whatever is wrong with it: the last reading holds."""
    status(account, "hello")
    graph.script += [(200, odd)] * 2
    clock.advance(timedelta(hours=2))
    assert status(account, "hello") == "approved"
    with pytest.raises(TemplatesUnavailable):
        account.refresh()


@pytest.mark.parametrize(
    "scripted",
    [(500, error(2)), (200, b"[]"), (200, b"x"), (401, error(190)), *((200, odd) for odd in ODD)],
)
def test_before_the_first_reading_nobody_can_say(
    graph: Loopback, account: AccountTemplates, clock: ManualClock, scripted: Any
) -> None:
    """An account that cannot be read is not one without templates."""
    graph.script.append(scripted)
    with pytest.raises(StoreUnavailable) as caught:
        status(account, "hello")
    shown = "".join(traceback.format_exception(caught.value)) + repr(account) + str(vars(account))
    assert SECRET not in shown
    clock.advance(timedelta(seconds=5))
    assert status(account, "hello") == "approved"


def test_a_question_asks_the_account_once(
    graph: Loopback, account: AccountTemplates, clock: ManualClock
) -> None:
    """While it was never read and cannot be, it is asked again only after a pause."""
    gate = gate_of(account, clock)
    graph.script += [(500, error(2))] * 2
    for asked in (1, 1, 2):
        with pytest.raises(TemplatesUnavailable):
            gate.check(NUMBER, ANA, Template("hello", "en_US"))
        assert len(graph.log) == asked
        clock.advance(timedelta(seconds=3))


def test_who_waited_for_the_first_reading_shares_its_failure(
    graph: Loopback, account: AccountTemplates
) -> None:
    """Each of them trying in turn would wait for as many answers as there are threads."""
    graph.script += [(500, error(2))] * 8
    graph.slow, said = 0.2, list[str]()

    def ask() -> None:
        try:
            status(account, "hello")
        except TemplatesUnavailable as unavailable:
            said.append(str(unavailable))

    asking = [threading.Thread(target=ask) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert said == [f"the templates of account {WABA} cannot be read: HTTP 500"] * 8
    assert len(graph.log) == 1


def test_a_reading_holds_up_nobody_who_has_the_last_one(
    graph: Loopback, account: AccountTemplates, clock: ManualClock
) -> None:
    """Webhooks are learnt meanwhile, and stand above what is being read."""
    gate, hello = gate_of(account, clock), Template("hello", "en_US")
    account.refresh()
    graph.script.append("hang")
    reading = threading.Thread(target=account.refresh)
    reading.start()
    while len(graph.log) < 4:
        time.sleep(0.001)
    clock.advance(timedelta(seconds=1))
    gate.record(TemplateStatus("hello", "paused", clock(), "en_US"))
    assert gate.check(NUMBER, ANA, FreeForm()).reason == "history_unknown"
    assert gate.check(NUMBER, ANA, hello).error_code == 132015
    assert reading.is_alive()
    graph.free.set()
    reading.join()
    assert gate.check(NUMBER, ANA, hello).error_code == 132015


def gate_of(account: AccountTemplates, clock: ManualClock) -> Gatekeeper:
    return Gatekeeper(
        policy="cloud-api", store=MemoryStore(NINE), templates=account, now=clock, log=False
    )


def test_a_gatekeeper_with_it_follows_template_webhooks(
    account: AccountTemplates, clock: ManualClock
) -> None:
    """What was learnt after the reading stands above it, until the account is read again."""
    gate = gate_of(account, clock)
    hello = Template("hello", "en_US")
    assert gate.check(NUMBER, ANA, hello).reason == "template_approved"
    clock.advance(timedelta(minutes=1))
    gate.record(TemplateStatus("hello", "paused", clock(), "en-US"))
    assert gate.check(NUMBER, ANA, hello).error_code == 132015
    gate.record(TemplateStatus("brand_new", "approved", clock(), "de"))
    assert gate.check(NUMBER, ANA, Template("brand_new", "de")).allowed
    clock.advance(timedelta(hours=1))
    assert gate.check(NUMBER, ANA, hello).allowed
    assert not gate.check(NUMBER, ANA, Template("brand_new", "de")).allowed


def test_an_old_status_does_not_stand_above_the_reading(
    account: AccountTemplates, clock: ManualClock
) -> None:
    """A webhook from before the reading is in it already."""
    account.refresh()
    account.learn(TemplateStatus("hello", "paused", NINE - timedelta(minutes=1), "en_US"))
    assert status(account, "hello") == "approved"
    account.learn(TemplateStatus("hello", "paused", NINE + timedelta(minutes=1), "en_US"))
    clock.advance(timedelta(minutes=2))
    assert status(account, "hello") == "paused"


def test_a_webhook_in_the_second_of_the_reading_counts(
    account: AccountTemplates, clock: ManualClock
) -> None:
    """Webhooks tell whole seconds, so what came just after the reading may seem to be before it."""
    clock.advance(timedelta(milliseconds=300))
    account.refresh()
    account.learn(TemplateStatus("hello", "paused", NINE, "en_US"))
    assert status(account, "hello") == "paused"


def test_a_question_about_free_form_does_not_wait_for_the_account(
    graph: Loopback, account: AccountTemplates, clock: ManualClock
) -> None:
    """It hangs on the window only."""
    assert gate_of(account, clock).check(NUMBER, ANA, FreeForm()).allowed_kinds == ()
    assert graph.log == []


def test_a_circle_of_pages_ends(graph: Loopback, account: AccountTemplates) -> None:
    """Whatever the server says is next."""
    graph.pages["p3"] = page(entry("hello", "APPROVED"), after="p2")
    assert account.refresh() > 0


def test_a_proxy_that_cannot_be_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment's proxy is not ours to show."""
    monkeypatch.setenv("HTTPS_PROXY", "http://u:sEcr/et@h:1")
    with pytest.raises(ValueError, match="a proxy of the environment") as caught:
        AccountTemplates("1", token="t")
    assert "sEcr" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("given", [{"waba": "1022\n"}, {"waba": ""}, {"base_url": "http://[::1"}])
def test_where_nothing_can_be_read_is_told_at_once(given: dict[str, str]) -> None:
    """Not in the middle of a send."""
    said = {"waba": WABA, "token": SECRET, **given}
    with pytest.raises(ValueError, match=r"is no (id|address)"):
        AccountTemplates(**said)  # type: ignore[arg-type]  # texts, all of them


def test_an_older_graph_that_does_not_know_a_field_is_read_without_it(clock: ManualClock) -> None:
    """It answers 400 to the whole question."""
    asked = list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["fields"])
        if "source" in asked[-1]:
            return httpx.Response(400, json=error(100))
        return httpx.Response(200, json=page(entry("hello", "APPROVED")))

    transport = httpx.MockTransport(answer)
    with AccountTemplates(WABA, token=SECRET, now=clock, transport=transport) as made:
        assert [made.refresh(), made.refresh()] == [1, 1]
        assert made.status(Template("hello"), NINE) == "approved"
    assert asked == ["name,language,status,category,source"] + ["name,language,status,category"] * 2


def test_a_child_waits_for_no_thread_that_reads_the_account(account: Any) -> None:
    """A lock that was held at the fork is nobody's in the child."""
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=account.status, args=(Template("hello"), NINE))
    with account._reading:
        child.start()
        child.join(10)
    hung = child.is_alive()
    child.kill()
    assert (hung, child.exitcode) == (False, 0)
