"""How properties are read: as text, and as a number or a boolean where one is wanted.

Every path into a JSON column becomes an extraction of its text. ``sum``, arithmetic, comparison
with a number cast that text, and what is no number is null (``engine/numbers.py``). Where values
are put in order, numbers go by number and texts behind them by letters. Where two properties are
compared for being equal they are texts, and the answer says so.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from weir.domain.layout import Read
from weir.engine import numbers
from weir.engine.syntax import Syntax
from weir.query.statement.arrows import parameters_of
from weir.query.statement.functions import PASSING
from weir.query.statement.nodes import (
    Node,
    arguments_of,
    call,
    children,
    column,
    filled,
    fingerprint,
    function_name,
    integer,
    is_expression,
    is_query,
    nodes,
    operator_of,
    replaced,
    string,
    string_of,
    try_cast,
)
from weir.query.statement.paths import PropertyPath, path_of, paths_within
from weir.query.statement.wants import (
    ARITHMETIC,
    EXTREMES,
    Want,
    gives_property,
    is_interval,
    is_property,
    is_wide,
    passed_arguments,
    shared_want,
    want_of_argument,
)
from weir.query.statement.written_out import (
    alias_meant,
    named_properties,
    write_out_all,
    write_out_between,
    write_out_groups,
)

EXTRACT: Final = "json_extract_string"

_ORDERING: Final = frozenset(
    {
        *("COMPARE_LESSTHAN", "COMPARE_GREATERTHAN"),
        *("COMPARE_LESSTHANOREQUALTO", "COMPARE_GREATERTHANOREQUALTO", "COMPARE_BETWEEN"),
    }
)


class Extraction(NamedTuple):
    """A read of a property in the rewritten tree, which a column of its table may answer."""

    node: Node
    """The whole of it."""
    select: Node
    column: tuple[str, ...]
    pointer: str
    read: Read | None
    """The type in which a column may answer the node; None where it may only give its text."""

    @property
    def texts(self) -> list[Node]:
        """The calls within that give the text."""
        return [each for each in nodes(self.node) if function_name(each) == EXTRACT]


class Rewritten(NamedTuple):
    """What the rewriting of a statement found."""

    extractions: list[Extraction]
    notes: list[str]


_MARKED: Final[dict[Want, Callable[[str, str], str]]] = {
    Want.EXACT: numbers.exact,
    Want.COMPARED: numbers.compared_key,
}
_SQL: Final[dict[Want, Callable[[str], str]]] = {
    Want.NUMBER: numbers.number,
    Want.INTEGER: numbers.whole_number,
    Want.KEY: numbers.sort_key,
}
_READS: Final = {Want.TEXT: Read.TEXT, Want.NUMBER: Read.NUMBER, Want.BOOLEAN: Read.BOOLEAN}
_SLOT: Final = "slot"
"""Stands in a form where what is put into it will stand."""

_forms: dict[str, Node] = {}


def rewrite_properties(query: Node, syntax: Syntax) -> Rewritten:
    """Replaces every path into a JSON column by its extraction, in place."""
    rewriting = _Rewriting(syntax)
    rewriting.query(query)
    return Rewritten(rewriting.extractions, list(dict.fromkeys(rewriting.notes)))


class _Rewriting:
    """One statement on its way; ``_bound`` are the parameters of the lambdas around."""

    def __init__(self, syntax: Syntax) -> None:
        self.extractions: list[Extraction] = []
        self.notes: list[str] = []
        self._syntax = syntax
        self._select: Node = {}
        self._bound: tuple[str, ...] = ()
        self._marks: dict[bytes, int] = {}
        """A number for each comparison of pairs, the same for two that say the same."""
        self._mark = -1

    def query(self, query: Node) -> None:
        outer, self._select = self._select, query
        conditions = [query.get(name) for name in ("where_clause", "having", "qualify")]
        ordered = [each for each in query.get("modifiers", ()) if each["type"] == "ORDER_MODIFIER"]
        aliases = named_properties(query)
        for each in ordered:
            write_out_all(each, query)
            if not self._orders_by_all_groups(query, each.get("orders", ()), aliases):
                self._orders(each.get("orders", ()), aliases)
        for child in children(query):
            if any(child is each for each in ordered):
                continue
            self._read(
                child, Want.BOOLEAN if any(child is each for each in conditions) else Want.TEXT
            )
        self._select = outer

    def _read(self, node: Node, want: Want) -> None:
        """Rewrites what stands in a node, read as ``want``."""
        if is_query(node):
            self.query(node)
            return
        path = path_of(node, self._bound)
        if path is not None:
            self._extract(node, path, want)
            return
        match node.get("class"):
            case "FUNCTION" | "WINDOW":
                self._call(node, want)
            case "COMPARISON":
                self._compare(node, [node["left"], node["right"]])
            case "BETWEEN":
                self._compare(node, [node["input"], node["lower"], node["upper"]])
            case "CONJUNCTION":
                self._all(node["children"], Want.BOOLEAN)
            case "CASE":
                self._case(node, want)
            case "OPERATOR":
                self._operator(node, want)
            case "LAMBDA":
                outer = self._bound
                self._bound = (*outer, *parameters_of(node))
                self._read(node["expr"], Want.TEXT)
                self._bound = outer
            case None if node.get("type") == "JOIN":
                for child in children(node):
                    on = child is node.get("condition")
                    self._read(child, Want.BOOLEAN if on else Want.TEXT)
            case _:
                self._all(children(node), Want.TEXT)

    def _all(self, items: Iterable[Node], want: Want) -> None:
        for item in items:
            self._read(item, want)

    def _extract(self, node: Node, path: PropertyPath, want: Want) -> None:
        """Puts the extraction of a path in its place, read as ``want``."""
        keeps_json = path.as_json and want is Want.TEXT
        name = "json_extract" if keeps_json else EXTRACT
        text = call(name, column(*path.column), string(path.pointer))
        replaced(node, text if want is Want.TEXT else self._as(want, text))
        if keeps_json:
            return
        self.extractions.append(
            Extraction(node, self._select, path.column, path.pointer, _READS.get(want))
        )

    def _as(self, want: Want, text: Node) -> Node:
        if want is Want.BOOLEAN:
            return try_cast(text, "BOOLEAN")
        if want in _MARKED:
            return self._form(_MARKED[want], text)
        return self._form(_SQL[want], text)

    def _form(self, sql: Callable[..., str], by: Node) -> Node:
        """The expression of ``engine/numbers.py``, read once by the engine, for this text."""
        name = sql.__name__
        if name not in _forms:
            given = ("x", "m")[: sql.__code__.co_argcount]
            told = msgspec.json.decode(self._syntax.read(f"SELECT {sql(*given)}"))
            form = told["statements"][0]["node"]["select_list"][0]
            for each in nodes(form):
                each.pop("query_location", None)
                each.pop("query_location_length", None)
            _forms[name] = form
        return filled(_forms[name], {"x": by, "m": integer(self._mark)})

    def _call(self, node: Node, want: Want) -> None:
        sign = operator_of(node)
        arguments = arguments_of(node)
        for name in ("filter", "filter_expr"):
            if name in node:
                self._read(node[name], Want.BOOLEAN)
        self._windows(node)
        if sign is not None:
            self._sign(node, sign, arguments)
            return
        name = function_name(node) or ""
        orders = [*node.get("order_bys", {}).get("orders", ()), *node.get("arg_orders", ())]
        if name in ("quantile_cont", "quantile_disc") and len(arguments) == 1 and orders:
            self._all([order["expression"] for order in orders], Want.NUMBER)
        else:
            self._orders(orders, {})
        if name in EXTREMES:
            self._extreme(node, name, arguments, want)
        elif name in ("nullif", "if") or name in PASSING:
            self._passing(node, name, arguments, want)
        else:
            for place, argument in enumerate(arguments):
                self._read(argument, want_of_argument(name, place, argument))

    def _windows(self, node: Node) -> None:
        self._all(node.get("partitions", ()), Want.TEXT)
        bounds = [node[name] for name in ("start_expr", "end_expr") if name in node]
        self._all(bounds, Want.TEXT)
        by_distance = any(
            "EXPR" in str(node.get(end)) and "RANGE" in str(node.get(end))
            for end in ("start", "end")
        )
        if by_distance:
            self._all([order["expression"] for order in node.get("orders", ())], Want.NUMBER)
        else:
            self._orders(node.get("orders", ()), {})

    def _sign(self, node: Node, sign: str, arguments: Sequence[Node]) -> None:
        if sign in ("->", "->>"):
            self._all(arguments, Want.TEXT)
            name = "json_extract" if sign == "->" else EXTRACT
            replaced(node, call(name, *arguments))
        elif sign in ARITHMETIC and not any(is_interval(item) for item in arguments):
            self._all(arguments, Want.NUMBER)
        else:
            self._all(arguments, Want.TEXT)

    def _passing(self, node: Node, name: str, arguments: Sequence[Node], want: Want) -> None:
        """Calls that give one of their arguments, and what else they are given."""
        passed = passed_arguments(name, arguments)
        for place, argument in enumerate(arguments):
            if not any(argument is each for each in passed):
                self._read(argument, want_of_argument(name, place, argument))
        self._choose(node, passed, want)

    def _choose(self, node: Node, items: Sequence[Node], want: Want) -> None:
        """Reads what a node gives one of: all alike, as the others and the place want it."""
        inner = shared_want(items, want)
        texts = any(string_of(item) is not None for item in items)
        owned = any(gives_property(item, self._bound) for item in items)
        if inner is want and want in _SQL and texts and owned:
            self._all(items, Want.TEXT)
            self._wrap(node, _SQL[want])
        else:
            self._all(items, inner)

    def _wrap(self, node: Node, sql: Callable[..., str]) -> None:
        """Puts a rewritten node into a form, which holds it several times, with its reads."""
        inner = {key: value for key, value in node.items() if key != "alias"}
        within = {id(each) for each in nodes(inner)}
        reads = [each for each in self.extractions if id(each.node) in within]
        self.extractions = [each for each in self.extractions if id(each.node) not in within]
        form = self._form(sql, column(_SLOT))
        for slot in [each for each in nodes(form) if each.get("column_names") == [_SLOT]]:
            made = copy.deepcopy(inner)
            twins = dict(zip(map(id, nodes(inner)), nodes(made), strict=True))
            self.extractions += [each._replace(node=twins[id(each.node)]) for each in reads]
            replaced(slot, made)
        replaced(node, form)

    def _extreme(self, node: Node, name: str, items: Sequence[Node], want: Want) -> None:
        """``greatest`` and ``least``: of properties alone by what orders them, the text of it."""
        paths = [path_of(item, self._bound) for item in items]
        if want is not Want.TEXT or not items or any(path is None for path in paths):
            self._choose(node, items, want)
            return
        keyed = []
        for item, path in zip(items, paths, strict=True):
            assert path is not None
            self._extract(item, path, Want.TEXT)
            self.extractions.pop()
            keyed.append(self._form(numbers.valued_key, item))
        replaced(node, call("struct_extract", call(name, *keyed), string("v")))

    def _compare(self, node: Node, operands: Sequence[Node]) -> None:
        shared = shared_want(operands, Want.TEXT)
        paths = [path for item in operands if (path := path_of(item, self._bound)) is not None]
        wide = shared is Want.NUMBER and paths and any(is_wide(item) for item in operands)
        owned = all(is_property(item, self._bound) for item in operands)
        ordered = shared is Want.TEXT and owned and node["type"] in _ORDERING
        if (wide or ordered) and is_expression(node, "BETWEEN"):
            write_out_between(node)
            self._all(node["children"], Want.BOOLEAN)
        elif wide or ordered:
            outer = self._mark
            mark = self._mark = self._marks.setdefault(fingerprint(node), len(self._marks))
            for item in operands:
                if ordered or path_of(item, self._bound) is not None:
                    self._read(item, Want.COMPARED if ordered else Want.EXACT)
                else:
                    self._read(item, Want.NUMBER)
                    self._wrap(item, numbers.exact_number)
                assert self._mark == mark, "comparisons within give it back"
            self._mark = outer
        else:
            if len(paths) == len(operands) and shared is Want.TEXT:
                self._note_texts(paths)
            self._all(operands, shared)

    def _note_texts(self, paths: Sequence[PropertyPath]) -> None:
        names = " and ".join(path.written for path in paths[:2])
        self.notes.append(
            f"{names} were compared as texts: 1 and 1.0 differ."
            " To compare numbers, cast both: (…)::DOUBLE."
        )

    def _operator(self, node: Node, want: Want) -> None:
        items: list[Node] = node.get("children", [])
        match node["type"]:
            case "OPERATOR_NOT":
                self._all(items, Want.BOOLEAN)
            case "COMPARE_IN" | "COMPARE_NOT_IN":
                self._compare(node, items)
            case "STRUCT_EXTRACT" if "'" in (string_of(items[1]) or ""):
                # Written with a dot, a quote in the name would come out twice.
                self._all(items, Want.TEXT)
                replaced(node, call("struct_extract", *items))
            case "OPERATOR_COALESCE" | "OPERATOR_NULLIF" | "OPERATOR_TRY":
                self._choose(node, items, want)
            case _:
                self._all(items, Want.TEXT)

    def _case(self, node: Node, want: Want) -> None:
        checks = node["case_checks"]
        self._all([each["when_expr"] for each in checks], Want.BOOLEAN)
        results = [each["then_expr"] for each in checks]
        if "else_expr" in node:
            results.append(node["else_expr"])
        self._choose(node, results, want)

    def _orders_by_all_groups(
        self, query: Node, orders: Sequence[Any], aliases: dict[str, Node]
    ) -> bool:
        """Whether nothing is left to do: GROUP BY ALL bears no key unless it is written out."""
        if query.get("aggregate_handling") != "FORCE_AGGREGATES":
            return False
        meant = [alias_meant(order["expression"], aliases) for order in orders]
        keys = [
            key
            for node, order in zip(meant, orders, strict=True)
            if is_property(key := node or order["expression"])
        ]
        if not keys or write_out_groups(query):
            return False
        written = dict.fromkeys(path.written for key in keys for path in paths_within(key))
        names = " and ".join(list(written)[:2])
        self.notes.append(f"{names} were put in order as texts: write GROUP BY out for numbers.")
        for node, order in zip(meant, orders, strict=True):
            if node is None:
                self._read(order["expression"], Want.TEXT)
        return True

    def _orders(self, orders: Iterable[Any], aliases: dict[str, Node]) -> None:
        for order in orders:
            node = order["expression"]
            named = alias_meant(node, aliases)
            if named is not None:
                node = order["expression"] = copy.deepcopy(named)
                node.pop("alias", None)
            self._order(node)

    def _order(self, node: Node) -> None:
        """Reads what rows are put in order by: of what gives properties by number.

        Its text is put in order as a whole: so it is still what GROUP BY has.
        """
        if path_of(node, self._bound) is not None:
            self._read(node, Want.KEY)
        elif not is_property(node, self._bound):
            self._read(node, Want.TEXT)
        elif any(path.as_json for path in paths_within(node, self._bound)):
            self._read(node, Want.KEY)
        else:
            self._read(node, Want.TEXT)
            self._wrap(node, numbers.sort_key)
