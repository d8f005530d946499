"""Our measures, and those of others that are installed: ``pip install syzygy[oracle]``, ``pytest -m oracle``.

What is compared with what, and why somebody's number is another one, stands in ``benchmarks/agreement.py``.
"""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from syzygy.chance import drawn, largest, over_groups
from syzygy.measures import MinibatchCKA, cka, mutual_knn

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
agreement = import_module("agreement")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]  # theirs, of which there are many


def named(peer):
    return f"{peer.ours}-{peer.package}-{peer.call}{'' if peer.shared else '-noise'}".replace(" ", "")


@pytest.mark.parametrize("peer", agreement.PEERS, ids=named)
def test_a_peer_agrees_or_differs_as_we_say(peer):
    pytest.importorskip(peer.module)
    said, numbers = agreement.verdict(peer)
    assert said == ("differs" if peer.differs else "agrees"), numbers


def test_debiased_cka_of_noise_is_zero_here_and_not_there():
    shesha, scores = pytest.importorskip("shesha.sim"), []
    for seed in range(20):
        x, y = np.random.default_rng(seed).normal(size=(2, 50, 100))
        scores.append((cka(x, y), shesha.cka_debiased(x, y), cka(x, y, estimator="biased")))
    ours, theirs, biased = np.mean(scores, axis=0)
    assert abs(ours) < 0.03
    assert 0.6 < theirs < biased < 0.7


def test_minibatches_of_one_size_are_added_up_alike():
    peer = pytest.importorskip("ckatorch.core")
    x, y = agreement.pair(0)
    total = MinibatchCKA()
    for start in range(0, len(x), 20):
        total.update({"x": x[start : start + 20], "y": y[start : start + 20]})
    theirs = peer.cka_batch(*(torch.from_numpy(one.reshape(5, 20, -1)) for one in (x, y)))
    assert float(total.scores()[0, 1]) == pytest.approx(theirs.item(), abs=1e-10)


def orders(draws, items):
    """The same shuffles for both, and what hands them out one by one."""
    drawn_orders = [torch.from_numpy(np.random.default_rng(seed).permutation(items)) for seed in range(draws)]
    handed = iter(drawn_orders)
    return drawn_orders, lambda *_: next(handed)


def test_the_p_value_of_shuffles_is_that_of_calibrated_similarity():
    peer = pytest.importorskip("calibrated_similarity")
    x, y = agreement.pair(3, shared=False)
    y = y + 0.3 * x[:, : y.shape[1]]
    chosen, handed = orders(99, len(x))
    null = np.array([[cka(x, y[order.numpy()])] for order in chosen])
    _, ours = drawn(np.array([cka(x, y)]), null, by_rank=True)
    _, theirs, _ = peer.calibrate(
        torch.from_numpy(x), torch.from_numpy(y), lambda a, b: cka(a.numpy(), b.numpy()), K=99, perm_fn=handed
    )
    assert ours[0] == pytest.approx(theirs.item(), abs=1e-6)  # theirs is of single precision


def test_the_best_of_many_layers_is_calibrated_as_by_calibrated_similarity():
    peer = pytest.importorskip("calibrated_similarity")
    draw = np.random.default_rng(0)
    one, other = (list(draw.normal(size=(3, 40, 8))) for _ in range(2))
    chosen, handed = orders(99, 40)

    def best(shuffled):
        scores = np.array([[mutual_knn(a, b[shuffled], neighbours=5) for b in other] for a in one])
        return over_groups(scores, [0, 0, 0], [0, 0, 0], (1, 1))

    found = largest(best(np.arange(40)), np.stack([best(order.numpy()) for order in chosen]))
    _, theirs, _ = peer.calibrate_layers(
        [torch.from_numpy(a) for a in one], [torch.from_numpy(b) for b in other],
        lambda a, b: mutual_knn(a.numpy(), b.numpy(), neighbours=5), K=99, perm_fn=handed,
    )  # fmt: skip
    assert found["p"][0, 0] == pytest.approx(theirs.item(), abs=1e-6)
