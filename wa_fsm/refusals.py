"""Refusals of one's own: named conditions as data, that a policy may add to its table.

House rules:

* A refusal of one's own is asked last: only what the table allows can be refused by it. So a
  refusal for the window keeps its reason, and nothing is ever allowed that the table refuses.
* It is asked at the instant of a question. Nothing that happened is ever judged by it: state,
  window and conversation do not depend on it.
* The conditions are a closed list, and the name of each is the reason that it gives:
  ``quiet_hours`` (a stretch of each local day, or of some days of the week), ``quiet_days`` (whole
  local days of the week), ``template_category`` (at any time, templates of a category).
* Hours and days are those that a clock on the wall shows in the zone, whatever it is set to: where
  it jumps over an hour, that hour's quiet is shorter; where it shows one twice, both are quiet.
* A template whose category is not known counts as one of every category: what may be sent must be
  known, as with a template that is not registered.
* Nothing here reads files: the zone is a ``tzinfo`` that the loader looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, get_args

from wa_fsm.decision import OWN_REASONS, OwnReason, in_zone
from wa_fsm.events import FreeForm, Message

Category: TypeAlias = Literal["marketing", "utility", "authentication"]
CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ALL_DAYS: Final = frozenset(range(7))
_MIDNIGHT: Final = time(0)
_AHEAD: Final = timedelta(days=16)  # every condition that ever holds begins again within that
_MS: Final = timedelta(milliseconds=1)
_DAY: Final = timedelta(days=1)
_HALF_DAY: Final = timedelta(hours=12)
_LAST_DAY: Final = date.max.toordinal()


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal of one's own.

    Attributes:
        id: its rule id, such as ``Q1``.
        reason: the name of its condition.
        text: what it says, as its source.
        free_form: whether it is about free-form messages.
        categories: the template categories that it is about; every one: all templates.
        begin, end: the stretch of each local day; from `end` on it does not hold. An `end` that is
            not after `begin` is on the next day, so equal ones are a whole day.
        days: of the week, Monday is 0; each instant counts to its own local day.
        zone: of the hours and days; None for ``template_category``.
        zone_name: the same as people say it.
    """

    id: str
    reason: OwnReason
    text: str
    free_form: bool
    categories: frozenset[str] = frozenset()
    begin: time = _MIDNIGHT
    end: time = _MIDNIGHT
    days: frozenset[int] = _ALL_DAYS
    zone: tzinfo | None = None
    zone_name: str = ""

    def holds(self, at: datetime) -> bool:
        """Whether its condition holds at this instant."""
        if self.zone is None:
            return True
        local = in_zone(at, self.zone)
        if local.weekday() not in self.days:
            return False
        clock = local.time()
        if self.begin < self.end:
            return self.begin <= clock < self.end
        return clock >= self.begin or clock < self.end

    def is_about(self, message: Message, category: str | None) -> bool:
        """Whether it is about this message; a category that is not known is every one."""
        if isinstance(message, FreeForm):
            return self.free_form
        return self.concerns(category)

    def concerns(self, category: str | None) -> bool:
        """Whether it is about templates of this category; one that nobody knows is every one."""
        return bool(self.categories) and (category not in CATEGORIES or category in self.categories)

    def begins_after(self, at: datetime, until: datetime) -> datetime | None:
        """The first instant after `at` and before `until` at which it begins to hold, if any."""
        last = min(until, at + _AHEAD) if at < datetime.max.replace(tzinfo=UTC) - _AHEAD else until
        for edge in self.edges(at, last):
            if self.holds(edge):
                return edge
        return None

    def edges(self, after: datetime, before: datetime) -> Iterator[datetime]:
        """Every instant between the two at which it may begin or end to hold, in order."""
        for day in range(after.toordinal(), before.toordinal() + 1):
            yield from (edge for edge in _edges_of(self, day) if after < edge < before)

    @property
    def said(self) -> str:
        """Its condition in words: ``quiet hours from 21:00 to 08:00 Europe/Berlin``."""
        if self.reason == "template_category":
            return f"no templates of the category {_or(sorted(self.categories))}"
        days = (
            "" if self.days == _ALL_DAYS else f" on {_and(DAYS[day] for day in sorted(self.days))}"
        )
        if self.reason == "quiet_days":
            return f"quiet days{days} {self.zone_name}"
        hours = f"from {clock_said(self.begin)} to {clock_said(self.end)}"
        return f"quiet hours{days} {hours} {self.zone_name}"

    @property
    def about(self) -> str:
        """What it is about, in words."""
        parts = ["free-form messages"] if self.free_form else []
        if self.categories == frozenset(CATEGORIES):
            parts.append("templates")
        elif self.categories:
            parts.append(f"templates of the category {_or(sorted(self.categories))}")
        return " and ".join(parts)

    @property
    def data(self) -> dict[str, Any]:
        """The whole as plain values, for hashes and JSON. Its `text` changes no answer."""
        timed = self.zone is not None
        return {
            "id": self.id,
            "reason": self.reason,
            "free_form": self.free_form,
            "categories": sorted(self.categories),
            "between": [clock_said(self.begin), clock_said(self.end)] if timed else None,
            "days": [DAYS[day] for day in sorted(self.days)] if timed else None,
            "timezone": self.zone_name or None,
        }


def complaints(refusals: Iterable[Refusal], taken: frozenset[str]) -> Iterator[str]:
    """What is wrong with the refusals of one policy. `taken`: ids of its rows."""
    seen: set[str] = set()
    for own in refusals:
        if own.id in taken or own.id in seen:
            yield f"refusal {own.id}: the id is taken; every refusal needs one of its own"
        seen.add(own.id)
        if own.reason not in OWN_REASONS:
            yield f"refusal {own.id}: `{own.reason}` is no reason of a refusal of one's own"
        if not own.text.strip():
            yield f"refusal {own.id}: no text; say what it is good for, it is cited as its source"
        if not own.free_form and not own.categories:
            yield f"refusal {own.id}: it is about nothing; name free-form or template categories"
        for category in sorted(own.categories - set(CATEGORIES)):
            yield f"refusal {own.id}: unknown template category `{category}`"
        if not own.days or own.days - _ALL_DAYS:
            yield f"refusal {own.id}: the days are numbers from 0 to 6, at least one"
        timed = own.reason != "template_category"
        if timed is (own.zone is None) or bool(own.zone_name) is (own.zone is None):
            yield f"refusal {own.id}: hours and days need a zone and its name, nothing else does"
        if own.reason != "quiet_hours" and (own.begin, own.end) != (_MIDNIGHT, _MIDNIGHT):
            yield f"refusal {own.id}: only `quiet_hours` has hours"
        if own.reason == "template_category" and (own.free_form or own.days != _ALL_DAYS):
            yield f"refusal {own.id}: `template_category` is about templates, on all days"


def clock_said(clock: time) -> str:
    """A time of day as a policy file writes it; the seconds only where there are some."""
    return clock.isoformat("minutes" if not clock.second else "seconds")


def _or(words: Iterable[str]) -> str:
    return " or ".join(words)


def _and(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


@lru_cache(maxsize=4096)
def _edges_of(own: Refusal, ordinal: int) -> tuple[datetime, ...]:
    """The edges on one day (UTC, as an ordinal), in order; kept, since questions come in crowds."""
    if own.zone is None:
        return ()
    begin = datetime.fromordinal(ordinal).replace(tzinfo=UTC)
    end = datetime.max.replace(tzinfo=UTC) if ordinal == _LAST_DAY else begin + _DAY
    found = set(_turns(own.zone, begin if ordinal == 1 else begin - _MS, end))
    for day in range(max(ordinal - 1, 1), min(ordinal + 1, _LAST_DAY) + 1):
        for clock in {own.begin, own.end, _MIDNIGHT}:
            for fold in (0, 1):
                wall = clock.replace(fold=fold)
                local = datetime.combine(date.fromordinal(day), wall, own.zone)
                with suppress(OverflowError):  # at the ends of the calendar
                    found.add(local.astimezone(UTC))
    return tuple(sorted(edge for edge in found if begin <= edge < end))


def _turns(zone: tzinfo, after: datetime, before: datetime) -> Iterator[datetime]:
    """The instants between the two at which the clocks of the zone are set to another offset."""
    low = after
    while low < before:
        high = before if before - low < _HALF_DAY else low + _HALF_DAY
        if _offset(zone, low) != _offset(zone, high):
            yield _turn(zone, low, high)
        low = high


def _turn(zone: tzinfo, low: datetime, high: datetime) -> datetime:
    old = _offset(zone, low)
    while high - low > _MS:
        middle = low + (high - low) // _MS // 2 * _MS
        if _offset(zone, middle) == old:
            low = middle
        else:
            high = middle
    return high


def _offset(zone: tzinfo, at: datetime) -> timedelta | None:
    return in_zone(at, zone).utcoffset()
