"""Fortran arithmetic read into a checked syntax tree, and its value.

Text becomes tokens, tokens become a Python syntax tree, and every node of the tree is checked against a list
of what is allowed (numbers, names, the five operators, a few functions) before a walk over the tree evaluates
it. Nothing is executed as code.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.formats.rate_functions import RATE_FUNCTIONS
from chemnet.errors import DataError

FUNCTIONS: dict[str, tuple[int, Callable[..., NDArray[np.float64]]]] = {
    "exp": (1, np.exp),
    "log": (1, np.log),
    "log10": (1, np.log10),
    "sqrt": (1, np.sqrt),
    "abs": (1, np.abs),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
}
FUNCTIONS |= {f"d{name}": entry for name, entry in FUNCTIONS.items() if entry[0] == 1}
FUNCTIONS |= RATE_FUNCTIONS

_BINARY: dict[type[ast.operator], Callable[..., NDArray[np.float64]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_TOKEN = re.compile(
    r"\s*(?:(?P<real>(?:\d+\.\d*|\.\d+)(?:[de][+-]?\d+)?|\d+[de][+-]?\d+)|(?P<integer>\d+)"
    r"|(?P<name>[a-z_]\w*)|(?P<symbol>\*\*|[-+*/(),]))"
)
_DEEPEST = 200
_LONGEST = 20_000
# Fortran's own integers have 10 [digits]
_MOST_DIGITS = 18


@lru_cache(maxsize=8192)
def parse_arithmetic(text: str) -> ast.expr:
    """Return the checked syntax tree of an expression.

    Parameters
    ----------
    text
        Arithmetic in Fortran's notation and small letters, such as `1.d-9*(t32)**(-0.5)`.

    Raises
    ------
    DataError
        The text is no arithmetic, too long or too deep, calls an unknown function, or holds integers that
        Fortran would round.
    """
    if len(text) > _LONGEST:
        raise DataError(
            f"{text[:60]!r}... has {len(text)} characters; {_LONGEST} are allowed",
            hint="split it with variables (@var in KROME)",
        )
    try:
        tree = ast.parse(_in_python(text), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise DataError(
            f"{text!r} is no arithmetic expression", hint="check operators and parentheses"
        ) from error
    _check(tree, text, 0)
    return tree


def variable_names(tree: ast.expr) -> list[str]:
    """Return the names in a checked tree that are not functions, in the order of a walk over it."""
    found = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id not in FUNCTIONS)
    return list(dict.fromkeys(found))


def evaluate(tree: ast.expr, lookup: Callable[[str], NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the value of a checked tree.

    Parameters
    ----------
    tree
        What `parse_arithmetic` returned.
    lookup
        Gives the value of a name.
    """
    match tree:
        case ast.Constant(value=int() | float() as number):
            return np.asarray(number, dtype=np.float64)
        case ast.Name(id=name):
            return lookup(name)
        case ast.UnaryOp(op=op, operand=operand):
            inner = evaluate(operand, lookup)
            return -inner if isinstance(op, ast.USub) else inner
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](evaluate(left, lookup), evaluate(right, lookup))
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name][1](*(evaluate(argument, lookup) for argument in args))
    raise AssertionError(f"unchecked node {tree!r}")


def _in_python(text: str) -> str:
    """Return the expression with Python's numbers; a character that belongs to no arithmetic is refused."""
    pieces = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise DataError(
                f"{text!r} has {text[position:].strip()[0]!r} where a number, a name or an operator belongs",
                hint="rates are written in Fortran's arithmetic: numbers, names, + - * / ** and functions",
            )
        piece = match.group().strip()
        if match["real"]:
            piece = piece.replace("d", "e")
        elif match["integer"]:
            if len(piece) > _MOST_DIGITS:
                raise DataError(
                    f"{piece[:20]}... is an integer of {len(piece)} digits", hint="write it as in 1d30"
                )
            piece = str(int(piece))
        pieces.append(piece)
        position = match.end()
    return " ".join(pieces)


def _check(node: ast.expr, text: str, depth: int) -> None:
    """Refuse every node that is not on the list of what an expression may hold."""
    if depth > _DEEPEST:
        raise DataError(
            f"{text[:60]!r}... is nested too deeply", hint="split it with variables (@var in KROME)"
        )
    match node:
        case ast.Constant(value=int() | float()):
            return
        case ast.Name(id=name):
            if name in FUNCTIONS:
                raise DataError(f"{text!r} has {name!r} without arguments", hint=f"write {name}(...)")
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            _check(operand, text, depth + 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            _check_integers(node, text)
            _check(left, text, depth + 1)
            _check(right, text, depth + 1)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            _check_call(name, len(args), text)
            for argument in args:
                _check(argument, text, depth + 1)
        case _:
            raise DataError(
                f"{text!r} is no plain arithmetic", hint="use numbers, names, + - * / ** and functions"
            )


def _check_call(name: str, n_arguments: int, text: str) -> None:
    if name not in FUNCTIONS:
        raise DataError(
            f"{text!r} calls {name!r}, which chemnet does not know",
            hint=f"known functions: {', '.join(FUNCTIONS)}; write the formula out, or give it as a variable",
        )
    if n_arguments != FUNCTIONS[name][0]:
        raise DataError(
            f"{text!r} gives {n_arguments} argument(s) to {name!r}", hint=f"it takes {FUNCTIONS[name][0]}"
        )


def _check_integers(node: ast.BinOp, text: str) -> None:
    """Refuse what Fortran would round: `1/2` and `10**(-3)` are 0 there, which nobody means."""
    left, right = _integer(node.left), _integer(node.right)
    if left is None or right is None:
        return
    rounds = isinstance(node.op, ast.Div) and (right == 0 or left % right)
    if rounds or (isinstance(node.op, ast.Pow) and right < 0):
        raise DataError(
            f"{text!r} has integers ({ast.unparse(node)}) that Fortran would round to a whole number",
            hint="write them as real numbers, as in 1d0/2d0",
        )


def _integer(node: ast.expr) -> int | None:
    """Return the value of an integer literal with its sign, None for anything else."""
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -value
    return None
