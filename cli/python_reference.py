"""The reference of Python, docs/python.md, written from signatures and docstrings: ``python -m cfgraph.cli.python_reference``.

Examples are in :mod:`cfgraph.cli.python_examples`; a test runs all of them, one after the other.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cfgraph
from cfgraph import sources
from cfgraph.estimator import HCRL, ClassificationField, DasguptaClustering, InfoHier
from cfgraph.model.hierarchy import Hierarchy
from cfgraph.store import Store, Stores

from .python_examples import EXAMPLES, SETUP

HEAD = """\
# Python

Written from signatures and docstrings by `python -m cfgraph.cli.python_reference > docs/python.md`; a test fails where this
page and the code differ, and runs every example, from the top of the page to its end.

Python is the mirror of the [command line](cli.md): an option and the argument behind it have one name (`--minimum-size`,
`minimum_size=`). Sources take their first argument by position, and give a hierarchy with its cells in memory; its `id` is the
source's name unless given, and `hierarchy.replace(id=...)` gives it another. Verbs take a hierarchy in memory, or a store and
an id. Errors are of one tree below `CfgraphError`; what a user handed in wrongly is an `InputError`, in one line.
"""
SOURCES = (
    *("cfg", "ifs", "points", "images", "induced", "logits", "linkage", "tree", "edges", "graph"),
    *("dasgupta", "hcrl", "infohier", "parquet", "folder"),
)
VERBS = (
    *("train", "grow", "rollout"),
    *("compare", "diff", "certify", "evaluate", "cut", "verify"),
    *("find_path", "field", "apply", "encode", "reconstruct", "search", "place", "drift"),
    *("explore", "export", "to_networkx", "to_json", "describe", "history", "snapshot", "materialise", "upgrade"),
)
OF_HIERARCHIES = (
    *("plot", "explore", "cut", "to_pandas", "to_arrow", "to_networkx", "to_linkage"),
    *("replace", "with_cells", "without_cells"),
)
OF_STORES = (
    *("open", "close", "write", "hierarchies", "hierarchy", "read", "read_whole", "counts", "query", "query_pages"),
    *("query_operation", "write_predictor", "predictor", "batches", "snapshots", "remove"),
)
ESTIMATORS = (ClassificationField, DasguptaClustering, InfoHier, HCRL)
OF_ESTIMATORS = ("fit", "predict", "apply", "transform", "to_hierarchy")
_ROLE = re.compile(r":\w+:`~?(?:cfgraph\.)?([^`]*)`")
_SECTION = re.compile(r"^(Args|Raises|Errors|Parameters|Attributes):$")


def write_reference() -> str:
    """The whole page, as Markdown."""
    chapters = [
        ("Sources", [(f"sources.{name}", getattr(sources, name)) for name in SOURCES]),
        ("Verbs", [(name, getattr(cfgraph, name)) for name in VERBS]),
        ("Hierarchies", [(f"Hierarchy.{name}", getattr(Hierarchy, name)) for name in OF_HIERARCHIES]),
        ("Stores", [*((f"Store.{name}", getattr(Store, name)) for name in OF_STORES), ("Stores.open", Stores.open)]),
        ("Estimators", [(one.__name__, one) for one in ESTIMATORS]),
    ]
    contents = "\n".join(
        f"* [{title}](#{title.lower()}): {', '.join(f'[`{name}`](#{_anchor(name)})' for name, _ in members)}"
        for title, members in chapters
    )
    parts = [HEAD, contents, "All examples begin with:", _block(SETUP)]
    for title, members in chapters:
        parts += [f"## {title}", *(section(name, member) for name, member in members)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def section(name: str, member: Callable[..., Any]) -> str:
    """One function, method or class: its call, what it says of itself, and its example."""
    parts = [f"### {name}", _block(call_of(name, member)), *_prose(inspect.getdoc(member) or "")]
    if inspect.isclass(member):
        parts += [_brief(f".{method}", getattr(member, method)) for method in OF_ESTIMATORS]
    if name in EXAMPLES:
        parts += ["Example:", _block(EXAMPLES[name])]
    return "\n\n".join(parts)


def _brief(name: str, method: Callable[..., Any]) -> str:
    first = (inspect.getdoc(method) or "").split("\n\n")[0]
    return f"`{call_of(name, method)}`: {_inline(' '.join(first.split()))}"


def call_of(name: str, member: Callable[..., Any]) -> str:
    """How it is called: parameters and their defaults, without ``self``, wrapped where it is long."""
    signature = inspect.signature(member)
    words, starred = [], False
    for parameter in signature.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not starred:
            words.append("*")
        starred |= parameter.kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_POSITIONAL)
        words.append(_parameter(parameter))
    text = f"{name}({', '.join(words)})"
    if len(text) <= 110:
        return text
    return f"{name}(\n" + "".join(f"    {line},\n" for line in _lines(words)) + ")"


def _lines(words: Sequence[str]) -> Iterator[str]:
    line = ""
    for word in words:
        if line and len(line) + len(word) > 100:
            yield line
            line = ""
        line = f"{line}, {word}" if line else word
    yield line


def _parameter(parameter: inspect.Parameter) -> str:
    name = f"**{parameter.name}" if parameter.kind is inspect.Parameter.VAR_KEYWORD else parameter.name
    name = f"*{name}" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else name
    if parameter.default is inspect.Parameter.empty:
        return name
    return f"{name}={'...' if callable(parameter.default) else repr(parameter.default)}"


def _prose(text: str) -> Iterator[str]:
    """A docstring as Markdown: its sections of arguments and errors as lists."""
    for paragraph in text.split("\n\n"):
        lines = paragraph.splitlines()
        if _SECTION.match(lines[0].strip()) if lines else False:
            yield f"{lines[0].strip()}\n\n" + "\n".join(_items(lines[1:]))
        elif lines and all(line.startswith("    ") for line in lines):
            yield _block(inspect.cleandoc(paragraph))
        elif lines:
            yield _inline("\n".join(lines))


def _items(lines: Sequence[str]) -> Iterator[str]:
    """``name: what it is``, an item each; what is indented deeper goes on with the one above."""
    found: list[str] = []
    for line in lines:
        if line.startswith("     ") and found:
            found[-1] += f" {line.strip()}"
        else:
            found.append(line.strip())
    for item in found:
        names, mark, told = item.partition(": ")
        yield f"* `{names}`: {_inline(told)}" if mark else f"* {_inline(item)}"


def _inline(text: str) -> str:
    """Markup of docstrings as Markdown's."""
    return _ROLE.sub(r"`\1`", text).replace("``", "`")


def _block(code: str) -> str:
    return f"```python\n{code.strip()}\n```"


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "", name.lower())


if __name__ == "__main__":
    import click

    click.echo(write_reference(), nl=False)
