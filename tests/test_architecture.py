"""The layer table of ARCHITECTURE.md, held against every import of the source."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/syzygy"
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))}
MODULES = {".".join(("syzygy", *path.relative_to(SOURCE).with_suffix("").parts)): path for path in TREES}
FACADE = "__init__"
LISTED = re.findall(r"^\| (\d+) \| `(\w+)(\.py|/)` \|", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.M)
ROWS = {place: int(row) for row, place, _ in LISTED}
UNSAFE = (
    r"^(import|from) .*\b(\w*pickle|dill|joblib|shelve|marshal)\b|^from torch import .*\bload\b|^(eval|exec)\("
    r"|^torch\.load\((?!.*weights_only=True)|allow_pickle=(?!False)|\.read_pickle\("
)


def allowed(importer: str, imported: str, rows: dict[str, int]) -> bool:
    """Whether a file at one place may import from another."""
    return imported != FACADE and (importer in (FACADE, imported) or rows[imported] < rows[importer])


def imports(tree: ast.AST) -> set[str]:
    """Names of the modules of syzygy that a file imports; ``syzygy.__init__`` is the facade."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written in full"
            asked = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if {name, f"{name}.__init__"} & MODULES.keys() else str(node.module) for name in asked}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {n if n in MODULES else f"{n}.__init__" for n in found if n.split(".")[0] == "syzygy"}


@pytest.mark.parametrize(("importer", "imported", "expected"), [
    ("high", "low", True), ("low", "high", False), ("high", "beside", False), ("high", "high", True),
    (FACADE, "high", True), ("high", FACADE, False)])  # fmt: skip
def test_the_rule(importer, imported, expected):
    assert allowed(importer, imported, {"low": 0, "high": 1, "beside": 1}) is expected


def test_the_table_lists_every_place_once_and_no_other():
    there = {(p.name, "/") for p in SOURCE.iterdir() if (p / "__init__.py").is_file()}
    there |= {(p.stem, ".py") for p in SOURCE.glob("*.py") if p.stem != FACADE}
    assert sorted((place, kind) for _, place, kind in LISTED) == sorted(there)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_up_the_table(name):
    place = name.split(".")[1]
    wrong = [n for n in imports(TREES[MODULES[name]]) if not allowed(place, n.split(".")[1], ROWS)]
    assert not wrong, f"{name} (row {ROWS.get(place)}) must not import {wrong}"


def test_no_cycles():
    TopologicalSorter({name: imports(TREES[path]) for name, path in MODULES.items()}).prepare()


def unsafe(tree: ast.AST) -> list[str]:
    """Imports and calls that turn data into code, or may."""
    nodes = (ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom | ast.Call))
    return [code for code in nodes if re.search(UNSAFE, code)]


@pytest.mark.parametrize("code", ["import pickle", "from joblib import load", "from torch import load", "eval(x)",
                                  "torch.load(x)", "np.load(x, allow_pickle=True)", "pd.read_pickle(x)"])  # fmt: skip
def test_unsafe_code_is_seen(code):
    assert unsafe(ast.parse(code))


@pytest.mark.parametrize("name", MODULES)
def test_no_data_becomes_code(name):
    assert not unsafe(TREES[MODULES[name]])
