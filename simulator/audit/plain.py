"""The words of the audit: what a source gives, what the engine gives back.

House rules:

* A source reads files and yields ``Chunk``s of rows in the plain form, and ``Reject``s for what
  it could not make a row of. It judges nothing, and it corrects nothing silently.
* The engine reads the values (``encode.py``), so a bad value is a ``Reject`` whoever the source
  is; it groups, folds and judges. Every row ends up as exactly one of: judged, a fact, a
  duplicate, unclassified, rejected.
* A report reads ``Totals`` and the tables of ``Audit.sends``. It computes no verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from wa_fsm.events import TemplateStatus
from wa_fsm.templates import TemplateEntry, Templates

if TYPE_CHECKING:
    import pyarrow as pa

Judge: TypeAlias = Literal["truth", "known"]
Only: TypeAlias = Literal["refused", "disagreement", "needless", "changed"]
Picked: TypeAlias = Literal[
    "near_misses", "allowed_but_refused", "refused_but_delivered", "needless", "changed"
]

REQUIRED: Final = ("at", "direction", "number", "customer", "kind", "id")
OPTIONAL: Final = (
    "template", "language", "arrived_at", "status", "error_code", "category",
)  # fmt: skip
COLUMNS: Final = (*REQUIRED, *OPTIONAL)
FREE_FORM: Final = "free_form"  # an outbound kind: free-form, of a kind that the source has not
UNCLASSIFIED: Final = "unclassified"  # an outbound kind: free-form or template, nobody knows
PICKS: Final = 20  # how many rows of each sort `Audit.picked` has


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of one file in the plain form: the columns of ``COLUMNS`` that the file has.

    The values may come in any type that says them:

    * `at`, `arrived_at`: timestamps with a zone, ISO 8601 text with a zone, or Unix seconds as a
      number or as text. An empty `arrived_at` is `at`. Without a zone the row is rejected.
    * `direction`: ``inbound`` or ``outbound``.
    * `number`, `customer`, `id`: text, or whole numbers.
    * `kind`: inbound a kind of customer message, or ``call``; outbound a kind of free-form
      message, ``free_form``, ``template`` or ``unclassified`` (the same as an empty one).
    * `template`, `language`: text; a template without a name counts as approved.
    * `status`: one of ``accepted``, ``sent``, ``delivered``, ``read``, ``played``, ``failed``.
    * `error_code`: a whole number, or its digits.
    * `category`: the category that was paid for, in small letters, as WhatsApp names it.

    Text columns may be dictionary encoded, and large. Empty text is no value, as null is.

    Attributes:
        file: as the user named it.
        unit: what a position counts, ``row`` or ``line``.
        first: the position of the first row, from 1.
        rows: the rows; or a function that reads them, all at once or batch by batch, which the
            engine calls in one of its threads. That is quicker: it is not in turn.
        positions: of each row, where they are not consecutive.
        through: how much of the whole input is read after this chunk, from 0 to 1; None: unknown.
        size: how many rows there are, where `rows` is a function and that is known.
    """

    file: str
    unit: Literal["row", "line"]
    first: int
    rows: pa.RecordBatch | Callable[[], pa.RecordBatch | Iterable[pa.RecordBatch]]
    positions: pa.Int64Array | None = None
    through: float | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot be read, or a piece of a file that is no row.

    Attributes:
        file: as the user named it.
        unit: what the position counts, ``row`` or ``line``.
        position: from 1.
        column: which value is bad; None: the row as a whole.
        why: what is wrong and what was expected, as a sentence without a full stop.
        raw: the bad value or line as text, cut to a bearable length; None: there is none.
    """

    file: str
    unit: Literal["row", "line"]
    position: int
    column: str | None
    why: str
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Registry:
    """What is known of templates. Without one every template that was sent counts as approved.

    Attributes:
        entries: from name to a status, or to a mapping from language to status.
        categories: from name to category, where that is known; else the row's category counts.
        changes: later statuses, each from its `at` on.
    """

    entries: Mapping[str, TemplateEntry]
    categories: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[TemplateStatus, ...] = ()

    def templates(self) -> Templates:
        """The same as the rules read it."""
        made = Templates(self.entries, self.categories)
        for order, change in enumerate(self.changes):
            made.add(change, order=order)
        return made


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the audit is.

    Attributes:
        phase: ``reading`` or ``judging``.
        rows: rows read, or judged, so far.
        done: of this whole audit, from 0 to 1; None: unknown.
        left: estimated seconds; None: unknown.
    """

    phase: Literal["reading", "judging"]
    rows: int
    done: float | None
    left: float | None


@dataclass(slots=True)
class Verdicts:
    """The counts of one policy. Every mapping has only what occurs, in a fixed order.

    Attributes:
        policy: its spec.
        allowed: sends that the policy allows.
        refused: from reason to count.
        by_rule: from the id of the row that decided to count.
        by_day: from ``YYYY-MM-DD`` (UTC) to reason to count, allowing reasons included.
        by_number: the same from business number.
        by_template: the same from template name, for templates only; ``""`` has no name.
        needless: from category (``""``: unknown) to templates that were sent where free-form was
            allowed, not counting failed ones.
        allowed_but_refused: from error code to sends that the policy allows and WhatsApp refused
            for the window or the template.
        refused_but_delivered: from reason to sends that the policy refuses and WhatsApp delivered.
        edges: free-form sends by their distance from the window's end, which no margin moves: from
            the lower end of the stretch in seconds (negative: before the end) to count.
    """

    policy: str
    allowed: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    by_rule: dict[str, int] = field(default_factory=dict)
    by_day: dict[str, dict[str, int]] = field(default_factory=dict)
    by_number: dict[str, dict[str, int]] = field(default_factory=dict)
    by_template: dict[str, dict[str, int]] = field(default_factory=dict)
    needless: dict[str, int] = field(default_factory=dict)
    allowed_but_refused: dict[int, int] = field(default_factory=dict)
    refused_but_delivered: dict[str, int] = field(default_factory=dict)
    edges: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Totals:
    """The counts of an audit.

    ``rows == rejected_rows + duplicates + unclassified + customer_messages + customer_calls +
    sends``, where `rows` counts what the sources rejected too.

    Attributes:
        rows: all that was read.
        rejected_rows: those that could not be.
        duplicates: repeats of a message or call of the same key that arrived earlier.
        unclassified: sends of which nobody knows whether they were templates. They are not judged.
        customer_messages, customer_calls: that count.
        sends: that were judged.
        templates: of them templates.
        failed: of them failed, from error code to count.
        keys: pairs of business number and contact.
        numbers: business numbers.
        first_at, last_at: the least and greatest instant at which something that counts happened,
            in Unix milliseconds; None where nothing counts.
        responses: from the upper end of the stretch in seconds to count: how long the customer's
            first unanswered message waited for the next send that did not fail.
        unanswered: keys whose last word is the customer's.
        verdicts: one for each policy, in the order given.
        changes: with several policies: from (number of the other policy from 1, reason under the
            first, reason under the other) to count.
    """

    rows: int = 0
    rejected_rows: int = 0
    duplicates: int = 0
    unclassified: int = 0
    customer_messages: int = 0
    customer_calls: int = 0
    sends: int = 0
    templates: int = 0
    failed: dict[int, int] = field(default_factory=dict)
    keys: int = 0
    numbers: int = 0
    first_at: int | None = None
    last_at: int | None = None
    responses: dict[int, int] = field(default_factory=dict)
    unanswered: int = 0
    verdicts: tuple[Verdicts, ...] = ()
    changes: dict[tuple[int, str, str], int] = field(default_factory=dict)


class Audit(Protocol):
    """What an audit gives back.

    A table of sends has the columns `file`, `position`, `at`, `number`, `customer`, `event`
    (``free_form``, ``template``), `kind`, `template`, `language`, `id`, `status`, `error_code`,
    `category`, then for the first policy `allowed`, `reason`, `rule`, `state`, `window_closes_at`
    (null: none is open), `opener_at` (when the window last started, even if it is over; null:
    never), `edge_ms` (of a free-form send, `at` less the end of the window that is open or was
    last open, which no margin moves; null: there was none), `needless` (a template, where
    free-form was allowed), `disagreement` (``allowed_but_refused``, ``refused_but_delivered`` or
    null); and for each further policy the same with ``_2``, ``_3``, … . Instants are timestamps in
    UTC.
    """

    @property
    def totals(self) -> Totals:
        """The counts."""

    def sends(self, only: Only | None = None, policy: int = 0) -> Iterator[pa.RecordBatch]:
        """Every send that was judged, by file and position, in batches of a bearable size.

        Where the rows did not fit into memory, they are in that order within each part only.

        Args:
            only: those that the policy refuses, or where WhatsApp and it disagree, or needless
                templates, or those that another policy judges otherwise than the first.
            policy: of which policy, from 0.
        """

    def picked(self, what: Picked, policy: int = 0) -> pa.RecordBatch:
        """Up to ``PICKS`` sends: nearest to the window's end, or first by file and position."""


class OnProgress(Protocol):
    """Who wants to know how far it is; called a few times a second at most."""

    def __call__(self, progress: Progress, /) -> None:
        """Take note."""


class NoEngine(RuntimeError):
    """An engine that is not there, or could not do it; the text says what to do."""


OnReject: TypeAlias = Callable[[Reject], None]
