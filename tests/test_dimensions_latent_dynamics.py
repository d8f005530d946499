"""Latents that follow dynamics: identities, closed forms, other implementations, and what is refused."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from syzygy.dimensions.latent_dynamics import (
    AffineMap,
    DynamicsAutoencoder,
    PlainAutoencoder,
    SlicedWassersteinAutoencoder,
    ThreeWells,
    VariationalAutoencoder,
    covariance,
    drift_agreement,
    estimator,
    isotropy_error,
    learning,
)
from syzygy.dimensions.latent_dynamics.autoencoders import INCREMENTS
from syzygy.dimensions.latent_dynamics.clusters import allotted, batches, labels, spread
from syzygy.dimensions.latent_dynamics.dynamics import learn_dynamics
from syzygy.dimensions.latent_dynamics.encoders import coders
from syzygy.dimensions.latent_dynamics.pairs import pairs, trajectories
from syzygy.dimensions.latent_dynamics.prior import Langevin
from syzygy.dimensions.latent_dynamics.score import cell_means, collapsed
from syzygy.dimensions.latent_dynamics.simulated import turned, warped
from syzygy.dimensions.latent_dynamics.sliced_wasserstein import directions, sliced_wasserstein
from syzygy.errors import DataError, Diverged, RunError, ShapeError, SpecificationError, SyzygyError
from syzygy.snapshot import Snapshot

KINDS = (DynamicsAutoencoder, PlainAutoencoder, VariationalAutoencoder, SlicedWassersteinAutoencoder)
SMALL = {"hidden": (6,), "epochs": 3, "batch": 32, "shown": 10}


@pytest.fixture(scope="module")
def walk():
    """A short random walk that is pulled back, in two coordinates."""
    draw = np.random.default_rng(0)
    x = np.zeros((400, 2))
    for frame in range(1, 400):
        x[frame] = 0.9 * x[frame - 1] + draw.normal(size=2)
    return x


def langevin(diffusion="learned", dimension=2, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        prior = Langevin(dimension, (7, 5), diffusion).double()
        prior.refer(torch.randn(600, dimension, dtype=torch.float64) * 3)
    return prior


# Sliced Wasserstein distance


def test_the_distance_of_a_shifted_sample_is_the_shift_along_each_direction():
    draw = torch.Generator().manual_seed(0)
    a, along = torch.randn(40, 3, generator=draw), directions(30, 3, draw)
    shift = torch.tensor([0.5, -2.0, 1.0])
    mixed = (a + shift)[torch.randperm(40, generator=draw)]
    torch.testing.assert_close(sliced_wasserstein(a, mixed, along), (along @ shift).square().mean())
    torch.testing.assert_close(along.norm(dim=1), torch.ones(30))


def test_the_distance_of_two_normal_laws_is_that_of_their_widths():
    draw = torch.Generator().manual_seed(1)
    a, b = (torch.randn(20000, 2, generator=draw) * wide for wide in (3.0, 1.0))
    assert float(sliced_wasserstein(a, b, directions(200, 2, draw))) == pytest.approx((3 - 1) ** 2, rel=0.03)
    assert float(directions(4000, 2, draw).T.cov()[0, 1]) == pytest.approx(0, abs=0.03)


def test_its_gradient_is_that_of_a_plain_sort():
    draw = torch.Generator().manual_seed(2)
    a = torch.randn(15, 2, generator=draw, dtype=torch.float64, requires_grad=True)
    b, along = torch.randn(15, 2, generator=draw, dtype=torch.float64), directions(4, 2, draw).double()
    plain = ((along @ a.T).sort(dim=1).values - (along @ b.T).sort(dim=1).values).square().mean()
    ours = sliced_wasserstein(a, b, along)
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(*(torch.autograd.grad(one, a)[0] for one in (ours, plain)))


# The dynamics


def test_surprise_is_that_of_a_normal_law_with_variance_2d():
    prior, draw = langevin(), torch.Generator().manual_seed(3)
    z0, z1 = torch.randn(2, 9, 2, generator=draw, dtype=torch.float64)
    mean, wide = prior.step(z0)
    law = torch.distributions.Normal(z0 + mean, (2 * wide).sqrt())
    torch.testing.assert_close(prior.surprise(z0, z1), -law.log_prob(z1).sum(dim=1))
    normal = torch.randn(9, 2, generator=draw, dtype=torch.float64)
    torch.testing.assert_close(z0 + prior.draw(z0, normal), law.loc + law.scale * normal)


def test_slopes_are_those_of_autograd():
    field = langevin().log_diffusion
    z = torch.randn(6, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    value, slope = field.with_slopes(z)
    torch.testing.assert_close(value, field(z))
    each = torch.stack([torch.autograd.functional.jacobian(field, one[None])[0, :, 0].diagonal() for one in z])
    torch.testing.assert_close(slope, each)


def test_the_step_keeps_the_law_of_its_force():
    """Fokker and Planck: p = exp ∫F is stationary only with ∇·D in the mean, whatever D is."""
    prior = langevin(dimension=1)
    z = torch.linspace(-4, 4, 4001, dtype=torch.float64)[:, None]
    with torch.no_grad():
        mean, wide = (one[:, 0].numpy() for one in prior.step(z))
        force = prior.force(z)[:, 0].numpy()
    z = z[:, 0].numpy()
    density = np.exp(np.concatenate([[0], np.cumsum((force[1:] + force[:-1]) / 2)]) * (z[1] - z[0]))
    bump = np.where(abs(z) < 3, np.exp(-1 / np.maximum(1 - (z / 3) ** 2, 1e-12)), 0)
    first = np.gradient(bump, z)
    second = np.gradient(first, z)
    moved, spread_out = (np.trapezoid(density * one, z) for one in (mean * first, wide * second))
    assert abs(spread_out) > 1e-2
    assert moved + spread_out == pytest.approx(0, abs=1e-5)


def test_diffusion_is_one_or_has_a_mean_logarithm_of_zero():
    z = torch.randn(8, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    fixed = langevin("fixed")
    mean, wide = fixed.step(z)
    assert (wide == 1).all()
    torch.testing.assert_close(mean, fixed.force(z))
    free = langevin()
    torch.testing.assert_close(free.step(free.reference)[1].log().mean(dim=0), torch.zeros(2, dtype=torch.float64))


def test_dynamics_of_a_latent_that_stands_still_are_the_best_there_are():
    """A linear pull: no drift has a smaller mean -log r than the true one, by more than its parameters can fit."""
    draw = torch.Generator().manual_seed(6)
    z0 = 3 * torch.randn(10000, 1, generator=draw) + 100
    z1 = 0.8 * z0 + 20 + 2**0.5 * torch.randn(10000, 1, generator=draw)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prior = Langevin(1, (8,), "fixed")
    learn_dynamics(prior, z0, z1, epochs=15, rate=4e-3, seed=0)
    truth = 0.5 * np.log(4 * np.pi) + float((z1 - 0.8 * z0 - 20).square().mean()) / 4
    with torch.no_grad():
        assert float(prior.surprise(z0, z1).mean()) == pytest.approx(truth, abs=2e-3)
        at = torch.tensor([[-3.0], [0.0], [3.0]])
        torch.testing.assert_close(prior.force(at + 100), -0.2 * at, atol=0.08, rtol=0)


def test_steps_of_dynamics_fall_evenly_to_nothing(monkeypatch):
    """Two epochs of three batches: steps of 6, 5, … 1 sixths of five times the encoder's."""
    seen, step = [], torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self: (seen.append(self.param_groups[0]["lr"]), step(self)))
    z = torch.randn(3 * 1024, 1, generator=torch.Generator().manual_seed(8))
    learn_dynamics(Langevin(1, (4,), "fixed"), z, z + 1, epochs=2, rate=0.01, seed=0)
    assert seen == pytest.approx([5 * 0.01 * left / 6 for left in range(6, 0, -1)])


# Regions and batches


def test_centres_are_those_of_a_regular_space():
    z = torch.randn(700, 2, generator=torch.Generator().manual_seed(7))
    centres, distance = spread(z, 12)
    apart = torch.cdist(centres, centres) + 1e9 * torch.eye(12)
    assert float(apart.min()) >= distance * (1 - 1e-5)
    assert float(torch.cdist(z, centres).min(dim=1).values.max()) == pytest.approx(distance)
    scaled = spread(10 * z, 12)
    torch.testing.assert_close(scaled[0], 10 * centres)
    assert len(spread(z[:1].expand(5, 2), 3)[0]) == 1


def test_regions_with_too_few_frames_fall_to_their_neighbours():
    z = torch.cat([torch.zeros(50, 1), torch.full((50, 1), 9.0), torch.full((3, 1), 11.0)])
    z = z + 0.01 * torch.arange(103.0)[:, None]
    found, _ = labels(z, 3, least=10)
    assert found.unique().tolist() == [0, 1]
    assert (found[:50] == found[0]).all()
    assert (found[50:] == found[50]).all()
    assert labels(z, 3, least=103)[0].tolist() == [0] * 103
    assert set(labels(z, 3, least=3)[0].tolist()) == {0, 1, 2}


def test_batches_are_of_one_region_each_and_shared_out_by_roots():
    regions = torch.tensor([0] * 900 + [1] * 400 + [2] * 100)
    drawn = batches(regions, 60, 10, 2.0, torch.Generator().manual_seed(8))
    assert drawn.shape == (60, 10)
    which = regions[drawn]
    assert (which == which[:, :1]).all()
    assert which[:, 0].bincount().tolist() == [30, 20, 10]
    assert allotted(torch.tensor([900, 400, 100]), 14, 1.0) == [9, 4, 1]
    for region, size in enumerate((900, 400, 100)):
        each = drawn[which[:, 0] == region].flatten().bincount(minlength=1400)[regions == region]
        assert each.max() - each.min() <= 1, size
    assert which[:, 0].diff().count_nonzero() > 10, "regions come in random order"


# Pairs


@pytest.mark.parametrize("lag", [1, 3])
def test_no_frame_that_is_held_out_is_learned(lag):
    lengths = (300, 173, 90)
    cut = pairs([np.zeros((one, 2), np.float32) for one in lengths], lag, 0.2, 8)
    learned, held_out = ({*first, *(first + lag)} for first in (cut.learned, cut.held_out))
    assert not learned & held_out
    assert len(held_out) == pytest.approx(0.2 * sum(lengths), abs=8)
    owner = np.repeat(np.arange(3), lengths)
    both = np.concatenate([cut.learned, cut.held_out])
    assert (owner[both] == owner[both + lag]).all()
    assert len(set(both)) == len(both) > sum(lengths) - 25 * lag
    assert not len(pairs([np.zeros((100, 2), np.float32)], lag, 0.0, 8).held_out)


def test_trajectories_are_read():
    assert [one.shape for one in trajectories([[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]])] == [(3, 2)]
    assert len(trajectories([np.zeros((3, 2)), np.zeros((4, 2))])) == 2
    assert trajectories(np.zeros((3, 1, 5, 4)))[0].dtype == np.float32


# Estimators


def test_coders_fit_together():
    for shape, hidden in (((5,), (7, 6)), ((3, 10, 7), ())):
        encoder, decoder = coders(shape, 2, hidden, 4)
        assert encoder(torch.zeros(9, *shape)).shape == (9, 4)
        assert decoder(torch.zeros(9, 2)).shape == (9, *shape)
    widths = [layer.out_features for layer in decoder[0] if hasattr(layer, "out_features")]
    assert widths == [64, 32 * 3 * 2]


@pytest.mark.parametrize("kind", KINDS)
def test_each_follows_scikit_learn(kind, walk):
    before = torch.get_rng_state()
    made = clone(kind(**SMALL, seed=3))
    assert made.get_params()["seed"] == 3
    done = []
    found = made.fit(walk, progress=done.append)
    assert (torch.get_rng_state() == before).all()
    assert sum(done) == pytest.approx(1)
    z = found.transform(walk)
    assert z.shape == (400, 2)
    parts = found.transform([walk[:100], walk[100:]])
    np.testing.assert_allclose(np.concatenate(parts), z, atol=1e-5)
    back = found.inverse_transform(z)
    assert found.score(walk) == pytest.approx(r2_score(walk, back, multioutput="variance_weighted"), abs=0.02)
    assert found.score(walk) == pytest.approx(1 - ((walk - back) ** 2).sum() / ((walk - walk.mean(0)) ** 2).sum())
    np.testing.assert_allclose(found.latents_[-1], z[found.shown_], atol=1e-5)
    assert found.latents_.shape == (3, 10, 2)
    held_out = pairs([walk.astype(np.float32)], 1, 0.2, 32).held_out
    assert set(found.shown_) <= set(held_out)
    np.testing.assert_allclose(found.increments_, z[held_out + 1] - z[held_out], atol=1e-5)
    assert found.history_["epoch"].tolist() == [0, 1, 2]
    again = kind(**SMALL, seed=3).fit(walk)
    np.testing.assert_array_equal(again.transform(walk), z)
    assert not np.array_equal(kind(**SMALL, seed=4).fit(walk).transform(walk), z)


@pytest.mark.parametrize(
    ("kind", "at"), [(DynamicsAutoencoder, 0.45), (DynamicsAutoencoder, 0.99), (PlainAutoencoder, 0.6)]
)
def test_a_fit_goes_on_to_the_byte(kind, at, walk, tmp_path, monkeypatch):
    options = SMALL | ({"diffusion": "learned", "drift_epochs": 2} if kind is DynamicsAutoencoder else {})
    whole = kind(**options).fit(walk)
    monkeypatch.setattr(estimator, "Snapshot", partial(Snapshot, seconds=0.0))
    monkeypatch.setattr(learning, "TOLD", 1)
    path, done = tmp_path / "state.safetensors", []

    def stop(share):
        done.append(share)
        if sum(done) >= at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kind(**options).fit(walk, snapshot=path, progress=stop)
    with pytest.raises(RunError, match="is of another training"):
        kind(**options | {"seed": 9}).fit(walk, snapshot=path)
    with pytest.raises(RunError, match="is of another training"):
        kind(**options).fit(walk + 1, snapshot=path)
    left = []
    again = kind(**options).fit(walk, snapshot=path, progress=left.append)
    assert not path.exists()
    assert sum(left) == pytest.approx(1), "what was done before is told at once"
    np.testing.assert_array_equal(again.transform(walk), whole.transform(walk))
    np.testing.assert_array_equal(again.latents_, whole.latents_)
    pd.testing.assert_frame_equal(again.history_, whole.history_)
    if kind is DynamicsAutoencoder:
        np.testing.assert_array_equal(again.displacement(np.eye(2)), whole.displacement(np.eye(2)))


def test_costs_are_told_and_nothing_is_kept(walk):
    made = DynamicsAutoencoder(**SMALL)
    cost = made.cost(walk)
    assert 0 < cost.seconds < 60
    assert cost.bytes > 2 * 4 * walk.size
    assert not hasattr(made, "network_")


def test_neither_moves_what_the_other_learns(walk):
    learner, _ = DynamicsAutoencoder(**SMALL)._learner(walk)
    network, frames = learner.network, torch.from_numpy(walk[:64].astype(np.float32))
    terms = network.terms(frames, torch.Generator().manual_seed(0))
    own = list(network.prior.drift.parameters())
    others = [*network.encoder.parameters(), *network.decoder.parameters()]
    for name, still in ((INCREMENTS, own), ("reconstruction", own), ("transition", others)):
        assert all(one is None for one in torch.autograd.grad(terms[name], still, allow_unused=True, retain_graph=True))
    z = network.latent(frames)
    increments = (z[32:] - z[:32]).detach()
    mean = network.prior.step(z[:32])[0].detach()
    assert float(terms["transition"].detach()) == pytest.approx(
        float((np.log(4 * np.pi) + (increments - mean).square().sum(dim=1) / 4).mean()), rel=1e-5
    )
    missed = (network.rebuilt(z) - frames).square().sum() / (walk - walk.mean(0)).var() / frames.numel()
    torch.testing.assert_close(terms["reconstruction"], missed, rtol=1e-4, atol=0, check_dtype=False)


def test_the_first_epoch_is_slow_and_holds_increments_back(walk, monkeypatch):
    """Adam's first step is as long as its rate, whatever the gradient; and β/100 is β of a hundredth."""

    def stepped(beta, epoch=0):
        learner, _ = DynamicsAutoencoder(**SMALL, beta=beta)._learner(walk)
        before = [one.detach().clone() for one in learner.network.parameters()]
        learner.epoch = epoch
        learner.begin()
        learner.step()
        moved = [one.detach() - other for one, other in zip(learner.network.parameters(), before, strict=True)]
        return torch.cat([one.flatten() for one in moved]).abs().max(), learner.network.state_dict()

    first, weights = stepped(100.0)
    assert float(first) == pytest.approx(1e-4, rel=0.01)
    assert float(stepped(100.0, epoch=1)[0]) == pytest.approx(1e-3, rel=0.01)
    monkeypatch.setattr(learning, "FIRST_WEIGHT", 1.0)
    for name, value in stepped(1.0)[1].items():
        torch.testing.assert_close(value, weights[name])


def test_every_update_has_noise_of_its_own(walk, monkeypatch):
    learner, _ = DynamicsAutoencoder(**SMALL)._learner(walk)
    terms, seeds = learner.network.terms, []

    def watched(frames, generator):
        seeds.append(generator.initial_seed())
        return terms(frames, generator)

    monkeypatch.setattr(learner.network, "terms", watched)
    learner.learn(None, "", lambda _: None)
    assert len(seeds) == SMALL["epochs"] * (learner.updates + 1)
    assert len(set(seeds)) == SMALL["epochs"] * learner.updates + 1, "every epoch is judged with the same"


def test_fields_see_the_latent_as_it_is_when_an_epoch_begins(walk):
    learner, _ = DynamicsAutoencoder(**SMALL)._learner(walk)
    learner.epoch = 1
    learner.begin()
    z, prior = learner.latent(learner.first), learner.network.prior
    torch.testing.assert_close(prior.middle, z.mean(dim=0))
    torch.testing.assert_close(prior.width, (z - z.mean(dim=0)).square().mean().sqrt())


def test_variational_divergence_is_that_of_two_normal_laws(walk):
    learner, _ = VariationalAutoencoder(**SMALL, beta=0.3)._learner(walk)
    frames = torch.from_numpy(walk[:40].astype(np.float32))
    mean, log_variance = learner.network._law(frames)
    law = torch.distributions.Normal(mean, (log_variance / 2).exp())
    told = torch.distributions.kl_divergence(law, torch.distributions.Normal(0.0, 1.0)).sum(dim=1).mean()
    terms = learner.network.terms(frames, torch.Generator().manual_seed(0))
    torch.testing.assert_close(terms["divergence"], told)
    drawn = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(terms["reconstruction"], learner.network.missed(drawn, frames))
    assert learner.network.weights == {"reconstruction": 1.0, "divergence": 0.3}


def test_particles_without_a_force_spread_by_two_for_each_step(walk):
    found = DynamicsAutoencoder(**SMALL | {"epochs": 1}, drift_epochs=0).fit(walk)
    last = found.network_.prior.drift.last
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([0.5, -1.0]))
    path = found.sample(np.zeros((4000, 2)), steps=20)
    assert path.shape == (21, 4000, 2)
    assert not path[0].any()
    np.testing.assert_allclose(path[-1].mean(0), [10, -20], atol=4 * np.sqrt(40 / 4000))
    np.testing.assert_allclose(path[-1].var(0), 40, rtol=4 * np.sqrt(2 / 4000))
    np.testing.assert_allclose(found.drift(np.eye(2)), [[0.5, -1.0]] * 2, rtol=1e-6)
    assert (found.diffusion_at(np.eye(2)) == 1).all()
    z = found.transform(walk)
    moved = np.diff(z, axis=0) - [0.5, -1.0]
    told = -(np.log(4 * np.pi) + (moved**2).sum(1) / 4).mean()
    assert found.log_likelihood([walk]) == pytest.approx(told, rel=1e-5)


def test_images_go_through_convolutions():
    draw = np.random.default_rng(0)
    place = 3 + np.cumsum(draw.choice([-0.5, 0.5], 120))
    images = np.exp(-((np.arange(12)[None, None, None] - place[:, None, None, None]) ** 2) / 4) * np.ones((1, 1, 9, 1))
    images[:, :, 0] = 0  # a border that never changes is no fault
    found = DynamicsAutoencoder(latent=1, epochs=2, batch=16).fit(images)
    assert found.inverse_transform(found.transform(images)).shape == (120, 1, 9, 12)
    assert np.isfinite(found.history_.to_numpy(dtype=float)[1:]).all()
    with pytest.raises(DataError, match="all images are the same"):
        DynamicsAutoencoder(batch=16).fit(np.ones((100, 1, 8, 8)))


@pytest.mark.slow
def test_dynamics_straighten_a_line_that_was_bent():
    """In one dimension a constant diffusion determines the latent up to sign and shift; the scale is √(2/variance)."""
    draw = np.random.default_rng(1)
    x = np.zeros((5000, 1))
    for frame in range(1, 5000):
        x[frame] = 0.97 * x[frame - 1] + 0.25 * draw.normal()
    bent = np.hstack([x, x + 0.6 * x**2 + 0.5 * x**3])
    options = {"latent": 1, "hidden": (24, 24), "epochs": 10, "batch": 64, "clusters": 8, "learning_rate": 4e-3}
    found = DynamicsAutoencoder(**options).fit(bent)
    z = found.transform(bent)
    straight, plain = AffineMap.fitted(z, x), AffineMap.fitted(PlainAutoencoder(**{
        name: value for name, value in options.items() if name != "clusters"
    }).fit(bent).transform(bent), x)  # fmt: skip
    assert straight.r2 > 0.985 > plain.r2 + 0.03
    assert straight.scale == pytest.approx(np.sqrt(2) / 0.25, rel=0.1)
    assert np.var(found.increments_) == pytest.approx(2, rel=0.15)
    there = np.linspace(-1, 1, 5)[:, None]
    expected = -0.03 * there * straight.matrix[0, 0]
    np.testing.assert_allclose(found.drift(there @ straight.matrix + straight.shift), expected, atol=0.12)
    assert not found.notes_


def test_a_latent_that_collapses_is_told(walk):
    line = np.outer(walk[:, 0], [1.0, 1.0]) + 1e-6 * walk
    assert (
        PlainAutoencoder(**SMALL | {"hidden": ()}).fit(line).notes_[0].startswith("the latent has collapsed: along 1")
    )
    assert collapsed(np.zeros((5, 2)))[0].startswith("the latent has collapsed: along 2 of 2")
    assert not collapsed(walk * [1, 0.02])


CASES = [
    (np.full((90, 2), np.nan), {}, DataError, "180 numbers are not finite; leave those frames out"),
    (np.full((90, 2), 1e300), {}, DataError, "180 numbers are not finite"),
    ([["a", "b"]], {}, DataError, "a trajectory is an array of numbers"),
    (np.zeros(90), {}, ShapeError, r"a trajectory is \(frame, feature\), or .* got the shape \(90,\)"),
    ([np.zeros((9, 2)), np.zeros((9, 3))], {}, ShapeError, r"must have the same features; got \(2,\) and \(3,\)"),
    (np.eye(90, 2) * [1, 0], {}, DataError, "feature 1 is the same in all frames; leave it out"),
    (np.eye(90), {"batch": 300}, DataError, "90 frames in 1 trajectories give 56 pairs .* lag of 1; a batch needs 300"),
    (np.eye(90, 2), {"latent": 3}, ShapeError, "a latent of 3 coordinates has more than the 2 features"),
    (np.eye(90), {"latent": 0}, SpecificationError, "latent must be at least 1, got 0"),
    (np.eye(90), {"batch": 1}, SpecificationError, "batch must be at least 2, got 1"),
    (np.eye(90), {"hidden": (3, 0)}, SpecificationError, r"layers must be at least 1 wide; got hidden = \(3, 0\)"),
    (np.eye(90), {"learning_rate": np.inf}, SpecificationError, "learning_rate must be positive and finite, got inf"),
    (np.eye(90), {"test": 1.0}, SpecificationError, "test is a share, 0 or more and less than 1; got 1.0"),
    (np.eye(90), {"beta": -1.0}, SpecificationError, "beta must be finite and not negative, got -1.0"),
    (np.eye(90), {"bias_factor": 0.5}, SpecificationError, "bias_factor must be finite and at least 1, got 0.5"),
    (np.eye(90), {"diffusion": "free"}, SpecificationError, "unknown diffusion 'free'; .*known: fixed, learned"),
]


@pytest.mark.parametrize(("given", "options", "error", "says"), CASES)
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_cannot_be_fitted_is_refused(given, options, error, says):
    with pytest.raises(error, match=says):
        DynamicsAutoencoder(**{"batch": 8, **options}).fit(given)


def test_what_cannot_be_read_is_refused(walk):
    found = DynamicsAutoencoder(**SMALL | {"epochs": 1}, drift_epochs=0).fit(walk)
    for call, says in (
        (lambda: DynamicsAutoencoder().transform(walk), "nothing has been fitted"),
        (lambda: found.transform(walk[:, :1]), r"frames have the shape \(1,\), and \(2,\) was fitted"),
        (lambda: found.inverse_transform(np.zeros((3, 3))), r"latents are \(frame, 2\); got the shape \(3, 3\)"),
        (lambda: found.drift(np.zeros(2)), "latents are"),
        (lambda: found.sample(np.zeros((1, 2)), steps=0), "steps must be at least 1"),
        (lambda: found.log_likelihood(walk[:1]), "trajectories of up to 1 frames have no pairs at a lag of 1"),
    ):
        with pytest.raises(SyzygyError, match=says):
            call()
    with pytest.raises(Diverged, match=r"no finite number after epoch \d at the learning rate .*; lower it"):
        PlainAutoencoder(**SMALL | {"learning_rate": 1e30}).fit(walk)


# Scores


def test_the_affine_map_is_that_of_least_squares(walk):
    draw = np.random.default_rng(2)
    latent = walk @ draw.normal(size=(2, 2)) + 3 + draw.normal(size=walk.shape)
    found, other = AffineMap.fitted(latent, walk), LinearRegression().fit(walk, latent)
    np.testing.assert_allclose(found.matrix.T, other.coef_, atol=1e-10)
    np.testing.assert_allclose(found.shift, other.intercept_)
    whole = r2_score(latent, other.predict(walk), multioutput="variance_weighted")
    assert found.r2 == pytest.approx(whole)
    angle = turned(latent, 0.7)
    assert AffineMap.fitted(angle, walk).r2 == pytest.approx(found.r2)
    assert AffineMap.fitted(angle, turned(walk, 1.1)).condition == pytest.approx(found.condition)
    exact = AffineMap.fitted(walk @ [[0.0, 2.0], [-8.0, 0.0]] + 1, walk)
    assert (exact.condition, exact.scale) == (pytest.approx(4), pytest.approx(4))
    np.testing.assert_allclose(exact.back(walk @ [[0.0, 2.0], [-8.0, 0.0]] + 1), walk, atol=1e-12)
    assert AffineMap.fitted(walk @ [[1.0, 0.0], [0.0, 0.0]], walk).condition > 1e12


def test_increments_of_unit_diffusion_are_isotropic():
    draw = np.random.default_rng(3)
    increments = draw.normal(size=(500, 2)) @ [[1.0, 0.4], [0.0, 2.0]] + 5
    np.testing.assert_allclose(covariance(increments), np.cov(increments.T, bias=True))
    assert isotropy_error(turned(increments, 0.4)) == pytest.approx(isotropy_error(increments))
    white = increments - increments.mean(0)
    white = white @ np.linalg.inv(np.linalg.cholesky(covariance(increments))).T * np.sqrt(2)
    assert isotropy_error(white) == pytest.approx(0, abs=1e-12)
    assert isotropy_error(0.9 * white) == pytest.approx(0.19)


def test_drifts_are_compared_in_cells_with_enough_frames():
    draw = np.random.default_rng(4)
    x = draw.uniform(-1, 1, size=(3000, 2))
    x[:2] = [[5, 5], [-5, -5]]  # alone in their cells
    noisy = -x + draw.normal(size=x.shape)
    means = cell_means(noisy, x, cells=6)
    index = np.minimum((x + 5) / 10 * 6, 5).astype(int)
    frame = pd.DataFrame(noisy).groupby([index[:, 0], index[:, 1]]).transform("mean")
    np.testing.assert_allclose(means, frame.to_numpy())
    found = drift_agreement(noisy, -x, x, cells=6, least=100)
    each = pd.DataFrame(np.hstack([noisy, -x])).groupby([index[:, 0], index[:, 1]]).agg("mean")
    each = each[np.bincount(np.unique(index, axis=0, return_inverse=True)[1].ravel()) >= 100]
    a, b = each.to_numpy()[:, :2].ravel(), each.to_numpy()[:, 2:].ravel()
    assert found.cells == len(each) == 4
    assert (found.correlation, found.slope) == (pytest.approx(np.corrcoef(a, b)[0, 1]), pytest.approx(a @ b / (b @ b)))


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(ShapeError, match=r"must be of the same frames; got \(3, 2\), \(4, 2\)"):
        AffineMap.fitted(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(DataError, match="the latent is the same for all 3 frames"):
        AffineMap.fitted(np.ones((3, 2)), np.eye(3, 2))
    with pytest.raises(DataError, match="0 cells have 50 frames or more; give more frames, or fewer cells"):
        drift_agreement(*[np.eye(9, 2)] * 3)


# The simulated particle


def test_the_force_is_the_slope_of_the_law():
    law, x = ThreeWells(), np.random.default_rng(5).normal(size=(20, 2))
    for axis in range(2):
        step = np.eye(2)[axis] * 1e-5
        slope = (law.log_density(x + step) - law.log_density(x - step)) / 2e-5
        np.testing.assert_allclose(law.force(x)[:, axis], slope, atol=1e-6)
    line = np.linspace(-5, 5, 401)
    plane = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    assert np.exp(law.log_density(plane)).sum() * (line[1] - line[0]) ** 2 == pytest.approx(1, abs=1e-6)


def test_populations_are_those_of_particles_drawn_and_moved():
    """Moments of a mixture in closed form; populations within four standard errors of independent particles."""
    law = ThreeWells()
    true, seen = law.simulate(trajectories=1500, frames=6, seed=0)
    last = np.stack([one[-1] for one in true])
    weights, centres = np.asarray(law.weights), np.asarray(law.centres)
    mean = weights @ centres
    variance = weights @ (centres**2 + np.square(law.widths)[:, None]) - mean**2
    np.testing.assert_allclose(last.mean(0), mean, atol=4 * np.sqrt(variance.max() / 1500))
    np.testing.assert_allclose(last.var(0), variance, rtol=0.1)
    shares = np.bincount(law.well(last)) / 1500
    np.testing.assert_allclose(shares, law.populations(), atol=4 * np.sqrt(0.25 / 1500))
    moved = np.concatenate([np.diff(one, axis=0) for one in true])
    np.testing.assert_allclose(moved.var(0), 0.0195, rtol=4 * np.sqrt(2 / len(moved)))
    np.testing.assert_array_equal(seen[3], warped(true[3]))
    np.testing.assert_allclose(turned(turned(last, 0.3), -0.3), last)
    np.testing.assert_allclose(turned(np.array([[1.0, 0.0]]), np.pi / 2), [[0, 1]], atol=1e-12)
