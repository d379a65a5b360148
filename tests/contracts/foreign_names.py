"""Which names of Faust, mode and aiokafka the product leans on, read from its own source and classes."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import agents
import streams

_FOREIGN = ("faust", "mode", "aiokafka")
_NAMED_TUPLE = {"_replace", "_asdict", "_fields", "_make"}
_MADE_BY_MODE = {"_abc_impl", "_tasks", "logger"}  # in every class
_STANDARD = {"_exit"}  # of os


def overridden() -> set[tuple[str, str]]:
    """Return class and name of everything that a class of ours puts in the place of a foreign one's."""
    return {
        (f"{cls.__module__}.{cls.__qualname__}", name)
        for cls in _classes()
        for name in vars(cls)
        if not name.startswith("__")
        and name not in _MADE_BY_MODE
        and any(hasattr(base, name) for base in _foreign_bases(cls))
    }


def private_attributes() -> set[str]:
    """Return the names with an underscore that are read or set somewhere, and defined nowhere in our own source.

    A name of theirs that is by chance one of ours as well is not among them.
    """
    used: set[str] = set()
    defined: set[str] = set()
    for tree in _trees():
        for node in ast.walk(tree):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    defined.add(name)
                case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                    defined.add(name)
                case ast.AnnAssign(target=ast.Name(id=name)):
                    defined.add(name)
                case ast.Constant(value=str(name)):  # __slots__
                    defined.add(name)
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                used.add(node.attr)
    return used - defined - _NAMED_TUPLE - _STANDARD


def _classes() -> Iterator[type]:
    for info in pkgutil.walk_packages(agents.__path__, "agents."):
        module = importlib.import_module(info.name)
        for found in vars(module).values():
            if isinstance(found, type) and found.__module__ == info.name and any(_foreign_bases(found)):
                yield found


def _foreign_bases(cls: type) -> Iterator[type]:
    return (base for base in cls.__mro__ if base.__module__.partition(".")[0] in _FOREIGN)


def _trees() -> Iterator[ast.Module]:
    for package in (agents, streams):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            yield ast.parse(path.read_text())
