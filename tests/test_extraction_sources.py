"""From a string to a model: what libraries, archives and files give, and what is said where they give nothing."""

import io
import json
import os
import sys
import warnings
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import silero
from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName
from syzygy.extraction.extract import extract, extraction_of
from syzygy.extraction.inputs import shown
from syzygy.extraction.layers import layers
from syzygy.extraction.plan import plan
from syzygy.extraction.source import source
from syzygy.extraction.sources.pictures import Pictures, noise, noise_images
from syzygy.extraction.sources.source import Source
from syzygy.extraction.sources.weights import drawn
from syzygy.measures import cka
from syzygy.recorder.identity import weights
from syzygy.recording import Probe, layers_of, look

WORDS = ["[PAD]", "[UNK]", "[EOS]", "one", "text", "another", "which", "is", "longer", "a", "dog", "saw", "the", "cat"]
SMALL = {"num_attention_heads": 2, "hidden_size": 16, "num_hidden_layers": 3, "intermediate_size": 32}
SIGHT = SMALL | {"image_size": 16, "patch_size": 4}


def seen(one, patterns, inputs=None):
    probe = Probe.of(one.example if inputs is None else inputs)
    return look(one.model, probe, layers_of(one.model, patterns)).layers


def same_weights(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


# transformers


def put_tokenizer(transformers, folder, pad="[PAD]"):
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"unk_token": "[UNK]", "eos_token": "[EOS]"} | ({"pad_token": pad} if pad else {})
    special["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, **special).save_pretrained(folder)


@pytest.fixture(scope="module")
def bert(transformers, tmp_path_factory):
    """A folder as a user saves it: a model with a head, and its tokenizer."""
    folder = tmp_path_factory.mktemp("bert")
    with drawn(1):
        model = transformers.BertForMaskedLM(transformers.BertConfig(**SMALL, vocab_size=30, max_position_embeddings=8))
    model.save_pretrained(folder)
    put_tokenizer(transformers, folder)
    return folder, model.eval()


def test_a_text_model_from_a_folder(bert):
    folder, saved = bert
    one = source(f"hf:{folder}")
    assert (one.name, one.kind, one.model.training) == (f"hf:{folder}", "text", False)
    assert same_weights(one.model.encoder, saved.bert.encoder)
    hidden = saved.bert(**one.example, output_hidden_states=True).hidden_states
    found = seen(one, ["encoder.layer.*"])
    assert list(found) == [f"encoder.layer.{number}" for number in range(3)]
    mask = one.example["attention_mask"].unsqueeze(-1)
    for number in range(3):  # hidden states are what named modules give
        whole = (hidden[number + 1] * mask).flatten(1).detach().numpy()
        np.testing.assert_array_equal(found[f"encoder.layer.{number}"], whole)
    assert one.about["library"].startswith("transformers ")
    assert (one.about["class"], one.about["pretrained"]) == ("BertModel", True)
    assert one.about["new"] == ["pooler.dense.bias", "pooler.dense.weight"]  # the saved model had none
    assert one.about["weights"] == weights(one.model)
    assert same_weights(one.model, source(f"hf:{folder}").model)  # drawn under the seed


def test_texts_are_padded_on_the_right_and_cut_at_the_longest(bert):
    one = source(f"hf:{bert[0]}")
    made = one.prepare(["a dog", "the cat saw a dog"])
    assert made["input_ids"].tolist() == [[9, 10, 0, 0, 0], [12, 13, 11, 9, 10]]
    assert made["attention_mask"].sum(1).tolist() == [2, 5]
    assert set(made) == {"input_ids", "token_type_ids", "attention_mask"}
    assert one.prepare(["dog " * 50])["input_ids"].shape == (1, 8)
    # What a text is beside does not show.
    alone = seen(one, ["mean(encoder.layer.2)"], one.prepare(["a dog"]))["mean(encoder.layer.2)"]
    beside = seen(one, ["mean(encoder.layer.2)"], made)["mean(encoder.layer.2)"]
    np.testing.assert_allclose(alone[0], beside[0], atol=1e-6)


def test_an_untrained_control_reads_no_weights(bert, tmp_path):
    folder, saved = bert
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    before = torch.random.get_rng_state()
    first, again, other = (source(f"hf:{tmp_path}", random_weights=True, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same_weights(first.model, again.model)
    assert not same_weights(first.model, other.model)
    assert not same_weights(first.model.encoder, saved.bert.encoder)
    told = {name: first.about[name] for name in ("weights", "pretrained", "seed")}
    assert told == {"weights": "random", "pretrained": False, "seed": 4}
    with pytest.raises(DataError, match=r"cannot be read as a model of transformers \(Error no file named model.safe"):
        source(f"hf:{tmp_path}")


def test_a_decoder_pads_with_its_last_token(transformers, tmp_path):
    config = transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=30, n_positions=9)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path)
    put_tokenizer(transformers, tmp_path, pad=None)
    one = source(f"hf:{tmp_path}")
    made = one.prepare(["a", "a dog"])
    assert made["input_ids"].tolist() == [[9, 2], [9, 10]]
    assert seen(one, ["last(h.*)"])["last(h.1)"].shape == (2, 16)


def test_a_decoder_beside_an_encoder_reads_the_same_text_moved_by_one(transformers, tmp_path):
    config = transformers.T5Config(d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, vocab_size=30)
    config.decoder_start_token_id = 1
    model = transformers.T5ForConditionalGeneration(config).eval()
    model.save_pretrained(tmp_path)
    put_tokenizer(transformers, tmp_path)
    one = source(f"hf:{tmp_path}")
    made = one.prepare(["a dog saw", "the"])
    assert set(made) == {"input_ids", "attention_mask", "decoder_input_ids"}  # those that it takes
    assert made["decoder_input_ids"].tolist() == [[1, 9, 10], [1, 12, 0]]
    found = seen(one, ["mean(encoder.block.*)", "mean(decoder.block.*)"], made)
    assert {value.shape for value in found.values()} == {(2, 16)}
    part = source(f"hf:{tmp_path}#encoder")
    assert set(part.prepare(["a dog"])) == {"input_ids", "attention_mask"}
    np.testing.assert_allclose(
        seen(part, ["mean(block.1)"], part.prepare(["a dog saw", "the"]))["mean(block.1)"],
        found["mean(encoder.block.1)"],
        atol=1e-6,
    )
    with pytest.raises(UnknownName, match=r"unknown part of hf:.* 'encode'; did you mean encoder"):
        source(f"hf:{tmp_path}#encode")


#: What documents say of hidden states: the first, those of blocks but the last, the last, and what comes before it.
STATES = {
    "Bert": ("embeddings", "encoder.layer", "encoder.layer.2", None),
    "ViT": ("embeddings", "layers", "layers.2", None),
    "CLIPVision": ("pre_layrnorm", "encoder.layers", "encoder.layers.2", None),
    "ResNet": ("embedder", "encoder.stages", "encoder.stages.2", None),
    "GPT2": ("drop", "h", "ln_f", "h.2"),
    "Llama": ("embed_tokens", "layers", "norm", "layers.2"),
    "T5Encoder": ("encoder.embed_tokens", "encoder.block", "encoder.final_layer_norm", "encoder.block.2"),
}


@pytest.mark.parametrize("name", STATES)
def test_hidden_states_are_modules(transformers, name):
    sight = {"ViT": SIGHT, "CLIPVision": SIGHT,
             "ResNet": {"embedding_size": 4, "hidden_sizes": [4, 6, 6], "depths": [1, 1, 1]}}  # fmt: skip
    words = {"GPT2": {"n_embd": 16, "n_layer": 3, "n_head": 2},
             "T5Encoder": {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 3, "num_heads": 2}}  # fmt: skip
    tokens = {"vocab_size": 30, "bos_token_id": 1, "eos_token_id": 2}
    asked = sight[name] if name in sight else words.get(name, SMALL) | tokens
    config = getattr(transformers, f"{name.removesuffix('Encoder')}Config")(**asked)
    with drawn(0):
        model = getattr(transformers, f"{name}Model")(config).eval()
    first, blocks, last, before = STATES[name]
    shown = {"pixel_values": noise((3, 16, 16))} if name in sight else {"input_ids": torch.arange(8).reshape(2, 4)}
    with torch.no_grad():
        states = [one.flatten(1).numpy() for one in model(**shown, output_hidden_states=True).hidden_states]
    paths = [first, f"{blocks}.0", f"{blocks}.1", last]
    found = look(model, Probe.of(shown), layers_of(model, [*paths, *([before] if before else [])])).layers
    assert len(states) == len(paths)
    for path, state in zip(paths, states, strict=True):
        np.testing.assert_array_equal(found[path], state)
    if before:  # the last entry is normed
        assert not np.allclose(found[before], states[-1], atol=0.01)
        raw = torch.from_numpy(found[before]).reshape(2, 4, 16)
        normed = model.get_submodule(last)(raw).detach().flatten(1)
        np.testing.assert_allclose(normed, states[-1], atol=1e-6)


def test_an_image_model_and_its_processor(transformers, tmp_path):
    model = transformers.ViTForImageClassification(transformers.ViTConfig(**SIGHT)).eval()
    model.save_pretrained(tmp_path)
    bare = source(f"hf:{tmp_path}")
    assert bare.prepare is None
    assert bare.about["unprepared"].startswith("nothing prepares its images: Can't load image processor")
    assert bare.example.shape == (2, 3, 16, 16)
    assert source(f"hf:{tmp_path}", shape=(3, 8, 8)).example.shape == (2, 3, 8, 8)
    transformers.ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(tmp_path)
    one = source(f"hf:{tmp_path}")
    assert one.kind == "image"
    made = one.prepare(noise_images(3))["pixel_values"]
    # Pixels between −1 and 1, of images that were already as large as they shall be.
    exact = one.prepare(noise_images(1, side=16))["pixel_values"][0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(exact, np.asarray(noise_images(1, side=16)[0]) / 127.5 - 1, atol=1e-6)
    hidden = model.vit(pixel_values=made, output_hidden_states=True).hidden_states[2].detach().numpy()
    np.testing.assert_array_equal(seen(one, ["layers.*"], {"pixel_values": made})["layers.1"], hidden.reshape(3, -1))
    with pytest.raises(SpecificationError, match="comes with what prepares its images; leave --shape"):
        source(f"hf:{tmp_path}", shape=(3, 8, 8))


def test_a_model_of_images_and_texts_is_looked_at_in_parts(transformers, tmp_path):
    tower = SIGHT, SMALL | {"vocab_size": 30, "bos_token_id": 1, "eos_token_id": 2}
    config = transformers.CLIPConfig(vision_config=tower[0], text_config=tower[1], projection_dim=8)
    transformers.CLIPModel(config).save_pretrained(tmp_path)
    put_tokenizer(transformers, tmp_path)
    with pytest.raises(
        SpecificationError, match=r"images and texts at once; look at one .*#text_model or hf:.*#vision"
    ):
        source(f"hf:{tmp_path}")
    assert source(f"hf:{tmp_path}#vision_model").kind == "image"
    text = source(f"hf:{tmp_path}#text_model")
    assert text.kind == "text"
    assert seen(text, ["mean(encoder.layers.*)"])["mean(encoder.layers.2)"].shape == (2, 16)


def test_a_tokenizer_that_was_not_saved_is_missed(bert, tmp_path):
    """transformers makes one that knows no words, without a warning."""
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((bert[0] / name).read_bytes())
    one = source(f"hf:{tmp_path}")
    assert one.prepare is None
    assert one.about["unprepared"] == "nothing prepares its texts: its tokenizer was not saved with it"
    assert one.example["input_ids"].shape == (2, 8)
    assert source(f"hf:{tmp_path}", shape=(5,)).example["input_ids"].shape == (2, 5)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def test_nothing_is_unpickled(bert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "bin"
    folder.mkdir()
    weights = load_file(bert[0] / "model.safetensors")
    (folder / "config.json").write_bytes((bert[0] / "config.json").read_bytes())
    torch.save(weights, folder / "pytorch_model.bin")  # plain weights of an older kind are read
    assert same_weights(source(f"hf:{folder}").model.encoder, bert[1].bert.encoder)
    torch.save(weights | {"evil": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="its weights hold more than tensors, and nothing is unpickled: save"):
        source(f"hf:{folder}")
    assert not (tmp_path / "unpickled").exists()


def test_code_that_comes_with_a_model_is_not_run(bert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = json.loads((bert[0] / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Mine", "AutoModel": "mine.Mine"}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "mine.py").write_text("import os\nos.mkdir('ran')\nclass Mine: pass\n", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read as a model of transformers"):
        source(f"hf:{tmp_path}")
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_model(bert, tmp_path):
    config = json.loads((bert[0] / "config.json").read_text(encoding="utf-8")) | {"hidden_size": 8}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes((bert[0] / "model.safetensors").read_bytes())
    with pytest.raises(DataError, match=r"cannot be read as a model of transformers|of other shapes than"):
        source(f"hf:{tmp_path}")
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(DataError, match="cannot be read as a model of transformers"):
        source(f"hf:{tmp_path}")


def test_a_hub_that_cannot_be_reached(transformers, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"^hf:no-one/nothing is no folder here, and the hub gave nothing \(") as raised:
        source("hf:no-one/nothing")
    assert "\n" not in str(raised.value)


def test_without_transformers(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(SpecificationError, match="hf:x needs the library transformers, which cannot be imported"):
        source("hf:x")


# timm and torchvision


@pytest.fixture(scope="module")
def vit(timm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vit")
    with drawn(1):
        model = timm.create_model("test_vit", num_classes=3, img_size=32).eval()
    timm.models.save_for_hf(model, folder, safe_serialization=True)
    return folder, model


def test_a_network_of_timm_from_a_folder(vit):
    folder, saved = vit
    one = source(f"timm:{folder}")
    assert same_weights(one.model, saved)
    assert one.about["weights"] == weights(saved)
    assert (one.kind, one.example.shape) == ("image", (2, 3, 32, 32))
    features = saved.forward_intermediates(one.example, indices=[2], intermediates_only=True, norm=False)[0]
    maps = seen(one, ["blocks.*"])["blocks.2"].reshape(2, 5, 64)[:, 1:]
    np.testing.assert_allclose(maps.transpose(0, 2, 1), features.detach().flatten(2).numpy(), atol=1e-6)
    control = source(f"timm:{folder}", random_weights=True, seed=2)
    assert not same_weights(control.model, saved)
    assert same_weights(control.model, source(f"timm:{folder}", random_weights=True, seed=2).model)
    assert not same_weights(control.model, source(f"timm:{folder}", random_weights=True, seed=3).model)
    assert (control.about["pretrained"], control.about["weights"], control.about["seed"]) == (False, "random", 2)


def test_a_folder_of_timm_that_is_damaged(vit, tmp_path):
    config = (vit[0] / "config.json").read_bytes()
    (tmp_path / "config.json").write_bytes(config)
    with pytest.raises(DataError, match=r"has no model\.safetensors; save it with timm\.models\.save_for_hf"):
        source(f"timm:{tmp_path}")
    save_file({"odd": torch.ones(1)}, tmp_path / "model.safetensors")
    with pytest.raises(DataError, match=r"does not hold the weights of .*Missing key"):
        source(f"timm:{tmp_path}")
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="describes no network of timm"):
        source(f"timm:{tmp_path}")


def test_published_weights_of_timm_are_found_in_a_folder(timm, tmp_path, monkeypatch):
    with drawn(3):
        published = timm.create_model("test_resnet.r160_in1k")
    monkeypatch.setenv("SYZYGY_DATA", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"no weights of test_resnet\.r160_in1k; looked for .*; put test_resnet"):
        source("timm:test_resnet.r160_in1k")
    save_file(published.state_dict(), tmp_path / "test_resnet.r160_in1k.safetensors")
    one = source("timm:test_resnet.r160_in1k")
    assert same_weights(one.model, published)
    assert list(seen(one, ["layer?"])) == ["layer1", "layer2", "layer3", "layer4"]
    assert source("timm:test_resnet", random_weights=True, shape=(3, 32, 32)).example.shape == (2, 3, 32, 32)
    with pytest.raises(
        SpecificationError, match=r"is shown images \(channel, height, width\), as in 3,64,64; got \(3,\)"
    ):
        source("timm:test_resnet", random_weights=True, shape=(3,))
    with pytest.raises(UnknownName, match="unknown timm network 'test_resnat'; did you mean test_resnet"):
        source("timm:test_resnat")


def test_a_classifier_of_torchvision(torchvision, monkeypatch):
    control = source("torchvision:resnet18", random_weights=True, seed=1, shape=(3, 32, 32))
    assert (control.kind, control.example.shape) == ("image", (2, 3, 32, 32))
    fetched = torchvision.models.resnet18().state_dict()
    asked = []
    monkeypatch.setattr(
        torchvision.models.ResNet18_Weights, "get_state_dict", lambda self, **how: asked.append((self, how)) or fetched
    )
    one = source("torchvision:resnet18.IMAGENET1K_V1", shape=(3, 32, 32))
    assert one.about["published"] == "ResNet18_Weights.IMAGENET1K_V1"
    assert asked[0][1]["weights_only"] is asked[0][1]["check_hash"] is True
    assert all(torch.equal(value, fetched[name]) for name, value in one.model.state_dict().items())
    assert seen(one, ["mean(layer4)"])["mean(layer4)"].shape == (2, 512)
    assert not same_weights(one.model, control.model)
    with pytest.raises(SpecificationError, match=r"is shown squares of 3 channels, as in 3,64,64; got \(3, 32, 16\)"):
        source("torchvision:resnet18", random_weights=True, shape=(3, 32, 16))
    with pytest.raises(SpecificationError, match="is shown squares of 3 channels"):
        source("torchvision:resnet18", random_weights=True, shape=(1, 32, 32))


def test_what_torchvision_lacks(torchvision, monkeypatch):
    with pytest.raises(UnknownName, match="unknown torchvision classifier 'resnet81'; did you mean resnet18"):
        source("torchvision:resnet81")
    with pytest.raises(UnknownName, match=r"unknown weights of torchvision's resnet18 'V9'; known: IMAGENET1K_V1"):
        source("torchvision:resnet18.V9")

    def unreachable(*_, **__):
        raise OSError("no route\nto anywhere")

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", unreachable)
    with pytest.raises(DataError, match=r"no weights of torchvision:resnet18: https://.* gave none \(no route\)"):
        source("torchvision:resnet18")
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(SpecificationError, match="torchvision:resnet18 needs torchvision, which cannot be imported"):
        source("torchvision:resnet18")


def test_images_of_any_kind_are_stacked():
    assert torch.equal(noise((3, 4)), noise((3, 4)))
    prepare = Pictures(lambda image: torch.tensor(np.array(image), dtype=torch.float32))
    grey = [image.convert("L") for image in noise_images(3, side=8)]
    assert prepare(grey).shape == (3, 8, 8, 3)
    assert Pictures(prepare.transform, channels=1)(noise_images(2, side=8)).shape == (2, 8, 8)
    with pytest.raises(ShapeError, match="more than one shape"):
        prepare([*grey, *noise_images(1, side=9)])


# TorchScript


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix, self.last = nn.Linear(4, 4), nn.Tanh()

    def mixed(self, x):
        return self.mix(x)

    def forward(self, x):
        mixed = self.mixed(x)
        return self.last(mixed), mixed.relu_()  # what a layer gave may be written into later


class Tower(nn.Module):
    """Blocks of one class, one of them called twice, one never; calls in branches, loops and methods."""

    def __init__(self):
        super().__init__()
        self.first, self.unused = nn.Sequential(nn.Linear(3, 4), nn.ReLU()), Block()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.register_buffer("shift", torch.ones(4))

    def again(self, x):
        return self.blocks[0](x)[0]

    def forward(self, x):
        x = self.first(x) + self.shift
        x = x + self.blocks[1].mixed(x)  # the block itself does not fire
        for block in self.blocks:
            x, _ = block(x)
        return {"x": self.again(x) if x.shape[0] > 1 else self.unused(x)[0]}


@pytest.fixture
def archive(tmp_path):
    """An archive, and the network that it was made of."""
    with drawn(0), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tower = Tower().eval()
        torch.jit.save(torch.jit.script(tower), tmp_path / "net.pt")
    return tmp_path / "net.pt", tower


def test_what_modules_give_inside_of_an_archive(archive):
    path, tower = archive
    said = []
    for asked in (str(path), f"torchscript:{path}"):
        one = source(asked, allow_code=said.append, shape=(3,))
        assert (one.name, one.kind, one.prepare) == (f"torchscript:{path}", "array", None)
    assert said == [f"runs the program in {path}"] * 2
    assert (one.about["class"], one.model.training) == ("TorchScript of Tower", False)
    fired = [row for row in layers(one) if row.calls]
    ours = [row for row in layers(replace(one, model=tower)) if row.calls]
    assert [replace(row, type="") for row in fired] == [replace(row, type="") for row in ours]
    assert {row.path: row.type for row in fired}["blocks.1.mix"] == "Linear"
    assert {row.path: row.calls for row in fired}["blocks.0"] == 2
    for _ in range(3):  # a program changes as it is run, to run faster
        found = seen(one, [row.path for row in fired])
        expected = seen(replace(one, model=tower), [row.path for row in fired])
        assert found.keys() == expected.keys()
        for layer, value in expected.items():
            np.testing.assert_array_equal(found[layer], value)
    with pytest.raises(DataError, match=r"layer 'unused' was called never"):
        seen(one, ["unused"])
    with pytest.raises(ShapeError, match=r"^mean\(first\) needs [^\n]*$"):  # not what PyTorch would make of it
        seen(one, ["mean(first)"])


def test_the_weights_of_an_archive_are_its_own(archive):
    path, tower = archive
    one = source(str(path), allow_code=lambda _: None, shape=(3,))
    assert same_weights(one.model, tower)
    assert one.about["weights"] == weights(tower)
    with torch.no_grad():
        before = one.model(one.example)["x"]
        torch.testing.assert_close(one.model.double()(one.example.double())["x"], before.double())
        one.model.load_state_dict({name: value * 0 for name, value in one.model.state_dict().items()})
        assert not one.model(one.example.double())["x"].any()


def test_an_archive_over_checkpoints(archive, tmp_path):
    path, tower = archive
    zeros = {name: value * 0 for name, value in tower.state_dict().items()}
    save_file(tower.state_dict(), tmp_path / "step1.safetensors")
    save_file(zeros, tmp_path / "step2.safetensors")
    x, watched = torch.randn(6, 3), ["first.0", "blocks.1.mix#2", "blocks.0#1"]
    options = {"layers": watched, "checkpoints": [tmp_path / f"step{step}.safetensors" for step in (1, 2)], "batch": 4}
    found = extract(source(str(path), allow_code=lambda _: None), x, **options)
    expected = extract(tower, x, **options)
    assert found.layers == expected.layers == ("first.0", "blocks.1.mix#2", "blocks.0#1")
    for layer in found.layers:
        np.testing.assert_array_equal(found.representation(layer), expected.representation(layer))
    assert found.representation("first.0")[0, 0].any()
    assert not found.representation("first.0")[0, 1].any()


def test_an_archive_that_was_traced_and_one_without_modules(tmp_path):
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(net, torch.ones(2, 3))
        torch.jit.save(traced, tmp_path / "traced.ts")
        torch.jit.save(torch.jit.freeze(traced), tmp_path / "frozen.ts")
    for name, paths in (("traced.ts", ["0", "1", "output"]), ("frozen.ts", ["output"])):
        one = source(str(tmp_path / name), allow_code=lambda _: None, shape=(3,))
        assert [row.path for row in layers(one) if row.calls] == paths
        np.testing.assert_allclose(seen(one, ["output"])["output"], net(one.example).detach().numpy(), rtol=1e-6)


def test_a_program_that_is_a_part_of_a_network_is_not_looked_into():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        part = torch.jit.script(nn.Sequential(nn.Linear(3, 4), nn.Tanh()))
    network = nn.Sequential(part, nn.Linear(4, 2), nn.Identity())
    one = Source("mixed", network, None, "array", torch.ones(2, 3))
    closed = "TorchScript: cannot be watched"
    assert [(row.path, row.type, row.note) for row in layers(one)] == [
        ("0", "Sequential", closed), ("0.0", "Linear", closed), ("0.1", "Tanh", closed),
        ("1", "Linear", ""), ("2", "Identity", ""), ("output", "Sequential", ""),
    ]  # fmt: skip
    asked = extraction_of(one, shown(torch.ones(3, 3)), layers=["1"])
    assert plan(asked).layers == {"1": (2,)}


def test_what_is_no_archive(archive, tmp_path):
    path, net = archive
    torch.save(net.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(DataError, match=r"weights\.pt is no TorchScript archive; weights alone hold no network"):
        source(f"{tmp_path}/weights.pt", allow_code=print)
    with pytest.raises(DataError, match=r"none\.pt is not there"):
        source(f"torchscript:{tmp_path}/none.pt", allow_code=print)
    with pytest.raises(SpecificationError, match=r"this runs the program in .*; allow it"):
        source(str(path))
    with pytest.raises(SpecificationError, match="has no random control"):
        source(str(path), random_weights=True, allow_code=print)
    with pytest.raises(SpecificationError, match=r"nothing tells what torchscript:.* is called with; say the shape"):
        layers(source(str(path), allow_code=lambda _: None))
    told = []
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(tmp_path / "cut.pt", "w") as cut:
        for name in whole.namelist():
            if not name.endswith("data/0"):
                cut.writestr(name, whole.read(name))
    with pytest.raises(DataError, match="cannot be read as TorchScript"):
        source(f"{tmp_path}/cut.pt", allow_code=told.append)


def test_an_archive_unpickles_nothing(archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = io.BytesIO()
    torch.save(Evil(), plain)
    with zipfile.ZipFile(plain) as written:
        evil = next(written.read(name) for name in written.namelist() if name.endswith("data.pkl"))
    for target in ("data.pkl", "constants.pkl"):
        with zipfile.ZipFile(archive[0]) as whole, zipfile.ZipFile(tmp_path / "evil.pt", "w") as changed:
            for name in whole.namelist():
                changed.writestr(name, evil if name.endswith("/" + target) else whole.read(name))
        with pytest.raises(DataError, match="cannot be read as TorchScript"):
            source("evil.pt", allow_code=lambda _: None)
        assert not (tmp_path / "unpickled").exists()


# Factories

CODE = """
import torch
from torch import nn
from beside import WIDTH

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, WIDTH), nn.Linear(WIDTH, 2)
    def forward(self, x):
        return self.second(self.first(x).tanh())

def plain(): print("made"); return Net().train()
def seeded(seed, pretrained=True):
    net = Net()
    if pretrained: nn.init.zeros_(net.first.weight)
    net.given = seed
    return net
def wrapped(): return nn.DataParallel(Net())
def compiled():
    return torch.compile(nn.Sequential(torch.compile(Net())))
def prepared(): return Net(), lambda images: torch.stack([torch.ones(4) * image.width for image in images])
def reads(): return Net(), lambda texts: torch.tensor([[float(len(text))] * 4 for text in texts]), "text"
def broken(): return Net(), lambda images: images.nothing
def probed(): net = Net(); net.example_input_array = torch.zeros(3, 4); return net
def wants(width, *, depth): return Net()
def raises():
    raise ValueError("too small\\nreally")
def leaves(): raise SystemExit(3)
def number(): return 3
def pair(): return Net(), 3
def odd(): return Net(), None, "sound"
def scripted(): return torch.jit.script(Net())
there = Net()
"""


@pytest.fixture
def code(tmp_path):
    (tmp_path / "beside.py").write_text("WIDTH = 8\n", encoding="utf-8")
    (tmp_path / "model.py").write_text(CODE, encoding="utf-8")
    yield tmp_path / "model.py"
    sys.modules.pop("beside", None)


def made(code, name, **options):
    return source(f"{code}:{name}", allow_code=lambda _: None, **options)


def test_a_factory_of_a_file(code, capsys):
    said, path = [], list(sys.path)
    one = source(f"{code}:plain", allow_code=said.append, shape=(4,))
    assert said == [f"runs the code of {code}"]
    assert capsys.readouterr() == ("", "made\n")  # what code prints is no answer
    assert sys.path == path
    assert (one.name, one.kind, one.prepare, one.model.training) == (f"{code}:plain", "array", None, False)
    assert [row.path for row in layers(one)] == ["first", "second", "output"]
    assert one.about["pretrained"] is None
    assert one.about["weights"] == weights(one.model)
    assert same_weights(one.model, made(code, "plain").model)  # the global generator is seeded
    assert not same_weights(one.model, made(code, "plain", seed=1).model)
    assert made(code, "Net").about["class"] == "Net"


def test_a_factory_is_told_the_seed_and_whether_to_train(code):
    trained, control = made(code, "seeded", seed=7), made(code, "seeded", seed=7, random_weights=True)
    assert (trained.model.given, control.model.given) == (7, 7)
    assert not trained.model.first.weight.any()
    assert control.model.first.weight.all()
    assert (control.about["weights"], control.about["seed"], control.about["pretrained"]) == ("random", 7, False)
    with pytest.raises(SpecificationError, match=r"model\.py:plain has no argument pretrained"):
        made(code, "plain", random_weights=True)


def test_what_a_model_is_wrapped_in_does_not_show(code):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = made(code, "scripted", shape=(4,))
    assert [row.path for row in layers(scripted) if row.calls] == ["first", "second", "output"]
    wrapped = made(code, "wrapped", shape=(4,))
    assert [row.path for row in layers(wrapped)] == ["first", "second", "output"]
    assert list(wrapped.model.state_dict()) == ["first.weight", "first.bias", "second.weight", "second.bias"]


@pytest.mark.slow  # the compiler takes long to import
def test_what_is_compiled_does_not_show(code):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch, as it starts to compile
        compiled = made(code, "compiled", shape=(4,))
        assert [row.path for row in layers(compiled) if row.calls] == ["0", "0.first", "0.second", "output"]


def test_a_factory_may_prepare(code):
    one = made(code, "prepared")
    assert (one.kind, one.prepare(noise_images(1, side=9)).tolist()) == ("image", [[9.0] * 4])
    assert one.example.shape == (2, 4)
    text = made(code, "reads")
    assert (text.kind, text.prepare(["four"]).tolist()) == ("text", [[4.0] * 4])
    assert made(code, "probed").example.shape == (3, 4)
    with pytest.raises(DataError, match=r"model\.py:broken gave to prepare images raised AttributeError: 'list'"):
        made(code, "broken")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("plaim", r"unknown factory of .*model\.py 'plaim'; did you mean plain"),
        ("wants", r"model\.py:wants wants arguments \(width, depth\); give them defaults"),
        ("raises", r"the code of .*model\.py raised ValueError: too small, line 28$"),
        ("leaves", r"raised SystemExit: 3, line 29$"),
        ("number", r"model\.py:number gave int; a factory gives a torch module, \(module, prepare\) or"),
        ("pair", r"model\.py:pair gave \(Net, int\); a factory gives"),
        ("odd", r"model\.py:odd gave \(Net, NoneType, 'sound'\); a factory gives"),
        ("there", r"model\.py:there is Net, not a function or class"),
    ],
)
def test_what_is_no_factory(code, name, says):
    with pytest.raises((SpecificationError, DataError), match=says) as raised:
        made(code, name)
    assert "\n" not in str(raised.value)


def test_code_runs_only_if_it_is_asked_for(code, tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import os\nos.mkdir('ran')\ndef f(:\n", encoding="utf-8")
    (tmp_path / "top.py").write_text("raise KeyError('top')\n", encoding="utf-8")
    for asked, says in [
        (f"{code}:plain", "this runs the code of .*model.py; allow it by allow_code=print"),
        (f"{code}", r"name what makes the model in it, as .*model\.py:factory: Net, plain, seeded, wrapped"),
        (f"{tmp_path}/none.py:f", r"none\.py is not there; a factory is file\.py:name"),
    ]:
        with pytest.raises((SpecificationError, DataError), match=says):
            source(asked)
    said = []
    with pytest.raises(DataError, match=r"wrong\.py is no Python \(invalid syntax"):
        source(f"{wrong}:f", allow_code=said.append)
    assert said == []
    with pytest.raises(DataError, match=r"the code of .*top\.py raised KeyError: 'top', line 1"):
        source(f"{tmp_path}/top.py:f", allow_code=said.append)
    assert said == [f"runs the code of {tmp_path / 'top.py'}"]


def test_other_strings(code, tmp_path):
    (tmp_path / "config.json").touch()
    save_file({"x": torch.ones(1)}, tmp_path / "w.safetensors")
    for asked, says in [
        ("bert", "a source is one of hf:path/or/name, timm:NAME.*; got 'bert'"),
        ("hf:", "a source is one of"),
        ("onnx:x", "a source is one of"),
        (str(tmp_path), "is a folder; say who shall read it: hf:.* or timm:"),
    ]:
        with pytest.raises(SpecificationError, match=says):
            source(asked)
    with pytest.raises(DataError, match=r"w\.safetensors holds no network; name what makes it"):
        source(f"{tmp_path}/w.safetensors")
    with pytest.raises(
        DataError, match=r"model\.py:Net cannot be called with \(2, 5\) \(RuntimeError: mat1 .* say the sh"
    ):
        layers(made(code, "Net", shape=(5,)))
    for shape in ((), (3, 0)):
        with pytest.raises(SpecificationError, match="shape is that of one item"):
            source("timm:test_vit", shape=shape)


def test_weights_are_known_by_their_hash():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    assert weights(first) != weights(second)
    second.load_state_dict(first.state_dict())
    assert weights(first) == weights(second) != weights(second.half())
    assert weights(nn.Sequential(first)) != weights(first)  # other names
    assert torch.equal(noise((3,)), noise((3,)))


# A network that was trained in earnest


@pytest.fixture(scope="module")
def voices():
    """Vowel-like sounds and noises, ``(item, sample)`` each: harmonics of a voice below two formants; white noise."""
    rng, time = np.random.default_rng(0), np.arange(576) / 16000

    def vowel():
        pitch = rng.uniform(90, 250)
        tones = pitch * np.arange(1, 4000 // pitch)[:, None]
        formants = ((rng.uniform(300, 800), 80), (rng.uniform(900, 2200), 120), (2700, 180))
        loud = sum(1 / (1 + ((tones - centre) / width) ** 2) for centre, width in formants) / np.sqrt(tones)
        sound = (loud * np.sin(2 * np.pi * tones * time + rng.uniform(0, 6, tones.shape))).sum(0)
        return 0.3 * sound / np.abs(sound).max()

    sounds = [*(vowel() for _ in range(60)), *rng.normal(size=(60, 576)) * 0.1]
    return torch.tensor(np.array(sounds), dtype=torch.float32)


@pytest.fixture(scope="module")
def detectors():
    if silero.carried("silero_vad.jit") is None:
        pytest.skip("silero-vad is not installed")
    said = lambda _: None  # noqa: E731
    asked = f"{silero.__file__}:make"
    archive = source(f"torchscript:{silero.carried('silero_vad.jit')}", allow_code=said)
    trained = source(asked, allow_code=said)
    return trained, source(asked, allow_code=said, random_weights=True), archive


def theirs(archive):
    """The weights of the archive's network for 16 kHz, as ours names them."""
    names = {"stft.forward_basis_buffer": "stft_conv.weight"}
    names |= {f"encoder.{n}.reparam_conv.{w}": f"conv{n + 1}.{w}" for n in range(4) for w in ("weight", "bias")}
    names |= {f"decoder.rnn.{w}": f"lstm_cell.{w}" for w in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    names |= {f"decoder.decoder.2.{w}": f"final_conv.{w}" for w in ("weight", "bias")}
    held = archive.model.state_dict()
    return {ours: held[f"_model.{name}"] for name, ours in names.items()}


def test_the_architecture_is_that_of_the_archive(detectors, voices):
    trained, _, archive = detectors
    ours = silero.Detector().eval()
    ours.load_state_dict(theirs(archive))
    heard = voices[:, :512]  # the archive puts silence before what it hears first
    whole = torch.cat([torch.zeros(120, 64), heard], 1)
    same = {"conv4": "_model.encoder.3", "lstm_cell": "_model.decoder.rnn", "output": "output"}
    inside = seen(replace(archive, example=(heard, 16000)), list(same.values()))
    expected = look(ours, Probe.of(whole), layers_of(ours, ["conv4", "lstm_cell", "output"])).layers
    for layer, value in expected.items():
        given = value.clip(0) if layer == "conv4" else value
        np.testing.assert_allclose(inside[same[layer]], given, rtol=1e-4, atol=1e-5)
    assert trained.about["weights"] == weights(trained.model)
    with pytest.raises(DataError, match=r"^the scripted network takes x, sr; the probe has x$"):
        layers(source(archive.name, allow_code=lambda _: None, shape=(512,)))  # it also wants a rate
    listed = layers(replace(archive, example=(heard, 16000)))
    called = [row.path for row in listed if row.calls and row.path.startswith("_model.encoder")]
    assert [path for path in called if path.count(".") == 2] == [f"_model.encoder.{number}" for number in range(4)]
    assert all(row.note == "never called" for row in listed if row.path.startswith("_model_8k"))  # in the other branch


def test_a_pretrained_network_is_unlike_its_untrained_control(detectors, voices):
    trained, control, archive = detectors
    other = silero.make(pretrained=False).eval()
    other.load_state_dict(theirs(archive))  # another training of the same architecture
    watched = ["conv4", "lstm_cell"]
    voiced = torch.arange(120) < 60
    layer = {}
    for name, model in (("trained", trained.model), ("control", control.model), ("other", other)):
        found = look(model, Probe.of(voices), layers_of(model, watched))
        layer[name] = found.layers
        gap = found.outputs[voiced].mean() - found.outputs[~voiced].mean()
        assert (gap > 0.4) if name != "control" else (abs(gap) < 0.05), name
    for name in ("conv4", "lstm_cell"):
        alike = cka(layer["trained"][name], layer["other"][name], estimator="debiased")
        assert alike > cka(layer["trained"][name], layer["control"][name], estimator="debiased") + 0.1
