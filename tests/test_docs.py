"""Documents that cannot drift: what they say of the code is read, and compared with it."""

import ast
import inspect
import pkgutil
import re
import shlex
import subprocess
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits
from typer.main import get_command

import syzygy
from syzygy import STUDIES, checks, study
from syzygy.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
COMMANDS = get_command(app).commands
THEORY = [page for page in TEXTS if page.startswith("docs/theory/") and page != "docs/theory/README.md"]
FORMULAS = ("docs/measures/", "docs/dimensions/")
TABLED = [page for page, text in TEXTS.items() if page.startswith(FORMULAS) and "\n## Which formula is where\n" in text]
DERIVED = [*THEORY, *TABLED]
PLACES = ("work", "tmp", "root", "home")


def fenced(language):
    """Blocks of a language, each with the page that holds it."""
    return [(page, block) for page, text in TEXTS.items() for block in blocks(text, language)]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def section(page, title):
    """The lines below a heading of the second level, up to the next."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", TEXTS[page], re.M | re.S)
    assert found, f"{page} has no section {title!r}"
    return found[1]


# Versions


def test_one_version_and_one_date():
    newest, date = re.search(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", TEXTS["CHANGELOG.md"], re.M).groups()
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert newest == project["version"] == syzygy.__version__
    assert f"\nversion: {newest}\n" in citation
    assert f"\ndate-released: {date}\n" in citation
    assert f"\nlicense: {project['license']}\n" in citation


def test_the_citation_names_the_paper_that_the_package_cites():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r'value: "(arXiv:[\d.]+)"', citation)[1] in syzygy.result.REFERENCES["theory"]


# The command line


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_explained(name):
    command = COMMANDS[name]
    assert command.help
    assert all(option.help for option in command.params)
    said = re.fullmatch(r"Example: (syzygy .+)", command.epilog)[1]
    asked = shlex.split(said)[1:]
    assert asked[0] == name
    assert command.make_context(name, asked[1:])
    assert any(f"syzygy {name}" in text for page, text in TEXTS.items() if page == "README.md" or "docs/" in page)


def test_commands_in_documents_can_be_given():
    shown = [line for _, block in fenced("console") for line in block.splitlines() if line.startswith("$ syzygy ")]
    assert shown
    for line in shown:
        name, *arguments = shlex.split(line, comments=True)[2:]
        assert COMMANDS[name].make_context(name, arguments)


# Studies


@pytest.mark.parametrize("name", STUDIES)
def test_every_key_of_a_study_is_documented_with_its_default(name):
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.+?) \| .+ \|$", section("docs/studies.md", name), re.M))
    given = {key: tomllib.loads(f"x = {default[1:-1]}")["x"] for key, default in rows.items() if default[0] == "`"}
    plain = STUDIES[name]()
    inner = {key: getattr(plain, key) for key, default in rows.items() if default == "a table"}
    known = {"study", *(key for key in rows if "." not in key)}
    assert known == set(type(plain).model_fields)
    assert {key for key in rows if "." in key} == {f"{k}.{f}" for k, v in inner.items() for f in type(v).model_fields}
    for key, default in given.items():
        if "." in key:
            outer, _, field = key.partition(".")
            assert getattr(inner[outer], field) == default
        else:
            assert getattr(study({"study": name, key: default}), key) == getattr(plain, key)
    assert {key for key, default in rows.items() if default == "none"} == {k for k, v in plain if v is None}


def test_every_study_is_documented_with_its_question_and_an_example():
    for name, kind in STUDIES.items():
        text = section("docs/studies.md", name)
        assert kind.question in " ".join(text.split())
        assert f'study = "{name}"' in blocks(text, "toml")[0]


@pytest.mark.parametrize(
    "block", [block for _, block in fenced("toml")] + [*map(Path.read_text, ROOT.glob("studies/*"))]
)
def test_specifications_can_be_asked(block):
    asked = study(tomllib.loads(block))
    assert asked.jobs()
    assert study(asked.specification()) == asked


# Checks


def test_every_check_is_documented_under_its_title():
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    titles = dict(re.findall(r"\"(SZ\d{3})\", \"([^\"]+)\"", source))
    assert set(titles) == set(re.findall(r"SZ\d{3}", source)) > set(checks.CHECKS)
    headings = re.findall(r"^## (.+)$", TEXTS["docs/checks.md"], re.M)
    assert headings == [f"{code}: {title}" for code, title in sorted(titles.items())]
    for heading in headings:
        assert re.findall(r"^\*\*(\w+)", section("docs/checks.md", heading), re.M) == ["Means", "Fires", "Do"]


@pytest.mark.parametrize(
    ("code", "threshold"),
    [
        ("SZ003", f"above {checks.UNLEARNED:.0%} of"),
        ("SZ003", f"more than {checks.STILL_MOVING:.0%} of"),
        ("SZ004", f"below {checks.POOR_R2}"),
        ("SZ006", "twice" if syzygy.fitting.fit.IDENTIFIED_FACTOR == 2 else ""),
        ("SZ008", f"fewer than {['no', 'one', 'two', 'three', 'four', 'five'][checks.FEW_SEEDS]}"),
        ("SZ009", f"fewer than {['no', 'one', 'two', 'three', 'four', 'five'][checks.COARSE]}"),
        ("SZ011", f"exceeds {syzygy.linearisation.NEARBY:g} at any measured step"),
        ("SZ012", "more than twice" if checks.CONSTANT_FACTOR == 2 else ""),
    ],
)
def test_thresholds_are_those_of_the_code(code, threshold):
    assert threshold
    assert threshold in " ".join(section("docs/checks.md", f"{code}: {checks.CHECKS[code][0]}").split())


# The package


def test_the_facade_is_sorted_and_complete():
    def kind(name):
        return not name.isupper(), not name[0].isupper(), name

    public = {name for name, value in vars(syzygy).items() if name[0] != "_" and not inspect.ismodule(value)}
    assert syzygy.__all__ == sorted(public, key=kind)


@pytest.mark.parametrize("name", [name for name in syzygy.__all__ if not name.isupper()])
def test_everything_public_has_a_docstring(name):
    value = getattr(syzygy, name)
    assert value.__doc__
    assert not value.__doc__.startswith(f"{name}("), "a docstring of its own, not that of a dataclass"


# The theory, and the measures

#: Where the short names of a folder's pages are looked up, in this order.
PACKAGES = {
    "docs/theory": ("syzygy.theory", "syzygy", "syzygy.fitting"),
    "docs/dimensions": ("syzygy",),
    "docs/measures": ("syzygy.measures", "syzygy", "syzygy.chance", "syzygy.alignment", "syzygy.representations"),
}


def resolved(name, packages):
    for package in packages:
        with suppress(ImportError, AttributeError):
            return pkgutil.resolve_name(f"{package}.{name}")
    return None


def exists(owner, name, packages):
    """Whether a class has such a field or method, or a module such a function; of the packages if no owner is named."""
    if not owner:
        return resolved(name, packages) is not None
    fields = getattr(resolved(owner, packages), "__dataclass_fields__", ())
    return name in fields or resolved(f"{owner}.{name}", packages) is not None


def named_in_the_code():
    """Modules, functions, parameters, classes, fields and methods of all that the theory's pages are about."""
    for found in pkgutil.walk_packages(syzygy.__path__, "syzygy."):
        if not re.match(r"syzygy\.(theory|fitting|linearisation)\b", found.name):
            continue
        for name, value in vars(pkgutil.resolve_name(found.name)).items():
            yield name
            if inspect.isclass(value):
                yield from (*vars(value), *getattr(value, "__dataclass_fields__", ()))
            if inspect.isfunction(value):
                yield from inspect.signature(value).parameters


def rows(page, title):
    """Cells of the table in a section, without its header."""
    lines = re.findall(r"^\| (.+) \|$", section(page, title), re.M)
    return [line.split(" | ") for line in lines[1:]]


@pytest.mark.parametrize("page", DERIVED)
def test_formulas_name_functions_and_tests_that_exist(page):
    text = section(page, "Which formula is where")
    assert TEXTS[page].endswith(text), "the table ends the page"
    files = {ROOT / name for name in re.findall(r"`(tests/\w+\.py)`", text)}
    tests = {
        node.name
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    formulas = rows(page, "Which formula is where")
    assert formulas
    for formula, functions, named in formulas:
        assert formula
        assert re.findall(r"`(\w+)`", named)
        assert set(re.findall(r"`(\w+)`", named)) <= tests
        owner = None
        for path in re.findall(r"`([\w.]+)`", functions):
            first, _, attribute = path.rpartition(".")
            if first or path[0] != ".":  # a leading dot: of the same class or module as before
                owner = first
            assert exists(owner, attribute, PACKAGES[str(Path(page).parent)]), path
        assert owner is not None, f"{formula}: no function"


def test_every_page_of_the_theory_is_listed():
    listed = re.findall(r"^- \[(\w+\.md)\]\(\1\): .+", section("docs/theory/README.md", "Pages"), re.M)
    assert sorted(f"docs/theory/{name}" for name in listed) == THEORY


def test_the_notation_names_what_the_code_names():
    known = set(named_in_the_code())
    pages = {"all", *(Path(page).stem for page in THEORY)}
    notation = rows("docs/theory/README.md", "Notation")
    assert len({(symbol, page) for symbol, *_, page in notation}) == len(notation) > 30
    for _, code, meaning, unit, page in notation:
        names = set(re.findall(r"`(\w+)`", code))
        assert names <= known, names - known
        assert names or code == "–"
        assert meaning
        assert unit
        assert set(page.split(", ")) <= pages


# Pages


@pytest.mark.parametrize("page", [page for page, text in TEXTS.items() if blocks(text, "python")])
def test_python_in_documents_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "document"}
    with threadpool_limits(1):  # networks this small lose by sharing out their work
        for block in blocks(TEXTS[page], "python"):
            exec(compile(block, page, "exec"), names)


@pytest.mark.parametrize("page", TEXTS)
def test_relative_links_resolve(page):
    for link in re.findall(r"\[[^\]\n]*\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", TEXTS[page], flags=re.S)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.M)
            assert anchor in {
                re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
            }


def test_no_file_knows_the_machine_it_was_written_on():
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed if name and name != ".gitignore" and (ROOT / name).is_file()]
    pattern = re.compile(rf"(?<![\w.])/({'|'.join(PLACES)})/".encode())
    assert not [str(path) for path in files if pattern.search(path.read_bytes())]
