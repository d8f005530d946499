"""Measure how fast networks train, recorded at every step, against a plain PyTorch loop.

Three tables, each measured in one run with one thread unless said otherwise:

1. The ``default`` network (4,761,001 parameters), one at a time: milliseconds a step of a plain, tidy loop, of
   SGD applied parameter by parameter inside the backward pass, and of ours; the bytes that a step must move,
   the machine's copy bandwidth, and the share of it that each reaches.
2. Small to large networks, eight of each: milliseconds a step per network as a stack and one by one; where the
   two cross is ``syzygy.training.plan.STACK_OPERATIONS``.
3. Peak memory of the process over that of the weights, one gradient and the recording.

Run: ``python benchmarks/training.py [--steps N] [--device cuda]``.
"""

import argparse
import platform
import resource
import statistics
import time
from collections.abc import Callable

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

import syzygy
from syzygy.networks import Setting

LEARNING_RATE = 0.005
ROUNDS = 5


def plain(network: nn.Module, inputs: Tensor, targets: Tensor, layer: str, steps: int) -> tuple[list[Tensor], ...]:
    """Train as one would write it down: forward, autograd, ``torch.optim.SGD``; record loss, outputs, one layer."""
    seen: dict[str, Tensor] = {}
    hook = dict(network.named_modules())[layer].register_forward_hook(
        lambda *seen_by: seen.update(h=seen_by[2].detach())
    )
    optimiser = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    losses, outputs, hidden = [], [], []
    for _ in range(steps):
        optimiser.zero_grad()
        output = network(inputs)
        loss = 0.5 * nn.functional.mse_loss(output, targets)
        losses.append(loss.detach())
        outputs.append(output.detach())
        hidden.append(seen["h"])
        loss.backward()
        optimiser.step()
    hook.remove()
    return losses, outputs, hidden


def inside(network: nn.Module, inputs: Tensor, targets: Tensor, layer: str, steps: int) -> tuple[list[Tensor], ...]:
    """Train with SGD applied to each parameter inside the backward pass."""

    def descend(parameter: Tensor) -> None:
        with torch.no_grad():
            parameter.add_(parameter.grad, alpha=-LEARNING_RATE)
        parameter.grad = None

    seen: dict[str, Tensor] = {}
    hooks = [p.register_post_accumulate_grad_hook(descend) for p in network.parameters()]
    hooks.append(
        dict(network.named_modules())[layer].register_forward_hook(lambda *seen_by: seen.update(h=seen_by[2].detach()))
    )
    losses, outputs, hidden = [], [], []
    for _ in range(steps):
        output = network(inputs)
        loss = 0.5 * nn.functional.mse_loss(output, targets)
        losses.append(loss.detach())
        outputs.append(output.detach())
        hidden.append(seen["h"])
        loss.backward()
    for hook in hooks:
        hook.remove()
    return losses, outputs, hidden


def ours(setting: Setting, steps: int, networks: int = 1, *, stack: bool | None = None, device: str = "cpu") -> None:
    """Train with the library."""
    syzygy.train(
        syzygy.two_points(),
        setting,
        seeds=range(networks),
        steps=steps,
        learning_rate=LEARNING_RATE,
        stack=stack,
        device=device,
    )


def milliseconds(run: Callable[[int], object], steps: int) -> float:
    """Time a step: the difference of a long and a short run, so that building a network does not count."""
    short = max(1, steps // 10)
    start = time.perf_counter()
    run(short)
    middle = time.perf_counter()
    run(steps + short)
    end = time.perf_counter()
    return ((end - middle) - (middle - start)) / steps * 1e3


def copy_bandwidth(count: int, device: str) -> float:
    """Bytes read and written per second by a copy of so many float32 numbers."""
    source, target = torch.ones(count, device=device), torch.empty(count, device=device)
    times = []
    for _ in range(30):
        start = time.perf_counter()
        target.copy_(source)
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 2 * 4 * count / statistics.median(times)


def one_large(steps: int, device: str) -> None:
    """Print table 1."""
    setting, task = syzygy.catalogue()["default"], syzygy.two_points()
    count = setting.size(1, 1)

    def built() -> nn.Module:
        return setting.build(1, 1, seed=0).float().to(device)

    inputs, targets = (torch.tensor(a, dtype=torch.float32, device=device) for a in (task.inputs, task.targets))
    ways: dict[str, Callable[[int], object]] = {
        "plain loop": lambda n: plain(built(), inputs, targets, setting.layer, n),
        "SGD inside backward": lambda n: inside(built(), inputs, targets, setting.layer, n),
        "syzygy": lambda n: ours(setting, n, device=device),
    }
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):  # in turn, so that the machine's drift meets all alike
        for name, way in ways.items():
            times[name].append(milliseconds(way, steps))
    moved = 4 * 4 * count  # weights read forward, read backward, read and written by the update
    bandwidth = copy_bandwidth(count, device)
    print(f"default network: {count:,} parameters; a step moves {moved / 1e6:.0f} MB;", end=" ")
    print(f"copying the weights reaches {bandwidth / 1e9:.1f} GB/s: at best {moved / bandwidth * 1e3:.2f} ms a step")
    base = statistics.median(times["plain loop"])
    for name, values in times.items():
        median = statistics.median(values)
        share = moved / (median / 1e3) / bandwidth
        spread = f"{min(values):.2f} … {max(values):.2f}"
        print(f"  {name:<20} {median:6.2f} ms a step ({spread})  {base / median:4.1f}×  {share:4.0%} of the bandwidth")


def crossover(steps: int, device: str) -> None:
    """Print table 2."""
    print("eight networks of 4 layers: milliseconds a step per network")
    print(f"  {'width':>6} {'operations':>11} {'stack':>8} {'one by one':>11}")
    for width in (16, 32, 64, 96, 128, 192, 256, 500):
        changes = {"like": "shallow", "name": "w", "width": width, "depth": 4, "layer": "hidden.2"}
        setting = syzygy.setting(changes)
        times = {True: [], False: []}
        for _ in range(3):
            for stack, values in times.items():
                run = lambda n, stack=stack, setting=setting: ours(setting, n, 8, stack=stack, device=device)  # noqa: E731
                values.append(milliseconds(run, steps) / 8)
        stacked, alone = (statistics.median(times[stack]) for stack in (True, False))
        print(f"  {width:>6} {setting.operations(1, 1):>11,} {stacked:>8.3f} {alone:>11.3f}")


def memory(steps: int) -> None:
    """Print table 3."""
    setting = syzygy.catalogue()["default"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours(setting, steps)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    weights, recording = 4 * setting.size(1, 1), 4 * (steps + 1) * (2 * setting.width + 3)
    print(f"peak memory: {after / 1e3:.0f} MB, {(after - before) / 1e3:.0f} MB more than before a training of {steps}")
    print(
        f"  recorded steps; weights {weights / 1e6:.0f} MB (built in float64: twice that for a moment), recording",
        end=" ",
    )
    print(f"{recording / 1e6:.0f} MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{platform.machine()}, torch {torch.__version__}, device {given.device}, one thread")
    with threadpool_limits(1):
        memory(given.steps)
        one_large(given.steps, given.device)
        crossover(given.steps, given.device)


if __name__ == "__main__":
    main()
