"""``AccountTemplates``: a registry of templates that is read from the business account.

House rules:

* What the account lists holds until it is read again, or until a webhook says otherwise: a status
  that the gatekeeper learnt after the reading stands above it.
* An account that cannot be read is no account without templates. Before the first reading the
  question cannot be answered (``TemplatesUnavailable``); later the last reading holds.
* Whoever reads the account holds up those who need its first reading, and nobody else.
* The token comes from the environment, and stands in no log, representation or exception. Links to
  further pages carry it too, so they are not followed: only their cursor is taken.

Needs httpx.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from wa_fsm.adapters.bearer import BASE_URL, Bearer, address_of, client, id_of_path
from wa_fsm.clock import Clock, system_clock
from wa_fsm.durations import parse_duration
from wa_fsm.events import (
    TEMPLATE_STATUSES,
    StatusName,
    Template,
    TemplateStatus,
    status_name,
)
from wa_fsm.forks import minds_forks
from wa_fsm.registry import Registry
from wa_fsm.stores.base import Status, StoreUnavailable
from wa_fsm.templates import Templates, plain_language

_AGAIN: Final = timedelta(minutes=1)
_SOON: Final = timedelta(seconds=5)  # the pause while there is no reading that could hold
_MADE: Final = "source"  # how a template came to be
_MOST_PAGES: Final = 1000
# What Meta calls sendable beside APPROVED; what it may call in future is not.
_SENDABLE: Final = frozenset({"approved", "reinstated", "flagged"})

Listed = dict[str, dict[str, str]]


class TemplatesUnavailable(StoreUnavailable):
    """The account's templates were never read, and cannot be now; a later call may succeed."""


class AccountTemplates:
    """The templates of one business account. Give it to a gatekeeper as ``templates``.

    Args:
        waba: the id of the WhatsApp Business Account.
        token: None: the environment variable ``WHATSAPP_TOKEN``.
        base_url: with the version.
        max_age: after how long a question has the account read again.
        now: the clock.
        transport: of httpx, for tests and proxies.
        timeout: for one request, in seconds.
        page: how many templates to ask for at once.

    Raises:
        ValueError: there is no token, `waba` is no id, `base_url` is no address, or the environment
            names a proxy that cannot be.
    """

    def __init__(
        self,
        waba: str,
        *,
        token: str | None = None,
        base_url: str = BASE_URL,
        max_age: timedelta | str = "1h",
        now: Clock = system_clock,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 10.0,
        page: int = 250,
    ) -> None:
        self.waba = waba
        self._url = f"{address_of(base_url)}/{id_of_path(waba)}/message_templates"
        self._max_age = parse_duration(max_age) if isinstance(max_age, str) else max_age
        self._now, self._page = now, page
        self._client = client(auth=Bearer(token), transport=transport, timeout=timeout)
        self.forked()
        minds_forks(self)
        self._fields: tuple[str, ...] = ("name", "language", "status", "category", _MADE)
        self._read_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._failed: tuple[datetime, str] | None = None  # the last try, and why
        self._listed: Listed = {}
        self._categories: dict[str, str] = {}
        self._learnt: tuple[Status, ...] = ()
        self._templates = Templates()

    def forked(self) -> None:
        """Wait for no thread that stayed with the parent."""
        self._reading = threading.Lock()  # held while the account is read
        self._lock = threading.Lock()  # over what is known, and never held for long

    def __repr__(self) -> str:
        return f"AccountTemplates(waba={self.waba!r}, read_at={self._read_at})"

    # -- reading ---------------------------------------------------------------------------------

    @property
    def read_at(self) -> datetime | None:
        """When the account was last read; None: never."""
        return self._read_at

    def refresh(self) -> int:
        """Read the account now.

        Returns:
            How many templates it lists, each language for itself.

        Raises:
            TemplatesUnavailable: it cannot be read; the last reading holds.
        """
        with self._reading:
            return self._refresh()

    def _refresh(self) -> int:
        begun = self._tried_at = self._now()
        try:
            listed, categories, count = self._all_pages()
        except TemplatesUnavailable as error:
            self._failed = self._now(), str(error)
            raise
        with self._lock:
            self._listed, self._categories = listed, categories
            self._build(begun)
            self._read_at = begun  # at last: from now on nobody waits
        return count

    def _all_pages(self) -> tuple[Listed, dict[str, str], int]:
        listed: Listed = {}
        categories: dict[str, str] = {}
        count, cursor = 0, ""
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            entries, cursor = self._get(cursor)
            for entry in entries:
                count += _take(listed, categories, entry)
            if not cursor or cursor in seen:
                break
            seen.add(cursor)
        return listed, categories, count

    def _get(self, cursor: str) -> tuple[list[Any], str]:
        """The entries of one page, and the cursor of the next."""
        params = {"fields": ",".join(self._fields), "limit": str(self._page)}
        if cursor:
            params["after"] = cursor
        try:
            response = self._client.get(self._url, params=params)
            body = response.json() if response.status_code == 200 else None
            if isinstance(body, dict) and isinstance(body.get("data"), list):
                return body["data"], _next_cursor(body)
            if response.status_code == 400 and _MADE in self._fields:
                # An older version of Graph may not know it; then nothing is made by Direct Send.
                self._fields = tuple(field for field in self._fields if field != _MADE)
                return self._get(cursor)
            why = f"HTTP {response.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, RecursionError) as error:
            why = type(error).__name__
        raise TemplatesUnavailable(f"the templates of account {self.waba} cannot be read: {why}")

    def _fresh(self) -> None:
        """Read the account if that is due. Only one thread does; the others go on with what is.

        Before the first reading there is nothing to go on with, so they wait. If it fails it failed
        for all of them: the account is not asked again for each.
        """
        if self._due() and self._reading.acquire(blocking=self._read_at is None):
            try:
                if self._due():
                    self._refresh()
            except TemplatesUnavailable:
                pass  # noted, and said below where no reading holds
            finally:
                self._reading.release()
        if self._read_at is None and self._failed is not None:
            raise TemplatesUnavailable(self._failed[1])

    def _due(self) -> bool:
        now = self._now()
        if self._read_at is None:
            return self._failed is None or now - self._failed[0] >= _SOON
        if now - self._read_at < self._max_age:
            return False
        return self._tried_at is None or now - self._tried_at >= min(_AGAIN, self._max_age)

    # -- following -------------------------------------------------------------------------------

    def learn(self, event: TemplateStatus) -> None:
        """Take in a status from a webhook. A gatekeeper that records it does this by itself."""
        language = plain_language(event.language or "")
        row = Status(event.name, language, event.status, event.at, self._now(), 0)
        with self._lock:
            self._learnt = (*self._learnt, row)
            self._build(self._read_at)

    def following(self, learnt: Sequence[Status]) -> Registry:
        """This registry, told of all statuses that a gatekeeper's store has learnt."""
        with self._lock:
            self._learnt = tuple(dict.fromkeys((*self._learnt, *learnt)))
            self._build(self._read_at)
        return self

    def _build(self, read: datetime | None) -> None:
        """The listing, and above it what was learnt after the listing was read."""
        templates = Templates(self._listed, self._categories)
        since = None if read is None else read.replace(microsecond=0)  # webhooks tell whole seconds
        for row in self._learnt:
            if since is None or row.at >= since:
                language = row.language or None
                event = TemplateStatus(row.name, status_name(row.status), row.at, language)
                templates.add(event, row.arrived, row.order)
        self._templates = templates

    # -- answering -------------------------------------------------------------------------------

    def status(self, template: Template, at: datetime) -> StatusName | None:
        """The template's status at an instant; None where the account does not list it.

        Raises:
            TemplatesUnavailable: the account was never read, and cannot be now.
        """
        self._fresh()
        return self._templates.status(template, at)

    def any_approved(self, at: datetime) -> bool:
        """Whether any template may be sent, as far as is known without asking the account."""
        return self._templates.any_approved(at)

    def category(self, name: str) -> str | None:
        """The template's category by the last reading of the account."""
        return self._templates.category(name)

    def approved_categories(self, at: datetime) -> frozenset[str | None]:
        """The categories of the templates that may be sent, as far as is known."""
        return self._templates.approved_categories(at)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _take(listed: Listed, categories: dict[str, str], entry: Any) -> int:
    """One template of the listing; what Direct Send made by itself is none that one may send."""
    if not isinstance(entry, dict) or entry.get("source") == "AUTO_GENERATED":
        return 0
    name, language, said = entry.get("name"), entry.get("language"), entry.get("status")
    if not (isinstance(name, str) and name and isinstance(language, str) and language):
        return 0
    status = said.lower() if isinstance(said, str) else ""
    if status in _SENDABLE:
        status = "approved"
    elif status not in TEMPLATE_STATUSES:
        status = "rejected"
    listed.setdefault(name, {})[plain_language(language)] = status
    if isinstance(entry.get("category"), str):
        categories[name] = entry["category"]
    return 1


def _next_cursor(body: Mapping[str, Any]) -> str:
    """The cursor of the next page; empty at the last one, which has cursors but no ``next``.

    Raises:
        ValueError, KeyError: there is a next page, and no way to it.
    """
    paging = body.get("paging")
    if not isinstance(paging, dict) or not isinstance(paging.get("next"), str):
        return ""
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    if isinstance(after, str) and after:
        return after
    (after,) = parse_qs(urlsplit(paging["next"]).query)["after"]
    return after
