"""A DuckDB session that can read exactly what it was given, and nothing else.

Order matters: connect with extensions off, allow exactly the listed files, name the tables,
switch external access off, lock the configuration. Nothing here stops a query that takes too long
or too much: ``engine/sandbox.py`` and the process's parent do.
"""

import json
import re
from collections.abc import Sequence
from typing import Final, NamedTuple, Self

import duckdb
import pyarrow as pa

from weir.domain.sql import list_of, quoted
from weir.engine.column_types import ColumnType, column_type, written_as_text
from weir.engine.failures import out_of_memory
from weir.engine.mistakes import mistake
from weir.engine.sources import SessionTable, tail_rows, views
from weir.engine.syntax import Syntax
from weir.errors import Forbidden, Internal, Unavailable, WeirError

MESSAGE_CHARS_MAX: Final = 500

_CONNECT: Final[dict[str, str | bool | int | float | list[str]]] = {
    # One thread, so that the process can fork. Reads ahead are for object stores: local files
    # come from the page cache.
    "threads": "1",
    "async_threads": "0",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
}
_OF_ENGINE = (
    "SET GLOBAL temp_directory = ''",
    "SET GLOBAL max_temp_directory_size = '0B'",
    "SET GLOBAL allow_persistent_secrets = false",
    "SET GLOBAL allow_unredacted_secrets = false",
    "SET GLOBAL secret_directory = '/nonexistent'",
    "SET GLOBAL extension_directory = '/nonexistent'",
    "SET GLOBAL custom_extension_repository = ''",
    "SET GLOBAL enable_logging = false",
    "SET GLOBAL enable_external_file_cache = false",
    # A query is bound three times: for the view, the names of types, and the run.
    "SET GLOBAL parquet_metadata_cache = true",
    "SET GLOBAL allowed_configs = []",
)
_OF_SESSION = (
    "SET TimeZone = 'UTC'",
    "SET python_enable_replacements = false",
    "SET max_expression_depth = 400",
    "SET errors_as_json = true",
)
_AFTER_FILES = ("SET enable_external_access = false", "SET lock_configuration = true")
_FIRST = (
    "SELECT json_extract_string('{\"a\": 1}', '/a'), date_trunc('day', now()), count(*)"
    " FROM range(2) t(x) GROUP BY ALL ORDER BY ALL"
)
"""Loads what the engine loads late: time zones above all."""
_NAMES = (
    "SELECT lower(function_name) FROM duckdb_functions()"
    " UNION SELECT lower(view_name) FROM duckdb_views()"
    " UNION SELECT lower(table_name) FROM duckdb_tables()"
)

_USER_MISTAKES = (
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.InvalidTypeException,
    duckdb.TypeMismatchException,
    duckdb.OutOfRangeException,
    duckdb.NotImplementedException,
    duckdb.SequenceException,
)


class Rows(NamedTuple):
    """Rows of a running result: the engine's type of each column, and the batches.

    Columns of ``LEAVES_AS_TEXT`` are texts in the batches.
    """

    types: list[ColumnType]
    batches: pa.RecordBatchReader


class Engine:
    """A connected, empty database without threads, from which forked processes make sessions."""

    __slots__ = ("_connection", "_names")

    def __init__(self, connection: duckdb.DuckDBPyConnection, names: frozenset[str]) -> None:
        self._connection = connection
        self._names = names

    @classmethod
    def open(cls, *, memory_bytes: int) -> Self:
        """Connects and loads what the engine loads late; it keeps to ``memory_bytes`` by itself."""
        config = _CONNECT | {"memory_limit": f"{memory_bytes}B"}
        connection = duckdb.connect(":memory:", config=config)
        _apply(connection, (*_OF_ENGINE, *_OF_SESSION))
        connection.sql(_FIRST).to_arrow_table()
        return cls(connection, frozenset(name for (name,) in connection.sql(_NAMES).fetchall()))

    def session(self) -> "Session":
        """Returns a session with random numbers of its own; one for each engine and process.

        It has no threads but the caller's until ``use_threads``.
        """
        connection = self._connection.cursor()
        _apply(connection, _OF_SESSION)
        return Session(connection, self._names)


class Session:
    """One query's connection: given its tables, then locked, then asked."""

    __slots__ = ("_connection", "_tables", "syntax")

    def __init__(self, connection: duckdb.DuckDBPyConnection, engine_names: frozenset[str]) -> None:
        self._connection = connection
        self._tables: tuple[str, ...] = ()
        self.syntax = Syntax(connection, engine_names)

    def warm_up(self, name: str, schema: pa.Schema, sql: str) -> tuple[list[ColumnType], pa.Table]:
        """Runs a query over a table of one row of nulls, the way of all queries; leaves nothing.

        The first query then finds in memory what it runs through. Returns the engine's type of
        each column, and the rows.
        """
        nulls = pa.table([pa.nulls(1, kind) for kind in schema.types], schema.names)
        self._connection.execute("SET allowed_paths = []")
        self._make(SessionTable(name, schema, tail=nulls))
        types, batches = self.run(sql, batch_rows=1)
        rows = batches.read_all()
        self._connection.execute(f"DROP VIEW {quoted(name)}")
        self._connection.unregister(tail_rows(name))
        return types, rows

    def use_threads(self, count: int) -> None:
        """Starts threads, which are restricted as the caller is by now; before ``publish``."""
        _apply(self._connection, [f"SET GLOBAL threads = {count:d}"])

    def publish(self, tables: Sequence[SessionTable]) -> None:
        """Makes the tables of their Parquet files and rows in memory, then locks.

        The session can open these files and no other. Raises as ``run`` does when a file cannot
        be read.
        """
        self._tables = tuple(table.name for table in tables)
        files = [path for each in tables for source in each.sources for path in source.files]
        try:
            self._connection.execute("SET allowed_paths = " + list_of(files))
            for table in tables:
                self._make(table)
            _apply(self._connection, _AFTER_FILES)
        except duckdb.Error as error:
            raise translate(error, self._tables) from None

    def _make(self, table: SessionTable) -> None:
        rows = table.rows_in_memory
        if rows is not None:
            self._connection.register(tail_rows(table.name), rows)
        _apply(self._connection, views(table))

    def run(self, sql: str, *, batch_rows: int) -> Rows:
        """Returns the rows of exactly one SELECT, computed as they are read.

        Raises ``InvalidInput``, ``Forbidden``, ``Unprocessable`` or ``Unavailable``; reading the
        result may raise ``duckdb.Error`` or ``pyarrow.ArrowException``, for ``translate``.
        """
        try:
            statements = self._connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise Forbidden("Only one SELECT is allowed.", code="forbidden_query")
            relation = self._connection.sql(sql)
            types = [column_type(each) for each in relation.types]
            if written := written_as_text(relation.columns, types):
                relation = relation.project(written)
            return Rows(types, relation.to_arrow_reader(batch_rows))
        except duckdb.Error as error:
            raise translate(error, self._tables) from None


def translate(error: Exception, tables: Sequence[str] = ()) -> WeirError:
    """Returns the error in Weir's words; ``Internal`` for what is no fault of the query.

    ``tables`` are those that a hint may name. Names of the node's files are never in the message.
    """
    kind, words = _said(error)
    is_mistake = isinstance(error, _USER_MISTAKES) or kind in _MISTAKE_KINDS
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException) or kind == "Out of Memory":
        return out_of_memory()
    if _TOO_LARGE.match(words) if is_mistake else _TOO_LARGE.search(words):
        return out_of_memory()
    if isinstance(error, duckdb.PermissionException) or kind == "Permission":
        return Forbidden("The query reads what it may not.", code="forbidden_query")
    if kind != "Conversion" and _DAMAGE.search(words):
        return Unavailable("Stored events are damaged: they cannot be read.", code="events_damaged")
    if is_mistake:
        return mistake(words, tables)
    if isinstance(error, duckdb.IOException | duckdb.HTTPException):
        return Unavailable("The stored events cannot be read now.")
    return Internal("The query failed inside the node.", kind=type(error).__name__)


_DAMAGE: Final = re.compile(
    r"""["']/[^"']*\.parquet["']"""
    r"|^(Parquet (file|metadata) |Incorrect stats size)"
    r"|^(TProtocolException|invalid TType|don't know what type|Out of buffer|DBP decode)"
    r"|^(Payload value bigger than|DELTA_BINARY_PACKED|The width \(\d+\) of the bitpacked)"
)
"""How the engine tells that a file is not what was written: by its name, or by what is wrong."""

_TOO_LARGE: Final = re.compile(
    r"(std::)?bad[_ ]alloc|out of memory|memory allocation fail|[cm]alloc of size"
    r"|(failed to|could not|unable to|cannot) allocate"
    r"|(cannot create a|arrow appender: the maximum total) string (of )?size",
    re.IGNORECASE,
)
"""How memory that is not there is told by what knows no error for it. In a mistake only its first
words say so: the others may be the query's own."""

_MISTAKE_KINDS = frozenset(
    {"Conversion", "Out of Range", "Invalid Input", "Invalid type", "Mismatch Type", "Sequence"}
)
"""Mistakes as they are told while rows are read: the error is Arrow's and only names its kind."""


_OWN_COLUMN: Final = re.compile(r" when casting from source column weir_\d+")
"""Accelerated columns are nothing that the query names."""


def _said(error: Exception) -> tuple[str, str]:
    """Kind and words of an engine error, which comes as JSON or as text."""
    text = str(error)
    head, _, rest = text.partition("Error: ")
    try:
        told = json.loads(text if text.startswith("{") else rest)
        kind, words = str(told["exception_type"]), str(told["exception_message"])
    except (ValueError, KeyError, TypeError):
        kind, words = head.rpartition(":")[2].strip(), rest or text
    words = _OWN_COLUMN.sub("", words.partition("\n\nLINE ")[0]).strip()
    return kind, words[:MESSAGE_CHARS_MAX]


def _apply(connection: duckdb.DuckDBPyConnection, statements: Sequence[str]) -> None:
    for statement in statements:
        connection.execute(statement)
