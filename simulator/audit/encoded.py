"""Some rows of a log as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .codes import RANK_BITS
from .columns import Texts, copied, some

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Shown:
    """What is needed to show rows, in the order of the log.

    Attributes:
        ids: the ids.
        names: the customers' names, where some are no phone numbers.
        file: where each row stands: the file by its number in ``Words``; one number: of all.
        position: where in the file; one number: of the first, and the others follow.
    """

    __slots__ = ()
    ids: pa.Array | Texts
    names: pa.Array | Texts | None
    file: np.ndarray | int
    position: np.ndarray | int

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, rows: np.ndarray) -> tuple[np.ndarray | int, np.ndarray]:
        """File and position of some rows."""
        file, position = self.file, self.position
        return (
            file if isinstance(file, int) else file[rows],
            rows + position if isinstance(position, int) else position[rows],
        )

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        slots: Iterable[str] = self.__slots__
        parts = [getattr(self, name) for name in slots]
        return sum(getattr(part, "nbytes", 0) for part in parts)


@dataclass(slots=True)
class Encoded(Shown):
    """Some rows as numbers, in the order of the log.

    Attributes:
        key: the customer: a phone number, or below zero a hash of the name.
        when: the instant that counts, in milliseconds, and the rank of the row's fact.
        arrived: when each row was learnt of; None: all at their `at`.
        meta: everything with few values, see ``codes``.
        hash: of the id, and whether it is a send's.
        ids, names, file, position: see ``Shown``.
    """

    key: np.ndarray
    when: np.ndarray
    arrived: np.ndarray | None
    meta: np.ndarray
    hash: np.ndarray
    ids: pa.Array | Texts
    names: pa.Array | Texts | None
    file: np.ndarray | int
    position: np.ndarray | int

    def instants(self) -> np.ndarray:
        """The instant that counts, in milliseconds."""
        return self.when >> RANK_BITS

    def only(self, rows: np.ndarray) -> Encoded:
        """Some of the rows, in the order given."""
        return Encoded(
            self.key[rows],
            self.when[rows],
            None if self.arrived is None else self.arrived[rows],
            self.meta[rows],
            self.hash[rows],
            some(self.ids, rows),
            None if self.names is None else some(self.names, rows),
            *self.where(rows),
        )


def joined(batches: Sequence[Encoded]) -> Encoded:
    """Batches that follow each other, as one."""
    import numpy as np
    import pyarrow as pa

    if len(batches) == 1:
        return batches[0]
    arrived = names = None
    if any(batch.arrived is not None for batch in batches):
        came = [b.when >> RANK_BITS if b.arrived is None else b.arrived for b in batches]
        arrived = np.concatenate(came)
    if any(batch.names is not None for batch in batches):
        nothing = pa.string()
        named = [pa.nulls(len(b), nothing) if b.names is None else copied(b.names) for b in batches]
        names = pa.concat_arrays(named)
    places = [batch.where(np.arange(len(batch))) for batch in batches]
    return Encoded(
        np.concatenate([batch.key for batch in batches]),
        np.concatenate([batch.when for batch in batches]),
        arrived,
        np.concatenate([batch.meta for batch in batches]),
        np.concatenate([batch.hash for batch in batches]),
        pa.concat_arrays([copied(batch.ids) for batch in batches]),
        names,
        np.concatenate([np.broadcast_to(f, len(p)).astype(np.int32) for f, p in places]),
        np.concatenate([position for _, position in places]),
    )
