"""How modules of ssm_net import each other: levels, arrows and circles, of the working tree or of any revision.

    python bench/imports.py [--rev REVISION ...]

A module of level 1 imports no other of the package; another stands one level above the highest that it imports.
Modules of a circle share a level. Also counted between packages, one for each verb or shared part. Imports for type
checkers only do not count. Needs git for --rev. `make check` tests the direction of the arrows (pyproject.toml).
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grimp
import networkx as nx
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "ssm_net"


@dataclass(frozen=True)
class Shape:
    """Of a graph of imports: its nodes, direct imports, levels, and circles (groups that import each other)."""

    nodes: int
    arrows: int
    levels: int
    circles: list[list[str]]


def imports_of(root: Path) -> nx.DiGraph:
    """Modules below ``root/ssm_net`` and an arrow from each to every other that it imports directly."""
    sys.path.insert(0, str(root))
    try:
        found = grimp.build_graph(PACKAGE, cache_dir=None, exclude_type_checking_imports=True)
    finally:
        sys.path.remove(str(root))
    graph = nx.DiGraph()
    graph.add_nodes_from(found.modules)
    graph.add_edges_from((m, other) for m in found.modules for other in found.find_modules_directly_imported_by(m))
    return graph


def packages_of(modules: nx.DiGraph) -> nx.DiGraph:
    """The same between the packages and single modules directly below ``ssm_net``."""
    graph = nx.DiGraph()
    for module in modules:
        graph.add_node(_top(module))
    graph.add_edges_from((_top(a), _top(b)) for a, b in modules.edges if _top(a) != _top(b))
    return graph


def shape_of(graph: nx.DiGraph) -> Shape:
    components = nx.condensation(graph)
    circles = [sorted(members) for _, members in components.nodes(data="members") if len(members) > 1]
    return Shape(len(graph), graph.number_of_edges(), nx.dag_longest_path_length(components) + 1, circles)


def tree_of(revision: str | None, folder: Path) -> Path:
    """The root of the working tree, or of a revision that is unpacked into ``folder``."""
    if revision is None:
        return ROOT
    command = ["git", "-C", str(ROOT), "archive", revision, PACKAGE]
    archive = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def table_of(shapes: dict[str, tuple[Shape, Shape]]) -> Table:
    table = Table(title="imports inside ssm_net", title_justify="left")
    for heading in ("revision", "of", "nodes", "arrows", "levels", "circles"):
        table.add_column(heading, justify="left" if heading in ("revision", "of") else "right")
    for name, pair in shapes.items():
        for what, shape in zip(("modules", "packages"), pair, strict=True):
            table.add_row(name, what, *(str(n) for n in (shape.nodes, shape.arrows, shape.levels, len(shape.circles))))
    return table


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rev", nargs="*", default=[], help="git revisions to compare the working tree with")
    args = parser.parse_args(argv)
    console, shapes = Console(width=100), {}
    for revision in [*args.rev, None]:
        with tempfile.TemporaryDirectory() as folder:
            modules = imports_of(tree_of(revision, Path(folder)))
        shapes[revision or "working tree"] = shape_of(modules), shape_of(packages_of(modules))
    console.print(table_of(shapes))
    for name, pair in shapes.items():
        for shape in pair:
            for circle in shape.circles:
                console.print(f"circle in {name}: {', '.join(circle)}", soft_wrap=True)
    return 0


def _top(module: str) -> str:
    return ".".join(module.split(".")[:2])


if __name__ == "__main__":
    sys.exit(main())
