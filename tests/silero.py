"""A pretrained network that a package carries: the voice detector of silero-vad (MIT licence), as a factory."""

from importlib.metadata import PackageNotFoundError, files

import torch
from safetensors.torch import load_file
from torch import nn


def carried(name):
    """A file of the package; None where it is not installed.  Nothing of it is imported."""
    try:
        return next(file.locate() for file in files("silero-vad") if file.name == name)
    except PackageNotFoundError:
        return None


class Detector(nn.Module):
    """Sound ``(item, sample)``, 576 samples of 16 kHz, to how likely each is a voice, ``(item, 1)``."""

    def __init__(self):
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 258, 256, stride=128, bias=False)
        sizes = ((129, 128, 1), (128, 64, 2), (64, 64, 2), (64, 128, 1))
        for number, (inputs, outputs, stride) in enumerate(sizes, 1):
            setattr(self, f"conv{number}", nn.Conv1d(inputs, outputs, 3, stride, padding=1))
        self.lstm_cell = nn.LSTMCell(128, 128)
        self.final_conv = nn.Conv1d(128, 1, 1)

    def forward(self, sound):
        waves = self.stft_conv(nn.functional.pad(sound.unsqueeze(1), (0, 64), "reflect"))
        maps = (waves[:, :129] ** 2 + waves[:, 129:] ** 2).sqrt()
        for number in (1, 2, 3, 4):
            maps = getattr(self, f"conv{number}")(maps).relu()
        hidden, _ = self.lstm_cell(maps.squeeze(-1))
        return self.final_conv(hidden.unsqueeze(-1).relu()).sigmoid().mean((1, 2), keepdim=True).squeeze(-1)


def make(pretrained=True):
    detector = Detector()
    detector.example_input_array = torch.zeros(2, 576)
    if pretrained:
        detector.load_state_dict(load_file(carried("silero_vad_16k.safetensors")))
    return detector
