"""Networks of transformers: from a folder, or from the hub."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from syzygy.errors import DataError, SpecificationError, UnknownName, reason
from syzygy.extraction.sources.pictures import noise, noise_images
from syzygy.extraction.sources.reading import Texts, as_read_by
from syzygy.extraction.sources.source import Kind, Source
from syzygy.extraction.sources.weights import about, drawn
from syzygy.networks.timm import quiet_hub

#: What a model reads, by the name of its first argument; all else is given as arrays.
READS: dict[str, Kind] = {"input_ids": "text", "pixel_values": "image"}
EXAMPLE = ("One text.", "Another text, which is longer.")


def transformers_source(name: str, *, random_weights: bool, seed: int, shape: Sequence[int] | None) -> Source:
    """Make a network of transformers, without the head of its task.

    Its hidden states are what its modules give: ``encoder.layer.3``, ``h.3``, ``layers.3``, as it names them.  Weights
    are read in single precision.  Code that comes with a model is never run.

    Parameters
    ----------
    name
        A folder as ``save_pretrained`` writes it, or a name on the hub; and, after ``#``, the module inside of it that
        shall be looked at alone, as in ``t5-small#encoder`` or ``openai/clip-vit-base-patch32#vision_model``.
    random_weights, seed
        An untrained control of the same configuration; no weights are read.  The seed also draws weights that were not
        saved, which ``about`` lists as ``new``.
    shape
        Of one item, for a model that comes without anything that prepares its inputs: ``(token,)`` or
        ``(channel, height, width)``.

    Raises
    ------
    SpecificationError
        transformers cannot be imported; a network that reads images and texts at once.
    DataError
        No model, or one that cannot be read.
    """
    folder, _, part = name.partition("#")
    transformers = _library(name)
    with _quiet(transformers, local=Path(folder).is_dir()):
        with drawn(seed):
            whole, told = _made(transformers, folder, random_weights)
        model = _part(whole, part, name)
        kind: Kind = READS.get(_first_argument(model), "array")
        prepare, unprepared = None, ""
        if kind != "array":
            prepare, unprepared = as_read_by(transformers, folder, model, kind)
    if prepare and shape:
        raise SpecificationError(f"hf:{name} comes with what prepares its {kind}s; leave --shape")
    told = about(model, "transformers", pretrained=not random_weights, seed=seed) | told
    told |= {"unprepared": unprepared} if unprepared else {}
    example = prepare(noise_images() if kind == "image" else EXAMPLE) if prepare else _example(model, kind, shape)
    return Source(f"hf:{name}", model.eval(), prepare, kind, example, told)


def _made(transformers: Any, folder: str, random_weights: bool) -> tuple[Any, dict[str, Any]]:
    """Make the network that a configuration describes, and say which weights of it were not saved."""
    no_code = {"trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **no_code)
        known = type(config) in transformers.MODEL_MAPPING
        maker = transformers.AutoModel if known else getattr(transformers, (config.architectures or [""])[0])
        if random_weights:
            made = maker.from_config(config, dtype=torch.float32, **no_code) if known else maker(config).float()
            return made, {}
        # Safetensors first, so that the library does not ask its server to convert anything.
        asked = {"dtype": torch.float32, "output_loading_info": True, "weights_only": True} | (no_code if known else {})
        made, seen = _first_that_is_there(maker, folder, asked)
    except Exception as failed:  # whatever a hub, the network to it, and a folder of something else may raise
        more = "its weights hold more than tensors, and nothing is unpickled: save them as safetensors"
        why = more if type(failed).__name__ == "UnpicklingError" else reason(failed)
        if Path(folder).exists():
            raise DataError(f"{folder} cannot be read as a model of transformers ({why})") from failed
        raise DataError(f"hf:{folder} is no folder here, and the hub gave nothing ({why})") from failed
    wrong = sorted(str(one[0] if isinstance(one, tuple) else one) for one in seen["mismatched_keys"])
    if wrong:
        raise DataError(f"the weights of {folder} are of other shapes than its configuration says: {', '.join(wrong)}")
    revision = getattr(made.config, "_commit_hash", None)
    return made, {"new": sorted(seen["missing_keys"])} | ({"revision": revision} if revision else {})


def _first_that_is_there(maker: Any, folder: str, asked: dict[str, Any]) -> Any:
    if Path(folder).is_dir() and not list(Path(folder).glob("*.safetensors*")):
        return maker.from_pretrained(folder, use_safetensors=False, **asked)
    return maker.from_pretrained(folder, use_safetensors=None, **asked)


def _part(whole: nn.Module, part: str, name: str) -> nn.Module:
    if part:
        modules: dict[str, nn.Module] = dict(whole.named_modules())
        if part not in modules:
            raise UnknownName(f"part of hf:{name.partition('#')[0]}", part, (path for path in modules if path))
        return modules[part]
    if hasattr(whole, "get_text_features") and hasattr(whole, "get_image_features"):
        parts = [path for path, _ in whole.named_children() if path.endswith("_model")]
        raise SpecificationError(
            f"hf:{name} reads images and texts at once; look at one part alone: "
            f"{' or '.join(f'hf:{name}#{one}' for one in parts)}"
        )
    return whole


def _first_argument(model: nn.Module) -> str:
    return next(iter(inspect.signature(model.forward).parameters), "")


def _example(model: Any, kind: Kind, shape: Sequence[int] | None) -> Any:
    """Give noise that the model can read, as far as its configuration tells."""
    config = model.config
    if kind == "text":
        size = (2, *(shape or (8,)))
        tokens = torch.randint(config.vocab_size, size, generator=torch.Generator().manual_seed(0))
        return Texts.with_decoder(model, {"input_ids": tokens})
    side = getattr(config, "image_size", None)
    if kind == "image" and side and not shape:
        shape = (getattr(config, "num_channels", 3), *(side if isinstance(side, list | tuple) else (side, side)))
    return noise(shape) if shape else None


@contextmanager
def _quiet(transformers: Any, *, local: bool) -> Iterator[None]:
    """Keep the library's own words to itself; bars of downloads remain."""
    words = transformers.utils.logging
    before, bars = words.get_verbosity(), words.is_progress_bar_enabled()
    words.set_verbosity_error()
    try:
        if local:
            words.disable_progress_bar()
        with quiet_hub():
            yield
    finally:
        words.set_verbosity(before)
        if local and bars:
            words.enable_progress_bar()


def _library(name: str) -> Any:
    try:
        library = import_module("transformers")
        library.AutoModel, library.BertModel  # noqa: B018  (it imports late, and what is missing shows then)
    except (ImportError, RuntimeError) as missing:
        cause: BaseException = missing
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise SpecificationError(
            f"hf:{name} needs the library transformers, which cannot be imported ({reason(cause)}); "
            "pip install transformers, with the torchvision made for your torch, or none"
        ) from missing
    return library
