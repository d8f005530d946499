"""TorchScript: its modules are run by an interpreter that calls no hooks, so a copy of its program says what they give.

In the copy calls of modules are opened, as if all were written in one piece, and behind each stands an operator that
hands over what the module gave.  It computes nothing.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, reduce
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch.jit import ScriptModule

from syzygy.errors import DataError, UnknownName
from syzygy.recording.modules import modules_of
from syzygy.recording.probe import Inputs

#: A trace numbers further calls, and scripting numbers the kinds of arguments that a module can be called with.
FORWARD = re.compile(r"forward(?:_?_?\d+)?")

#: Without types: PyTorch gives none for what is used here.
_TORCH: Any = torch

#: Who is told what modules give, by the number that is written into the copy of a program.
_TOLD: dict[int, Callable[[str, object], None]] = {}
_NUMBERS = count()


def call_scripted(
    network: ScriptModule, inputs: Inputs, keep: Sequence[tuple[str, Callable[[object], None]]]
) -> object:
    """Call a scripted or traced network, and hand what its modules give to functions, call by call.

    They are called at once, before anything is written into what a module gave.  The network itself stays as it is.

    Parameters
    ----------
    network
        As :func:`torch.jit.load` gives it.
    inputs
        What it is called with.
    keep
        Module paths, each with what is called with every output of that module.  Calls are seen wherever they are, in
        branches, loops and methods; but not those that are forked (:func:`torch.jit.fork`), and not those of modules
        that the program picks out of a list as it runs.

    Returns
    -------
    object
        What the network gives.

    Raises
    ------
    UnknownName
        A path that the network lacks; freezing leaves none but ``output``.
    DataError
        Inputs by other names, or fewer, than the network takes; hooks that were scripted with what is watched.
    """
    modules = modules_of(network)
    for path, _ in keep:
        if path not in modules:
            raise UnknownName("layer", path, modules)
    arguments = _arguments(network, inputs)
    whole = {path for path, _ in keep if modules[path] is network}

    def tell(called: str, output: object) -> None:
        for path, take in keep:
            if path == called:
                take(output)

    inside = {path for path, _ in keep} - whole
    _check_hooks(modules, inside, network)
    with _TORCH.jit.optimized_execution(False):  # as it is written: what would make it faster takes long to find
        output = _called(network, inside, tell, arguments) if inside else network(*arguments)
    for path in whole:
        tell(path, output)
    return output


def _check_hooks(modules: Mapping[str, Any], inside: Collection[str], network: ScriptModule) -> None:
    """Refuse hooks that were scripted with a module: they stand outside of its graph, and change what it gives."""
    for path, module in modules.items():
        if inside and module is network and (module._forward_hooks or module._forward_pre_hooks):
            raise DataError("the scripted network has hooks that were scripted with it; watch its output alone")
        if path in inside and module._forward_hooks:
            raise DataError(f"layer {path!r} has hooks that were scripted with it; watch a module around it")


def _called(
    network: ScriptModule, paths: Collection[str], tell: Callable[[str, object], None], arguments: Sequence[Any]
) -> object:
    """Run a copy of the program that tells what modules give."""
    raised: list[BaseException] = []

    def told(path: str, output: object) -> None:
        try:
            tell(path, output)
        except BaseException as error:
            raised.append(error)  # before PyTorch makes something else of it
            raise

    _operator()
    number = next(_NUMBERS)
    function = _TORCH._C._create_function_from_graph("forward", _telling(network, paths, number))
    _TOLD[number] = told
    try:
        return function(network._c, *arguments)
    except BaseException:
        if raised:
            raise raised[0] from None
        raise
    finally:
        del _TOLD[number]


def _telling(network: ScriptModule, paths: Collection[str], number: int) -> Any:
    """Give a copy of the program in which calls of modules are open, and followed by operators."""
    graph: Any = network.graph.copy()
    names = [path.split(".") for path in paths]
    around = {"", *(".".join(some[:end]) for some in names for end in range(1, len(some) + 1))}
    opened = True
    while opened:  # what was in a call may have calls in it
        opened = False
        for node in [node for node in _nodes(graph) if node.kind() == "prim::CallMethod"]:
            path = _path(next(node.inputs()), graph)
            if path not in around:
                continue
            if path in paths and FORWARD.fullmatch(node.s("name")):
                _tell(graph, node, number, path)
            inner: Any = reduce(lambda above, name: above.getattr(name), filter(None, path.split(".")), network._c)
            _open(graph, node, inner)
            opened = True
    return graph


def _nodes(block: Any) -> Iterator[Any]:
    """Go through a program, and through its branches and loops."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


def _path(value: Any, graph: Any) -> str | None:
    """Read ``self.encoder.layer`` backwards; empty for the network itself, None for what is no part of it by name."""
    names: list[str] = []
    while value.node().kind() == "prim::GetAttr":
        names.insert(0, value.node().s("name"))
        value = next(value.node().inputs())
    return ".".join(names) if value.debugName() == next(graph.inputs()).debugName() else None


def _tell(graph: Any, node: Any, number: int, path: str) -> None:
    """Put the operator behind a call."""
    graph.setInsertPoint(node)
    given = [node.output(), graph.insertConstant(number), graph.insertConstant(path)]
    graph.create("syzygy::gave", given, 0).insertAfter(node)


def _open(graph: Any, node: Any, module: Any) -> None:
    """Put what a method does in place of its call."""
    graph.setInsertPoint(node)
    next(node.inputs()).setType(module._type())  # where only an interface is known
    (output,) = graph.insertGraph(module._get_method(node.s("name")).graph, list(node.inputs()))
    node.output().replaceAllUsesWith(output)
    node.destroy()


@cache
def _operator() -> Any:
    """Define the operator, once; nothing may be moved past it, for nobody knows what it does."""
    library = _TORCH.library.Library("syzygy", "FRAGMENT")
    library.define("gave(Any output, int number, str path) -> ()", alias_analysis="CONSERVATIVE")
    library.impl("gave", _gave, "CompositeExplicitAutograd")
    return library


def _gave(output: object, number: int, path: str) -> None:
    _TOLD[number](path, output)


def _arguments(network: ScriptModule, inputs: Inputs) -> list[Any]:
    """Give what a network is called with in its own order; graphs take no names."""
    wanted = network._c._get_method("forward").schema.arguments[1:]
    names = [one.name for one in wanted]
    given: dict[str, Any]
    if isinstance(inputs, Mapping):
        given = dict(inputs)
    else:
        several = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        given = dict(zip([*names, *map(str, range(len(names), len(several)))], several, strict=False))
    given = {one.name: one.default_value for one in wanted if one.has_default_value()} | given
    if set(given) != set(names):
        raise DataError(f"the scripted network takes {', '.join(names)}; the probe has {', '.join(given)}")
    return [given[name] for name in names]
