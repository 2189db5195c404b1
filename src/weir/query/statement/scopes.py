"""Which table a name means: CTEs that are visible from a place, and the scope of a SELECT."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from weir.query.statement.nodes import (
    Node,
    children,
    is_expression,
    is_query,
    nodes,
)


class TableShape(NamedTuple):
    """What the gate knows of a table: its columns, in the order of ``*``, and accelerated ones."""

    columns: tuple[str, ...]
    pointers: frozenset[str] = frozenset()
    """JSON pointers of the properties that have columns in some of its files."""


Shapes = Mapping[str, TableShape]
"""The tables that a statement may read, by their names in lower case."""

Columns = frozenset[str] | None
"""Names of columns in lower case; None where they are not known."""


class Mention(NamedTuple):
    """A table by its name, where it stands, and the CTEs that the name could mean there."""

    table: Node
    select: Node
    ctes: Mapping[str, Columns]

    @property
    def name(self) -> str:
        """The name in lower case."""
        return str(self.table["table_name"]).lower()

    @property
    def alias(self) -> str:
        """The name in lower case that the table's columns carry."""
        return alias_of(self.table)


class Scope(NamedTuple):
    """A SELECT and the CTEs that are visible in it."""

    select: Node
    ctes: Mapping[str, Columns]
    is_named: bool = True
    """Whether the names of its columns can be used around it: not in ``x IN (SELECT …)``."""


class Scopes:
    """The SELECTs of a statement, innermost last, and every table that is named in them."""

    def __init__(self, query: Node, shapes: Shapes) -> None:
        self.made_names = _made_names(query)
        """Names that the statement gives to anything, in lower case."""
        self.mentions: list[Mention] = []
        self.selects: list[Scope] = []
        self._shapes = shapes
        self._query(query, {})

    def tables(self, select: Node) -> dict[str, Mention]:
        """Returns the SELECT's own tables of the statement's, by the name of their columns."""
        return {
            each.alias: each
            for each in self.mentions
            if each.select is select and self.is_table(each)
        }

    def is_table(self, mention: Mention) -> bool:
        """Returns whether it is one of the tables that the statement may read."""
        return mention.name in self._shapes and mention.name not in mention.ctes

    def columns(self, scope: Scope) -> Columns:
        """Returns the names that FROM brings into a SELECT, without those of its outer queries."""
        found: set[str] = set()
        for source in sources_of(scope.select):
            columns = self._columns_of_table(source, scope.ctes)
            if columns is None:
                return None
            found |= columns
        return frozenset(found)

    def _query(self, query: Node, ctes: Mapping[str, Columns], *, is_named: bool = True) -> None:
        inner = dict(ctes)
        within: list[int] = []
        for entry in query.get("cte_map", {}).get("map", ()):
            made = entry["value"]["query_node"]
            within.append(id(made))
            self._query(made, dict(inner))
            aliases = entry["value"].get("aliases")
            inner[entry["key"].lower()] = (
                frozenset(map(str.lower, aliases)) if aliases else self._columns_of(made, inner)
            )
        if query["type"] == "SELECT_NODE":
            self.selects.append(Scope(query, inner, is_named))
        for child in children(query):
            if id(child) not in within:
                self._part(child, query, inner)

    def _part(self, node: Node, select: Node, ctes: Mapping[str, Columns]) -> None:
        if is_query(node):
            self._query(node, ctes)
            return
        if is_expression(node, "SUBQUERY"):
            for child in children(node):
                if is_query(child):
                    self._query(child, ctes, is_named=False)
                else:
                    self._part(child, select, ctes)
            return
        if node.get("type") == "BASE_TABLE" and "class" not in node:
            self.mentions.append(Mention(node, select, ctes))
        for child in children(node):
            self._part(child, select, ctes)

    def _columns_of(self, query: Node, ctes: Mapping[str, Columns]) -> Columns:
        """The names of a query's result, as far as they are written down."""
        while query["type"] == "SET_OPERATION_NODE":
            query = query["children"][0]
        own = dict(ctes)
        for entry in query.get("cte_map", {}).get("map", ()):
            own[entry["key"].lower()] = self._columns_of(entry["value"]["query_node"], own)
        found: set[str] = set()
        for item in query.get("select_list", ()):
            if is_expression(item, "STAR"):
                columns = self.columns(Scope(query, own))
                if columns is None:
                    return None
                found |= columns
            elif "alias" in item:
                found.add(item["alias"].lower())
            elif is_expression(item, "COLUMN_REF"):
                found.add(item["column_names"][-1].lower())
        return frozenset(found)

    def _columns_of_table(self, table: Node, ctes: Mapping[str, Columns]) -> Columns:
        if aliases := table.get("column_name_alias"):
            return frozenset(map(str.lower, aliases))
        match table["type"]:
            case "BASE_TABLE":
                name = table["table_name"].lower()
                if name in ctes:
                    return ctes[name]
                shape = self._shapes.get(name)
                return None if shape is None else frozenset(map(str.lower, shape.columns))
            case "SUBQUERY":
                return self._columns_of(table["subquery"]["node"], ctes)
            case "EMPTY":
                return frozenset()
            case _:
                return None


def _made_names(query: Node) -> frozenset[str]:
    found: set[str] = set()
    for node in nodes(query):
        found.add(str(node.get("alias", "")))
        found.update(node.get("column_name_alias", ()))
        for entry in node.get("cte_map", {}).get("map", ()) if is_query(node) else ():
            found.update((entry["key"], *entry["value"].get("aliases", ())))
    return frozenset(map(str.lower, found))


def sources_of(select: Node) -> list[Node]:
    """Returns what FROM joins: tables, subqueries, functions and lists of values."""
    found: list[Node] = []
    waiting = [select["from_table"]]
    while waiting:
        table = waiting.pop()
        if table["type"] == "JOIN":
            waiting += (table["right"], table["left"])
        elif table["type"] != "EMPTY":
            found.append(table)
    return found


def joins_of(select: Node) -> Iterator[Node]:
    """Yields the joins of FROM."""
    waiting = [select["from_table"]]
    while waiting:
        table = waiting.pop()
        if table["type"] == "JOIN":
            yield table
            waiting += (table["right"], table["left"])


def alias_of(table: Node) -> str:
    """Returns the name in lower case that a table's columns carry."""
    return str(table.get("alias") or table.get("table_name") or "").lower()


def nodes_of(select: Node) -> Iterator[Node]:
    """Yields the nodes of a SELECT that are not inside another query."""
    waiting = children(select)
    while waiting:
        node = waiting.pop()
        if is_query(node):
            continue
        yield node
        waiting += children(node)
