"""Rows on disk, in buckets by key, where they do not fit into memory or shall outlive a process.

House rules:

* A segment is an Arrow file with some rows in the order of the log, one record batch for each
  bucket. A key's rows are in one bucket of every segment, in order.
* A file is written under another name and then renamed; the state names it only after that. So
  whatever ends the process, what the state names is whole, and the rest is overwritten.
* The state says for which inputs it is, and how many pieces of the source are in the segments.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile

from .columns import copied
from .compiled import fixed
from .encoded import Encoded
from .plain import Reject
from .words import Words

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

BUCKETS: Final = 128  # a power of two
# What reading gives of a file that was cut, changed or taken away. Arrow's errors are among them.
_DAMAGED: Final = (
    ValueError, LookupError, TypeError, AttributeError, NotImplementedError, EOFError, BadZipFile,
    OSError,
)  # fmt: skip
_STATE: Final = "state.json"
# Failures of webhooks had no rows in 4, distances were less the margin in 3, events other numbers
# in 2, hashes in 1.
_FORMAT: Final = 5


class WorkFolderError(ValueError):
    """A work folder that cannot be used; the text says why."""


class Spill:
    """Segments in a folder.

    Args:
        folder: where; it is made.
        about: identifies the source and how it is read.
        each: runs a function over things, in several threads.
        buckets: how many to make, a power of two; a folder keeps to what it began with.

    Attributes:
        buckets: how many there are.
        words: what the numbers of the rows stand for.
        pieces: how many of the source are in the segments.
        read: how many rows these had, rejected ones included.
        sizes: how many rows each segment has.
        days: that occur in them.
        complete: whether the whole source is in them.

    Raises:
        WorkFolderError: the folder is of something else.
    """

    def __init__(
        self, folder: Path, about: str, each: Callable[..., Iterable[Any]], buckets: int = BUCKETS
    ) -> None:
        self.folder, self.about, self._each, self.buckets = folder, about, each, buckets
        self.words, self.days = Words(), set[int]()
        self.pieces, self.read, self.sizes, self.complete = 0, 0, list[int](), False
        folder.mkdir(parents=True, exist_ok=True)
        self._load()

    def _load(self) -> None:
        path = self.folder / _STATE
        if not path.exists():
            if any(each.name != f"{_STATE}.part" for each in self.folder.iterdir()):
                raise WorkFolderError(
                    f"the work folder `{self.folder}` has other files; name a new or empty one"
                )
            self._save()  # so that it is ours, even if the first segment is not finished
            return
        with self._sound(path):
            state = json.loads(path.read_text())
            ours = state.get("format") == _FORMAT and state["about"] == self.about
        if not ours:
            raise WorkFolderError(
                f"the work folder `{self.folder}` is of other logs or columns, or of another "
                "version; name another one, or remove it to begin anew"
            )
        with self._sound(path):
            self.words, self.days = Words.loaded(state["words"]), set(state["days"])
            self.pieces, self.read, self.sizes = state["pieces"], state["read"], state["sizes"]
            self.complete, self.buckets = state["complete"], state["buckets"]

    @contextmanager
    def _sound(self, path: Path) -> Iterator[None]:
        """What cannot be read of a file of ours becomes a sentence; a fault of the disk stays."""
        try:
            yield
        except _DAMAGED as error:
            # Arrow says of a file that was cut that it is at its end, and that is no number of the
            # system's.
            if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
                raise
            raise WorkFolderError(
                f"`{path}` is not as an audit left it; name another work folder, or remove "
                f"`{self.folder}`, if it is an audit's, to begin anew"
            ) from None

    # -- writing ---------------------------------------------------------------------------------

    def add(
        self, batches: Sequence[Encoded], rejects: Sequence[Reject], pieces: int, read: int
    ) -> None:
        """Write one more segment.

        Args:
            batches: the rows.
            rejects: what came between them.
            pieces: how many of the source there are with these.
            read: how many rows, rejected ones included.
        """
        import numpy as np
        import pyarrow as pa

        number, before = len(self.sizes), sum(self.sizes)
        lengths = [len(batch) for batch in batches]
        firsts = (before + np.cumsum([0, *lengths])).tolist()
        bucketed = list(self._each(self.in_buckets, batches, firsts))
        with _written(self._rejects(number)) as path:
            path.write_text("".join(json.dumps(asdict(each)) + "\n" for each in rejects))
        with _written(self._segment(number)) as path, pa.OSFile(str(path), "wb") as file:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            with pa.ipc.new_file(file, _schema(), options=options) as writer:
                for bucket in range(self.buckets):
                    slices = [rows.slice(b, e - b) for rows, ends in bucketed
                              for b, e in [ends[bucket : bucket + 2]]]  # fmt: skip
                    writer.write_batch(_joined(slices))
        self.sizes.append(sum(lengths))
        self.pieces, self.read = pieces, read
        self._save()

    def in_buckets(self, batch: Encoded, first: int) -> tuple[pa.RecordBatch, list[int]]:
        """See the function."""
        return in_buckets(batch, first, self.buckets)

    def finish(self, pieces: int, read: int) -> None:
        """Note that the whole source is in the segments."""
        self.pieces, self.read, self.complete = pieces, read, True
        self._save()

    def _save(self) -> None:
        state = {
            "format": _FORMAT, "about": self.about, "complete": self.complete,
            "buckets": self.buckets, "pieces": self.pieces, "read": self.read, "sizes": self.sizes,
            "days": sorted(self.days), "words": self.words.saved(),
        }  # fmt: skip
        with _written(self.folder / _STATE) as path:
            path.write_text(json.dumps(state))

    # -- reading ---------------------------------------------------------------------------------

    def rejects(self) -> Iterator[Reject]:
        """All that were put into segments."""
        for path in map(self._rejects, range(len(self.sizes))):
            with self._sound(path):
                found = [Reject(**json.loads(line)) for line in path.read_text().splitlines()]
            yield from found

    def bucket(self, number: int) -> list[tuple[Encoded, np.ndarray]]:
        """The rows of a bucket in the order of the log, each with their numbers in the log."""
        import pyarrow as pa

        found = []
        for path in map(self._segment, range(len(self.sizes))):
            with self._sound(path), pa.OSFile(str(path), "rb") as file:
                rows = pa.ipc.open_file(file).get_batch(number)
            if rows.num_rows:
                found.append(from_arrow(rows))
        return found

    def _segment(self, number: int) -> Path:
        return self.folder / f"segment-{number:05}.arrow"

    def _rejects(self, number: int) -> Path:
        return self.folder / f"rejects-{number:05}.jsonl"

    # -- results ---------------------------------------------------------------------------------

    def result(self, policies: str, bucket: int) -> tuple[list[np.ndarray], pa.Table] | None:
        """What ``keep`` kept, if it did."""
        import numpy as np
        import pyarrow as pa

        path = self._result(policies, bucket)
        if not path.exists():
            return None
        counted = path.with_suffix(".npz")
        with self._sound(counted), counted.open("rb") as file, np.load(file) as arrays:
            counts = [arrays[f"arr_{place}"] for place in range(len(arrays.files))]
        with self._sound(path), pa.OSFile(str(path), "rb") as shown:
            return counts, pa.ipc.open_file(shown).read_all()

    def keep(
        self, policies: str, bucket: int, counts: Sequence[np.ndarray], shown: pa.Table
    ) -> None:
        """Keep what came of a bucket.

        Args:
            policies: identifies by whose rules, and how, it was judged.
            bucket: its number.
            counts: arrays.
            shown: rows that a report shows.
        """
        import numpy as np
        import pyarrow as pa

        path = self._result(policies, bucket)
        with _written(path.with_suffix(".npz")) as to, to.open("wb") as file:
            np.savez(file, *counts)
        with (
            _written(path) as to,
            pa.OSFile(str(to), "wb") as file,
            pa.ipc.new_file(file, shown.schema) as writer,
        ):
            writer.write_table(shown)

    def _result(self, policies: str, bucket: int) -> Path:
        return self.folder / f"judged-{policies}-{bucket:03}.arrow"


def begun(folder: Path) -> bool:
    """Whether there is a state in this folder."""
    return (folder / _STATE).exists()


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """Where to write a file that appears as a whole, or not at all."""
    beside = path.with_name(path.name + ".part")
    yield beside
    os.replace(beside, path)


def _schema() -> pa.Schema:
    import pyarrow as pa

    word = pa.int64()
    return pa.schema(
        [
            ("key", word), ("when", word), ("arrived", word), ("meta", word), ("hash", pa.uint32()),
            ("ids", pa.string()), ("names", pa.string()), ("file", pa.int32()), ("position", word),
            ("row", word),
        ]
    )  # fmt: skip


def in_buckets(batch: Encoded, first: int, buckets: int) -> tuple[pa.RecordBatch, list[int]]:
    """The rows by bucket, and where each bucket begins, with the end of the last."""
    import numpy as np
    import pyarrow as pa

    from .groups import into_buckets

    order, ends = np.empty(len(batch), np.int64), np.zeros(buckets + 1, np.int64)
    into_buckets(fixed(batch.key), order, ends)
    rows, count = batch.only(order), len(batch)
    columns = {
        "key": rows.key,
        "when": rows.when,
        "arrived": pa.nulls(count, pa.int64()) if rows.arrived is None else rows.arrived,
        "meta": rows.meta,
        "hash": rows.hash,
        "ids": copied(rows.ids),
        "names": pa.nulls(count, pa.string()) if rows.names is None else copied(rows.names),
        "file": np.broadcast_to(np.int32(0) + rows.file, count).astype(np.int32),
        "position": rows.position,
        "row": order + first,
    }
    made = [pa.array(columns[field.name], field.type) for field in _schema()]
    return pa.RecordBatch.from_arrays(made, schema=_schema()), ends.tolist()


def _joined(slices: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    import pyarrow as pa

    table = pa.Table.from_batches(slices, _schema()).combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], _schema())


def from_arrow(rows: pa.RecordBatch) -> tuple[Encoded, np.ndarray]:
    """Rows as they were before they were written, and their numbers in the log."""

    def numbers(name: str) -> np.ndarray:
        found: np.ndarray = rows.column(name).to_numpy(zero_copy_only=False)
        return found

    def there(name: str) -> bool:
        return bool(rows.column(name).null_count < rows.num_rows)

    encoded = Encoded(
        numbers("key"),
        numbers("when"),
        numbers("arrived") if there("arrived") else None,
        numbers("meta"),
        numbers("hash"),
        rows.column("ids"),
        rows.column("names") if there("names") else None,
        numbers("file"),
        numbers("position"),
    )
    return encoded, numbers("row")
