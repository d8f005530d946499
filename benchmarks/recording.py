"""Time what recording adds to the forward pass that it needs, and whether memory grows with the steps.

A ResNet-18 written in plain PyTorch sees 64 images of 224² pixels; its 8 blocks are recorded, pooled or whole.  The
forward pass alone is what any recording must do: in evaluation mode, without gradients.  All are timed in turn, several
times, and medians are compared.  Whole blocks of 64 images are 193 MB a step, which disks take their time to write.

Memory is what the process holds after 10 and after 200 recorded steps of a small network, into a folder.

Run: ``python benchmarks/recording.py [--images N] [--side N] [--repeats N] [--threads N] [--device cuda]``.
"""

import argparse
import itertools
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from syzygy.recorder.recorder import Recorder
from syzygy.recording import Probe, every, layers_of, look

LAYERS = {"mean": ["mean(blocks.*)"], "whole": ["blocks.*"]}


class Block(nn.Module):
    """Two convolutions, and a path around them."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm1, self.norm2, self.act = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        self.around = nn.Sequential()
        if stride > 1:
            self.around = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Give maps ``(item, channel, height, width)``."""
        inside = self.norm2(self.conv2(self.act(self.norm1(self.conv1(x)))))
        return self.act(inside + self.around(x))


class ResNet18(nn.Module):
    """Eight blocks between a stem and a readout."""

    def __init__(self) -> None:
        super().__init__()
        widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        )
        self.blocks = nn.Sequential(*(Block(a, b, 1 + (a < b)) for a, b in itertools.pairwise(widths)))
        self.readout = nn.Linear(512, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """Give ``(item, class)``."""
        return self.readout(self.blocks(self.stem(x)).mean((2, 3)))


def seconds(call: Callable[[], object], device: str) -> float:
    begun = time.perf_counter()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def resident() -> float:
    """Megabytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def against_forward(pooling: str, images: Tensor, repeats: int, device: str, folder: Path) -> None:
    """Time a look, and recorders into memory and into a folder, against a forward pass."""
    network, probe = ResNet18().to(device), Probe.of(images)
    layers, step = layers_of(network, LAYERS[pooling]), iter(range(10**6))
    places = {"memory": None, "folder": folder / pooling}
    recorders = {
        name: Recorder(network, layers=LAYERS[pooling], probe=images, at=every(1), store=store)
        for name, store in places.items()
    }

    def forward() -> Tensor:
        with torch.no_grad():
            return network.eval()(images).cpu()

    calls: dict[str, Callable[[], object]] = {"forward": forward, "look": lambda: look(network, probe, layers)}
    calls |= {name: lambda one=one: one(next(step)) for name, one in recorders.items()}
    forward(), network.train()
    took: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            took[name].append(seconds(call, device))
            network.train()
    alone = statistics.median(took["forward"])
    spread = (max(took["forward"]) - min(took["forward"])) / alone
    print(f"{pooling}: forward {alone:.3f} s (from run to run {spread:.1%})")
    for name in list(calls)[1:]:
        added = statistics.median(a / b for a, b in zip(took[name], took["forward"], strict=True)) - 1
        print(f"    {name:<7} {statistics.median(took[name]):.3f} s: {added:+.1%}")
    for one in recorders.values():
        one.close()


def growth(folder: Path) -> None:
    """Say what the process holds after 10 and 200 steps."""
    network = nn.Sequential(nn.Linear(100, 500), nn.Tanh(), nn.Linear(500, 10))
    held = {}
    with Recorder(network, layers=["1"], probe=torch.randn(200, 100), at=every(1), store=folder / "small") as recorder:
        for step in range(201):
            recorder(step)
            if step in (10, 100, 200):
                held[step] = resident()
    steps = ", ".join(f"{amount:.0f} MB at step {step}" for step, amount in held.items())
    print(f"memory, a folder and 0.4 MB a step: {steps}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    images = torch.randn(asked.images, 3, asked.side, asked.side).to(asked.device)
    print(f"{platform.machine()}, {asked.device}: ResNet-18, {asked.images} images of {asked.side}², 8 layers")
    with tempfile.TemporaryDirectory() as folder:
        growth(Path(folder))
        for pooling in LAYERS:
            against_forward(pooling, images, asked.repeats, asked.device, Path(folder))


if __name__ == "__main__":
    main()
