"""Models that code of one's own makes."""

import ast
import contextlib
import hashlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from torch import nn

from syzygy.errors import DataError, SpecificationError, UnknownName, reason
from syzygy.extraction.sources.pictures import noise, noise_images
from syzygy.extraction.sources.source import Allow, Kind, Prepare, Source, announce
from syzygy.extraction.sources.weights import about, drawn
from syzygy.recording import unwrapped

GIVES = "a factory gives a torch module, (module, prepare) or (module, prepare, 'text')"


def factory_source(
    path: Path, name: str, *, allow_code: Allow, random_weights: bool, seed: int, shape: Sequence[int] | None
) -> Source:
    """Call a factory of a Python file.

    Parameters
    ----------
    path, name
        The file, and a function or class of it that can be called without arguments.  It gives a module; or the module
        and what prepares images for it; or these and ``"text"`` or ``"array"``, if that is what it prepares.  An
        argument ``seed`` is given the seed; ``pretrained``, if it has one, is False for an untrained control.
    allow_code
        Told that the code runs.
    random_weights, seed
        An untrained control.  PyTorch's random state is seeded during the call, whether or not there is an argument.
    shape
        Of one item.  A module may tell itself, by an attribute ``example_input_array`` (as in Lightning).

    Raises
    ------
    DataError
        No such file, or code that raises.
    SpecificationError
        Code that is not allowed; a factory that cannot be called like this or gives something else; an untrained
        control of one without an argument ``pretrained``.
    UnknownName
        The file has nothing of this name.
    """
    if path.suffix != ".py" or not path.is_file():
        raise DataError(f"{path} is {'no Python file' if path.exists() else 'not there'}; a factory is file.py:name")
    where, path = f"{path}:{name}", path.resolve()
    names_in(path)  # what cannot be parsed is not run
    announce(allow_code, f"runs the code of {path}")
    with _running(path):
        module = _imported(path)
        make = _callable(module, path, name)
        arguments = _arguments(make, where, random_weights, seed)
        with drawn(seed):
            made = make(**arguments)
    model, prepare, kind = _parts(made, where)
    model = unwrapped(model).cpu().eval()
    pretrained = False if random_weights else None
    told = about(model, "torch", pretrained=pretrained, seed=seed)
    told |= {"code": where, "code_hash": hashlib.sha256(path.read_bytes()).hexdigest()}
    return Source(where, model, prepare, kind, _example(model, prepare, kind, shape, where), told)


def names_in(path: Path) -> list[str]:
    """List the functions and classes of a Python file, without running it.

    Raises
    ------
    DataError
        A file that is no Python.
    """
    try:
        tree = ast.parse(path.read_bytes(), path.name)
    except (SyntaxError, ValueError) as wrong:
        raise DataError(f"{path} is no Python ({reason(wrong)})") from wrong
    made = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [name for name in made if not name.startswith("_")]


@contextlib.contextmanager
def _running(path: Path) -> Iterator[None]:
    """Let code import what lies beside it, keep what it prints off the answers, and say in one line what it raised."""
    sys.path.insert(0, str(path.parent))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (UnknownName, SpecificationError):
        raise
    except (Exception, SystemExit) as raised:
        lines = [frame.lineno for frame in traceback.extract_tb(raised.__traceback__) if frame.filename == str(path)]
        at = f", line {lines[-1]}" if lines else ""
        said = f"{type(raised).__name__}: {reason(raised)}"
        raise DataError(f"the code of {path} raised {said}{at}") from raised
    finally:
        sys.path.remove(str(path.parent))


def _imported(path: Path) -> Any:
    """Run a file as a module, under a name that hides no library."""
    spec = importlib.util.spec_from_file_location(f"syzygy_factory_{path.stem}", path)
    assert spec is not None and spec.loader is not None  # noqa: PT018  (it ends in .py)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def _callable(module: Any, path: Path, name: str) -> Callable[..., Any]:
    found = getattr(module, name, None)
    if found is None:
        raise UnknownName(f"factory of {path}", name, names_in(path))
    if isinstance(found, nn.Module) or not callable(found):
        raise SpecificationError(f"{path}:{name} is {_what(found)}, not a function or class that makes a model")
    return found  # type: ignore[no-any-return]


def _arguments(make: Callable[..., Any], where: str, random_weights: bool, seed: int) -> dict[str, Any]:
    parameters = inspect.signature(make).parameters
    known = {"seed": seed} | ({"pretrained": False} if random_weights else {})
    if random_weights and "pretrained" not in parameters:
        raise SpecificationError(
            f"{where} has no argument pretrained, so nothing is known of an untrained control; "
            "write it as def factory(pretrained=True), or leave --random-weights"
        )
    fixed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    missing = [
        one.name
        for one in parameters.values()
        if one.default is one.empty and one.kind not in fixed and one.name not in known
    ]
    if missing:
        raise SpecificationError(f"{where} wants arguments ({', '.join(missing)}); give them defaults")
    return {name: value for name, value in known.items() if name in parameters}


def _parts(made: Any, where: str) -> tuple[nn.Module, Prepare | None, Kind]:
    model, *more = made if isinstance(made, tuple) and made else (made,)
    prepare = more[0] if more else None
    kind: Kind = more[1] if len(more) > 1 else "array" if prepare is None else "image"
    fits = len(more) <= 2 and (prepare is None or callable(prepare)) and kind in get_args(Kind)
    if not isinstance(model, nn.Module) or not fits:
        raise SpecificationError(f"{where} gave {_what(made)}; {GIVES}")
    return model, prepare, kind


def _what(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_what(one) for one in value)})"
    return repr(value) if isinstance(value, str) else type(value).__name__


def _example(model: nn.Module, prepare: Prepare | None, kind: Kind, shape: Sequence[int] | None, where: str) -> Any:
    if shape:
        return noise(shape)
    if prepare is None or kind == "array":
        return getattr(model, "example_input_array", None)
    try:
        return prepare(noise_images() if kind == "image" else ["One text.", "Another text, which is longer."])
    except Exception as failed:
        raise DataError(f"what {where} gave to prepare {kind}s raised {type(failed).__name__}: {reason(failed)}"
                        ) from failed  # fmt: skip
