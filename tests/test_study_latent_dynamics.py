"""The study of latent dynamics: known answers, a small real run, and what cannot be asked."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from syzygy.dimensions.latent_dynamics import DynamicsAutoencoder, PlainAutoencoder, ThreeWells
from syzygy.dimensions.latent_dynamics.simulated import turned, warped
from syzygy.errors import DataError, SpecificationError
from syzygy.report import write_report
from syzygy.store import FolderStore, MemoryStore, key
from syzygy.studies import study
from syzygy.studies.claims.latent_dynamics import EXPECTATIONS
from syzygy.studies.trainings import latent_dynamics as trainings
from syzygy.studies.trainings.latent_dynamics import LatentTraining
from syzygy.studies.trainings.wells import of_files, simulated
from syzygy.training import gathered
from syzygy.trajectory import Trajectory

OWN = {
    "study": "latent-dynamics",
    "frames": 2000,
    "trajectories": 4,
    "seeds": "0,1",
    "epochs": 2,
    "batch": 128,
    "clusters": 4,
    "others": ["plain"],
    "shown": 300,
}


@pytest.fixture(scope="module")
def real():
    made, store = study(OWN), MemoryStore()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainings, "FRAMES", 40)
        for job in made.jobs().values():
            for part in job.parts():
                part.into(store)
    seen = {name: gathered(job, store) for name, job in made.jobs().items()}
    return made, seen, made.analyse(seen)


@pytest.fixture(scope="module")
def alone():
    """Where one particle is."""
    return ThreeWells().simulate(trajectories=1, frames=1500, seed=2)[0][0]


@pytest.fixture
def files(alone, tmp_path):
    np.save(tmp_path / "positions.npy", alone)
    np.save(tmp_path / "warped.npy", warped(alone))
    return tmp_path


@cache
def populations():
    """The true ones: an integral over the plane, for which once is enough."""
    return ThreeWells().populations()


def known(scale=10.0, latent=lambda x: x, **layers):
    """A trajectory whose latent is known: of particles of the simulation, and their true force."""
    law, draw = ThreeWells(), np.random.default_rng(0)
    part = draw.choice(4, 1000, p=law.weights)
    x = np.asarray(law.centres)[part] + np.asarray(law.widths)[part, None] * draw.normal(size=(1000, 2))
    kick = draw.normal(size=x.shape)
    kick = (kick - kick.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(kick.T, bias=True))).T * np.sqrt(2) / scale
    force = 0.01 * law.force(x)
    values = {"latent": scale * latent(x), "next": scale * latent(x) + scale * kick, "force": force, **{
        name: make(x, scale * force) for name, make in layers.items()
    }}  # fmt: skip
    one = Trajectory.of(
        steps=[1], loss=np.array([[0.25]]), outputs=None, representations={k: v[None, None] for k, v in values.items()},
        inputs=warped(x), targets=x, items=[str(place) for place in range(1000)], seeds=[0],
        about={"centres": np.asarray(law.centres[:3]).tolist(), "populations": populations().tolist()},
    )  # fmt: skip
    return Trajectory.join([one, one])


# Known answers


def test_a_latent_that_is_the_truth_meets_every_claim():
    made = study(OWN | {"others": ["plain", "variational"]})
    turn = lambda x: turned(x, 0.8)  # noqa: E731
    learned = {"drift": lambda _, force: turn(0.95 * force), "moved": lambda x, _: 10 * turn(x[::-1])}
    there = made._job(lag=4).wells()
    moved = {lag: np.concatenate([one[lag:] - one[:-lag] for one in there.true]).var(axis=0).mean() for lag in (1, 4)}
    seen = {
        "dynamics": known(latent=turn, **learned),
        "plain": known(latent=warped),
        "variational": known(latent=lambda x: warped(x) + 0.01 * x),
        "turned": known(latent=turn, **learned),
        "lag": known(10 * np.sqrt(moved[1] / moved[4]), latent=turn),
    }
    result = made.analyse(seen)
    claims = {claim.expectation.name: claim for claim in result.claims}
    assert {claim.verdict for claim in claims.values()} == {"holds"}
    scores = result.table("scores").set_index("model").groupby(level=0).first()
    own = scores.loc["dynamics"]
    assert (own["r2_true"], own["condition"], own["scale"]) == (pytest.approx(1), pytest.approx(1), pytest.approx(10))
    assert own[["increments_1", "increments_2"]].tolist() == pytest.approx([2, 2], rel=1e-4)
    assert own["rebuilt"] == pytest.approx(0.75)
    assert (own["drift_correlation"], own["drift_slope"]) == (pytest.approx(1, abs=1e-5), pytest.approx(0.95, rel=1e-4))
    assert own["wells_off"] < 0.03
    assert claims["lag"].cases["seed 0"] == pytest.approx(1, rel=1e-4)
    assert claims["turned"].value == pytest.approx(0, abs=1e-6)
    plain = scores.loc["plain"]
    assert (plain["r2_given"], plain["drift_slope"]) == (pytest.approx(1), pytest.approx(np.nan, nan_ok=True))
    assert claims["plain_is_given"].value == pytest.approx(1 - plain["r2_true"])
    shares = result.table("populations").set_index(["model", "seed"])
    np.testing.assert_allclose(shares.loc[("true", "")], populations())
    assert not [one for one in result.findings if one.code == "SZ025"]
    drift = next(one for one in result.figures if one.name == "drift").frame
    np.testing.assert_allclose(drift["learned_x"], 0.95 * drift["true_x"], atol=1e-5)


def test_one_that_is_wrong_meets_none():
    made = study(OWN)
    worse = {"drift": lambda _, force: -force, "moved": lambda x, _: 10 * np.tile(x[:1], (len(x), 1))}
    seen = {
        "dynamics": known(latent=lambda x: warped(x) * [3, 1], **worse),
        "plain": known(),
        "turned": known(),
        "lag": known(),
    }
    claims = {claim.expectation.name: claim.verdict for claim in made.analyse(seen).claims}
    assert {name for name, verdict in claims.items() if verdict != "not reproduced"} == {
        "others_miss_truth",
        "increments",
    }


def test_a_latent_that_collapses_is_a_reason_to_doubt():
    made = study(OWN)
    seen = {"dynamics": known(latent=lambda x: x * [1, 0.001]), "plain": known(latent=np.zeros_like)}
    result = made.analyse(seen)
    (finding,) = (one for one in result.findings if one.code == "SZ025")
    assert finding.title == "A latent has collapsed"
    assert len(finding.details) == 4
    assert finding.details[0].startswith("dynamics, seed 0: the latent has collapsed: along 1 of 2")
    json.loads(result.to_json(), parse_constant=pytest.fail)


# A small real run


def test_what_is_kept_is_what_the_estimators_give(real):
    _, seen, _ = real
    true, given = simulated(2000, 4, 0).true, simulated(2000, 4, 0).given
    options = {"epochs": 2, "batch": 128, "shown": 300, "seed": 1}
    for name, own in (
        ("dynamics", DynamicsAutoencoder(clusters=4, **options).fit(given)),
        ("plain", PlainAutoencoder(**options).fit(given)),
        ("lag", DynamicsAutoencoder(clusters=4, lag=4, **options).fit(given)),
        ("turned", DynamicsAutoencoder(clusters=4, **options).fit([turned(one, np.pi / 6) for one in given])),
    ):
        one, lag = seen[name], 4 if name == "lag" else 1
        assert one.seeds.tolist() == [0, 1]
        assert one.steps.tolist() == [1, 2]
        z = np.concatenate(own.transform([turned(x, np.pi / 6) for x in given] if name == "turned" else given))
        np.testing.assert_allclose(one.representation("latent")[1], own.latents_, atol=1e-4)
        np.testing.assert_allclose(one.representation("next")[1, -1], z[own.shown_ + lag], atol=1e-4)
        x = np.concatenate(true)[own.shown_]
        np.testing.assert_allclose(one.targets, x, atol=1e-5)
        np.testing.assert_allclose(one.representation("force")[1, -1], 0.01 * lag * ThreeWells().force(x), atol=1e-5)
        np.testing.assert_allclose(one.loss[1], own.history_["reconstruction"], rtol=1e-4)
        if name != "plain":
            np.testing.assert_allclose(
                one.representation("drift")[1, -1], own.displacement(own.latents_[-1]), atol=1e-4
            )
            assert np.isfinite(one.representation("moved")[:, -1]).all()
    assert set(seen["plain"].layers) == {"latent", "next", "force"}


def test_every_claim_is_measured(real):
    _, _, result = real
    assert [claim.expectation for claim in result.claims] == list(EXPECTATIONS)
    for claim in result.claims:
        assert set(claim.cases) == (set() if claim.expectation.name == "others_miss_truth" else {"seed 0", "seed 1"})
    assert result.summary[0].startswith("Dynamics: the true coordinates explain")
    assert len(result.table("scores")) == 10
    assert len(result.table("training")) == 10


@pytest.mark.slow
def test_all_that_it_gives_can_be_written(real, tmp_path):
    _, _, result = real
    json.loads(result.to_json(), parse_constant=pytest.fail)
    page = write_report(replace(result, versions={}), tmp_path)
    assert page.read_text(encoding="utf-8").count("<svg") == len(result.figures) == 4


def test_less_than_was_asked(real):
    made, seen, _ = real
    assert made.analyse({}).summary == ("Nothing has been trained: there is no latent to look at.",)
    part = made.analyse({"plain": seen["plain"]})
    assert {figure.name for figure in part.figures} == {"latents", "over-training"}
    json.loads(part.to_json(), parse_constant=pytest.fail)
    assert made.analyse({"turned": seen["turned"]}).table("scores")["model"].unique().tolist() == ["turned"]


# Trainings


def test_what_identifies_the_numbers(files, tmp_path):
    plain = LatentTraining(seeds=(0,))
    assert key(replace(plain, device="cuda").asked()) == key(plain.asked())
    others = [replace(plain, **change) for change in (
        {"kind": "plain"}, {"frames": 10}, {"trajectories": 9}, {"draw": 1}, {"angle": 1.0}, {"lag": 2}, {"epochs": 1},
        {"batch": 9}, {"beta": 1.0}, {"clusters": 1}, {"diffusion": "learned"}, {"shown": 9}, {"seeds": (1,)},
        {"data": str(files)},
    )]  # fmt: skip
    assert len({key(one.asked()) for one in (plain, *others)}) == 15
    same = replace(plain, kind="plain")
    assert key(replace(same, beta=3.0).asked()) == key(same.asked())
    before = key(others[-1].asked())
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in files.glob("*.npy"):
        (moved / path.name).write_bytes(path.read_bytes())
    assert key(replace(plain, data=str(moved)).asked()) == before, "what is in the files counts, not where they are"
    np.save(moved / "positions.npy", np.ones((7, 2)))
    assert key(replace(plain, data=str(moved)).asked()) != before


def test_progress_is_told_in_work_and_nothing_is_left(files, tmp_path, monkeypatch):
    monkeypatch.setattr(trainings, "FRAMES", 20)
    asked = LatentTraining(seeds=(0, 1), data=str(files), frames=1500, epochs=1, batch=64, shown=200)
    cost, done, store = asked.estimate(), [], FolderStore(tmp_path / "store")
    assert 0 < cost.seconds < 60
    asked.into(store, done.append)
    assert sum(done) == pytest.approx(asked.work)
    found = store.get(asked.asked())
    np.testing.assert_allclose(found.inputs, warped(found.targets.astype(float)), atol=1e-5)
    assert not list((tmp_path / "store").rglob("*state.safetensors"))
    there = of_files(str(files), 1500, 1)
    assert there.populations.tolist() == sorted(there.populations, reverse=True)
    assert there.populations.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, r"no warped\.npy in .*; put positions\.npy and warped\.npy there"),
        (b"nothing", r"warped\.npy cannot be read"),
        (np.zeros((1500, 3)), r"warped\.npy must hold finite numbers, \(frame, 2\); got the shape \(1500, 3\)"),
        (np.full((1500, 2), np.inf), r"warped\.npy must hold finite numbers"),
        (np.zeros((9, 2)), r"must be of the same frames; got \(1500, 2\) and \(9, 2\)"),
    ],
)
def test_files_that_cannot_be_used_are_refused(files, content, says):
    path = files / "warped.npy"
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(DataError, match=says):
        LatentTraining(seeds=(0,), data=str(files)).asked() and of_files(str(files), 1500, 1)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"others": ["dynamics"]},
            "others are some of plain, variational, sliced_wasserstein, each once; got dynamics",
        ),
        ({"others": ["plain", "plain"]}, "each once; got plain, plain"),
        ({"trajectories": 1000, "lag": 2}, "2000 frames in 1000 trajectories have no pairs at a lag of 2"),
        ({"frames": 10}, "frames = 10"),
    ],
)
def test_refused(changed, says):
    with pytest.raises(SpecificationError, match=says):
        study(OWN | changed).jobs()


def test_options_reach_the_job():
    jobs = study({"study": "latent-dynamics"}).jobs()
    assert list(jobs) == [
        "dynamics", "plain", "variational", "sliced_wasserstein", "learned_diffusion", "turned", "lag"
    ]  # fmt: skip
    assert (jobs["turned"].angle, jobs["lag"].lag, jobs["learned_diffusion"].diffusion) == (30.0, 4, "learned")
    few = study(OWN | {"others": [], "diffusion": "fixed", "angle": 0, "lag": 1, "beta": 3, "draw": 7}).jobs()
    assert list(few) == ["dynamics"]
    assert (few["dynamics"].beta, few["dynamics"].draw, few["dynamics"].seeds) == (3.0, 7, (0, 1))
