"""The ledger of a build: one SQLite file, a row per face, written only by the building process.

It makes a build resumable (what has a score is not done again), auditable (every photograph ends
in it, with a score or a reason) and mergeable (rows depend on nothing but their photograph).
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from pgan_toolkit.arrays import Landmarks
from pgan_toolkit.errors import DataError, SetupError

__all__ = ["Counts", "Ledger", "Row", "Verdict", "leads_outside", "remove_ledger"]

_VERSION = 1
_BUSY_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faces (
    key TEXT PRIMARY KEY,
    photograph TEXT NOT NULL,
    file TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('scored', 'failed')),
    category TEXT NOT NULL,
    reason TEXT NOT NULL,
    pixel_digest TEXT NOT NULL,
    crop_digest TEXT NOT NULL,
    landmarks TEXT NOT NULL,
    quad TEXT NOT NULL,
    zoom REAL,
    score REAL,
    seconds TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS faces_by_photograph ON faces (photograph);
CREATE INDEX IF NOT EXISTS faces_by_status ON faces (status, photograph, category);
CREATE TABLE IF NOT EXISTS verdicts (
    key TEXT PRIMARY KEY,
    verdict TEXT NOT NULL CHECK (verdict IN ('kept', 'rejected', 'duplicate', 'failed')),
    rank INTEGER,
    duplicate_of TEXT NOT NULL
);
"""
_Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Row:
    """What became of one face, or of a photograph in which none could be used.

    Attributes
    ----------
    key : str
        Name of the face in the dataset.
    photograph : str
        Key of the photograph; several faces may share it.
    file : str
        The photograph's path below the source folder.
    status : "scored" or "failed"
    category, reason : str
        Why it failed: a word for the summary, and the whole message.
    pixel_digest, crop_digest : str
        SHA-256 of the photograph's and of the crop's pixels.
    landmarks, quad : tuple of points
        x, y in the photograph's pixels; empty where there are none.
    zoom : float | None
        Output pixels per photograph pixel.
    score : float | None
        Quality, higher is better.
    seconds : dict
        Time spent, by stage.
    """

    key: str
    photograph: str
    file: str
    status: Literal["scored", "failed"]
    category: str = ""
    reason: str = ""
    pixel_digest: str = ""
    crop_digest: str = ""
    landmarks: _Points = ()
    quad: _Points = ()
    zoom: float | None = None
    score: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def landmark_array(self) -> Landmarks:
        """Return the landmarks as float32 (5, 2)."""
        return np.array(self.landmarks, np.float32)


@dataclass(frozen=True)
class Verdict:
    """What the selection decided about one row.

    Attributes
    ----------
    key : str
        The row's key.
    verdict : str
        "kept", "rejected", "duplicate" or "failed".
    rank : int | None
        0 is the best; None for failed rows and duplicates.
    duplicate_of : str
        The key that was kept in its place.
    """

    key: str
    verdict: Literal["kept", "rejected", "duplicate", "failed"]
    rank: int | None = None
    duplicate_of: str = ""


@dataclass(frozen=True)
class Counts:
    """What a ledger holds, in numbers.

    Attributes
    ----------
    photographs : dict
        "scored" and "failed" -> photographs.
    failures : dict
        Category -> photographs, the most frequent first.
    verdicts : dict
        Verdict -> faces; empty before the selection.
    """

    photographs: dict[str, int]
    failures: dict[str, int]
    verdicts: dict[str, int]


_JSON_COLUMNS = ("landmarks", "quad", "seconds")


class Ledger:
    """An open ledger. Every method either commits or changes nothing.

    Parameters
    ----------
    path : Path
        The file; it is made if it does not exist.

    Raises
    ------
    DataError
        The file is no ledger, is damaged, or is of another version.
    SetupError
        No room, or no permission to write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._explained():
            self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def _prepare(self) -> None:
        with self._explained():
            # A file that others made may hold views and triggers that call functions or never end.
            self._connection.execute("PRAGMA trusted_schema = OFF")
            self._connection.execute("PRAGMA cell_size_check = ON")
            if not _schema_of(self._connection):
                # At once: neither a reader nor the next run of a killed build sees half of it.
                self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            self._require_own_schema()
        version = self.fact("version")
        if version is None:
            self.set_fact("version", str(_VERSION))
        elif version != str(_VERSION):
            raise DataError(
                f"{self._path}: a ledger of version {version}, expected {_VERSION}; "
                "continue with the toolkit that began the build, or use --fresh"
            )

    def _require_own_schema(self) -> None:
        if _schema_of(self._connection) != _own_schema():
            raise DataError(
                f"{self._path}: holds other tables than a ledger's; it was not made by a build: "
                "move it away, or use --fresh to begin anew"
            )

    def fact(self, name: str) -> str | None:
        """Return a named fact about the build, or None."""
        with self._explained():
            found = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,))
            row = found.fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Record a named fact about the build."""
        with self._explained(), self._connection:
            self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def add(self, rows: Iterable[Row]) -> None:
        """Record rows, all or none of them; a row of the same key is replaced.

        Raises
        ------
        DataError
            A key leads out of the folder of pictures: the ledger could not be read any more.
        """
        rows = list(rows)
        outside = next((row for row in rows if leads_outside(row.key)), None)
        if outside is not None:
            raise DataError(f"{outside.file}: the key {outside.key!r} leads out of the dataset")
        records = [_to_record(row) for row in rows]
        marks = ", ".join("?" * len(Row.__dataclass_fields__))
        with self._explained(), self._connection:
            self._connection.executemany(
                f"INSERT OR REPLACE INTO faces VALUES ({marks})",  # noqa: S608 - only marks
                records,
            )

    def rows(self) -> Iterator[Row]:
        """Yield all rows, in the order of their keys."""
        yield from self._select("SELECT * FROM faces ORDER BY key")

    def row(self, key: str) -> Row:
        """Return the row of that key, or raise DataError."""
        for row in self._select("SELECT * FROM faces WHERE key = ?", (key,)):
            return row
        raise DataError(f"{self._path}: no row for {key!r}")

    def scored_photographs(self) -> set[str]:
        """Keys of the photographs that are done; failed ones are tried again by a later run."""
        with self._explained():
            found = self._connection.execute(
                "SELECT DISTINCT photograph FROM faces WHERE status = 'scored'"
            )
            return {str(row[0]) for row in found}

    def counts(self) -> "Counts":
        """Count photographs by status, failures by category, and faces by verdict."""
        with self._explained():
            statuses = self._connection.execute(
                "SELECT status, COUNT(DISTINCT photograph) FROM faces GROUP BY status"
            ).fetchall()
            failures = self._connection.execute(
                "SELECT category, COUNT(*) AS number FROM faces WHERE status = 'failed' "
                "GROUP BY category ORDER BY number DESC, category"
            ).fetchall()
            verdicts = self._connection.execute(
                "SELECT verdict, COUNT(*) FROM verdicts GROUP BY verdict ORDER BY verdict"
            ).fetchall()
        return Counts({"scored": 0, "failed": 0, **dict(statuses)}, dict(failures), dict(verdicts))

    def set_verdicts(self, verdicts: Iterable[Verdict]) -> None:
        """Replace all verdicts."""
        values = [(v.key, v.verdict, v.rank, v.duplicate_of) for v in verdicts]
        with self._explained(), self._connection:
            self._connection.execute("DELETE FROM verdicts")
            self._connection.executemany("INSERT INTO verdicts VALUES (?, ?, ?, ?)", values)

    def verdicts(self) -> list[Verdict]:
        """Return all verdicts: by rank, then those without one by key."""
        with self._explained():
            found = self._connection.execute(
                "SELECT key, verdict, rank, duplicate_of FROM verdicts "
                "ORDER BY rank IS NULL, rank, key"
            )
            return [Verdict(*row) for row in found]

    def judged(self) -> Iterator[tuple[Verdict, Row]]:
        """Yield every verdict with its row, ordered as `verdicts`."""
        with self._explained():
            cursor = self._connection.execute(
                "SELECT verdicts.verdict, verdicts.rank, verdicts.duplicate_of, faces.* "
                "FROM verdicts JOIN faces USING (key) ORDER BY rank IS NULL, rank, key"
            )
            names = [column[0] for column in cursor.description[3:]]
            for verdict, rank, duplicate_of, *record in cursor:
                row = self._row_of(dict(zip(names, record, strict=True)))
                yield Verdict(row.key, verdict, rank, duplicate_of), row

    def _select(self, query: str, values: tuple[str, ...] = ()) -> Iterator[Row]:
        with self._explained():
            cursor = self._connection.execute(query, values)
            names = [column[0] for column in cursor.description]
            for record in cursor:
                yield self._row_of(dict(zip(names, record, strict=True)))

    def _row_of(self, values: dict[str, Any]) -> Row:
        try:
            key = str(values["key"])
            if leads_outside(key):
                raise ValueError("files would be written there")
            return _from_record(values)
        except (AttributeError, RecursionError, TypeError, ValueError) as error:
            raise DataError(
                f"{self._path}: the row of {values.get('key')!r:.80} is damaged ({error}); use "
                "--fresh to begin anew"
            ) from error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise SetupError(
                    f"{self._path}: another program holds the ledger locked; let it end its "
                    "transaction, and run the same command again"
                ) from error
            if "decode" in str(error):
                raise self._damaged(error) from error
            raise SetupError(
                f"{self._path}: the ledger cannot be used ({error}); make room or choose a place "
                "that may be written to, and run the same command again"
            ) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> DataError:
        return DataError(
            f"{self._path}: not a ledger, or damaged ({error}); use --fresh to begin anew"
        )


def _schema_of(connection: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
    """What is defined in a file, but for what SQLite makes of it by itself."""
    found = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return frozenset((str(kind), str(name), str(sql)) for kind, name, sql in found)


@lru_cache(maxsize=1)
def _own_schema() -> frozenset[tuple[str, str, str]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(_SCHEMA)
        return _schema_of(connection)


def leads_outside(key: str) -> bool:
    """Whether a file of that name would not lie in the folder that it is put into."""
    return key.startswith("/") or ".." in key.split("/")


def remove_ledger(path: Path) -> None:
    """Remove a ledger, which need not exist or be whole."""
    # A journal that a killed process left would be applied to the next file of this name; opening
    # the ledger applies it now, and removes it.
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as old:
        old.execute("BEGIN IMMEDIATE")
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)


def _to_record(row: Row) -> tuple[object, ...]:
    values = vars(row)  # `asdict` would copy all of it
    return tuple(
        json.dumps(value) if name in _JSON_COLUMNS else value for name, value in values.items()
    )


def _from_record(values: dict[str, Any]) -> Row:
    decoded = {
        name: json.loads(value) if name in _JSON_COLUMNS else value
        for name, value in values.items()
    }
    for name in ("landmarks", "quad"):
        decoded[name] = tuple((float(x), float(y)) for x, y in decoded[name])
    return Row(**decoded)
