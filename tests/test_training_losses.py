"""The logistic loss: what it is, and networks that learn by it one by one and as a stack."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import nn

from syzygy.errors import ShapeError, SpecificationError, UnknownName
from syzygy.networks import setting
from syzygy.recording import every
from syzygy.tasks import bits
from syzygy.training import Job, train
from syzygy.training.losses import LOSSES, half_mse, logistic

SMALL = setting({"like": "relu", "name": "small", "width": 8, "depth": 2, "learning_rate": 0.5, "layer": "hidden.1"})
TASK = {"hard": 1, "inputs": 4, "items": 64, "probe": 20}


def test_logistic_loss_is_that_of_scikit_learn():
    draw = np.random.default_rng(0)
    outputs, labels = draw.normal(size=(50, 1)), draw.choice([-1.0, 1.0], size=(50, 1))
    found = float(logistic(torch.tensor(outputs), torch.tensor(labels)))
    assert found == pytest.approx(log_loss(labels[:, 0] > 0, 1 / (1 + np.exp(-outputs[:, 0]))), rel=1e-12)


def test_a_label_that_nobody_tells_has_no_gradient():
    outputs = torch.tensor([[2.0, -3.0]], requires_grad=True)
    logistic(outputs, torch.tensor([[1.0, 0.0]])).backward()
    assert outputs.grad[0, 1] == 0
    assert outputs.grad[0, 0] == pytest.approx(-0.5 / (1 + np.exp(2.0)))


@pytest.mark.parametrize("loss", LOSSES)
def test_outputs_that_do_not_fit(loss):
    with pytest.raises(ShapeError, match=r"outputs \(3, 1\) for targets \(3, 2\)"):
        LOSSES[loss](torch.zeros(3, 1), torch.zeros(3, 2))


def plain(seed, optimiser, rate, steps):
    """The loop, written out."""
    task, network = bits(**TASK), SMALL.build(4, 2, seed)
    x, y = torch.tensor(task.learned_inputs), torch.tensor(task.learned_targets)
    learner = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimiser](network.parameters(), lr=rate)
    for _ in range(steps):
        learner.zero_grad()
        torch.log(1 + torch.exp(-y * network(x))).mean().backward()
        learner.step()
    return network(torch.tensor(task.probe_inputs)).detach().numpy()


@pytest.mark.parametrize(("optimiser", "rate"), [("sgd", 0.5), ("adam", 0.01)])
@pytest.mark.parametrize("stack", [True, False])
def test_networks_learn_by_it_as_in_the_plain_loop(optimiser, rate, stack):
    seen = train(
        bits(**TASK), SMALL, seeds=(0, 3), steps=30, learning_rate=rate, optimiser=optimiser, precision="float64",
        record=every(30), stack=stack, loss="logistic",
    )  # fmt: skip
    for place, seed in enumerate((0, 3)):
        np.testing.assert_allclose(seen.outputs[place, -1], plain(seed, optimiser, rate, 30), rtol=1e-9)
    assert seen.about["loss"] == "logistic"
    told = seen.loss[:, 0]
    assert (told > 0.3).all()


def test_a_job_asks_for_it_and_the_squared_one_is_as_it_always_was():
    job = Job("bits", TASK, SMALL, (0,), every(10))
    other = Job("bits", TASK, SMALL, (0,), every(10), loss="logistic")
    assert "loss" not in job.asked()
    assert other.asked() == job.asked() | {"loss": "logistic"}
    short = SMALL.model_copy(update={"steps": 5})
    seen = {loss: Job("bits", TASK, short, (0,), every(5), loss=loss).run() for loss in LOSSES}
    assert "loss" not in seen["squared"].about
    assert (seen["squared"].outputs[:, -1] != seen["logistic"].outputs[:, -1]).all()
    first = torch.tensor(seen["squared"].outputs[0, 0]), torch.tensor(seen["squared"].targets)
    assert float(half_mse(*first)) != pytest.approx(float(logistic(*first)))


class Three(nn.Module):
    """Three outputs where there are two."""

    def __init__(self, _seed):
        super().__init__()
        self.body = nn.Linear(4, 3)

    def forward(self, x):
        return self.body(x)


def test_what_cannot_be_asked():
    with pytest.raises(UnknownName, match="unknown loss 'hinge'"):
        train(bits(**TASK), SMALL, steps=2, loss="hinge")
    with pytest.raises(SpecificationError, match="rates and kernels are of the squared loss"):
        train(bits(**TASK), SMALL, steps=2, loss="logistic", measure=every(1))
    with pytest.raises(ShapeError, match="the network gives outputs"):
        train(bits(**TASK), Three, layers=["body"], steps=2, learning_rate=0.1, loss="logistic")
