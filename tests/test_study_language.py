"""The study of representations as language: known courses, a small real run, and what cannot be asked."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress, spearmanr, ttest_1samp

from syzygy.dimensions.language import Binned, Soft, language
from syzygy.errors import SpecificationError
from syzygy.report import write_report
from syzygy.store import MemoryStore
from syzygy.studies import study
from syzygy.studies.claims.language import EXPECTATIONS, measured, summary, two_phases
from syzygy.studies.tables.language import FOLLOWED, at_the_end, done_right, is_last, learning, words
from syzygy.studies.tables.turning import courses, over_seeds, turn
from syzygy.tasks.commands import ACTIONS, ROLES
from syzygy.training import gathered, train_zoo

NETWORKS = [
    {"like": "tanh", "name": "tanh", "width": 6, "depth": 3, "gain": 1.0, "layer": "hidden.0", "learning_rate": 0.2}
]
OWN = {
    "study": "language",
    "networks": NETWORKS,
    "seeds": "0..1",
    "learned": 700,
    "watched": 20,
    "widths": [8],
    "weight_decays": [0.0],
    "depth": 1,
    "heads": 2,
    "updates": 12,
    "record": "log 4",
    "steps": 30,
    "image_record": "log 3",
    "per_class": 6,
    "permutations": 3,
}
NAME = "width 8"


@pytest.fixture(scope="module")
def real():
    made, store = study(OWN), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    seen = {name: gathered(job, store) for name, job in jobs.items()}
    return made, seen, made.analyse(seen)


def curves(*, regularity, disentanglement, information, steps=(0, 1, 10, 100, 1000, 10_000), seeds=(0, 1, 2)):
    """Give curves of three seeds that differ by a little, for both estimators."""
    told = {"regularity": regularity, "disentanglement": disentanglement, "information": information}
    rows = [
        {"network": "net", "seed": seed, "step": step, "layer": "h", "depth": 1.0, "estimator": estimator,
         "label": label, "measure": measure, "corrected": value + 0.001 * seed * np.log10(1 + step)}
        for estimator in ("binned", "soft")
        for measure, course in told.items()
        for label in ([""] if measure == "information" else ["token", "bigram"])
        for seed in seeds
        for step, value in zip(steps, course, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


# Two phases, known


ALIGNED, PARTED, COMPRESSED = (
    (0.1, 0.1, 0.3, 0.3, 0.3, 0.3),
    (0.2, 0.2, 0.5, 0.5, 0.5, 0.5),
    (0.9, 0.9, 0.9, 0.8, 0.7, 0.6),
)
TURNS = {("net", seed): 10 for seed in (0, 1, 2)}
RIGHT = pd.DataFrame(
    {"network": "net", "seed": [0, 1, 2], "turn": 10, "unseen_at_turn": [0.1, 0.2, 0.1], "unseen": [0.8, 0.9, 0.9]}
)


def claimed(spoken, turns=TURNS):
    sides = courses(spoken, turns)
    return measured(sides, sides, spoken, RIGHT, spoken[is_last(spoken)])


def test_alignment_then_compression_is_found():
    spoken = curves(regularity=ALIGNED, disentanglement=PARTED, information=COMPRESSED)
    cases = claimed(spoken)
    assert two_phases(cases) == {"net · binned": True, "net · soft": True}
    gains = [0.2 + 0.001 * seed * np.log10(11) for seed in range(3)]
    low = ttest_1samp(gains, 0).confidence_interval(0.95).low
    assert cases["regularity_rises"]["net · binned · token"] == pytest.approx(low)
    slopes = [linregress([1, 2, 3, 4], y).slope for y in _seeds(spoken, "information")]
    high = ttest_1samp(slopes, 0).confidence_interval(0.95).high
    assert cases["compresses"]["net · soft"] == pytest.approx(high)
    assert cases["compresses"]["net · soft"] < -0.09
    assert 0.25 < cases["compresses_later"]["net · soft"] < 0.3
    rises = ttest_1samp([0.7, 0.7, 0.8], 0).confidence_interval(0.95)
    assert cases["generalises_later"] == {"net": pytest.approx(rises.low)}
    assert cases["estimators_agree"]["net · H(Z)"] == pytest.approx(1)
    said = summary(RIGHT, courses(spoken, TURNS), cases)
    assert said[0].endswith("are there in 2 of 2 settings and estimators.")
    turned = "Net: the loss has done 90% of its fall at step 10, where 13% of unseen commands are done right"
    assert said[1] == f"{turned}; at the end it is 87%."


def _seeds(spoken, measure):
    own = spoken[(spoken["measure"] == measure) & (spoken["estimator"] == "soft") & (spoken["step"] >= 10)]
    return [one["corrected"] for _, one in own.groupby("seed")]


@pytest.mark.parametrize(
    ("changes", "fails"),
    [
        ({"regularity": ALIGNED[::-1], "information": COMPRESSED[::-1]}, {"regularity_rises", "compresses"}),
        ({"regularity": (0.1, 0.1, 0.11, 0.2, 0.2, 0.3)}, {"aligns_first"}),
        ({"disentanglement": PARTED[::-1]}, {"disentanglement_rises"}),
        ({"information": (0.9, 0.9, 0.7, 0.7, 0.69, 0.68)}, {"compresses_later"}),
        ({"information": (0.6, 0.6, 0.6, 0.7, 0.8, 0.9)}, {"compresses", "compresses_later"}),
    ],
)
def test_other_courses_are_no_two_phases(changes, fails):
    told = {"regularity": ALIGNED, "disentanglement": PARTED, "information": COMPRESSED} | changes
    cases = claimed(curves(**told))
    assert two_phases(cases) == {"net · binned": False, "net · soft": False}
    known = {one.name: one for one in EXPECTATIONS}
    for name in fails:
        assert not any(known[name].holds(value) for value in cases[name].values()), name


def test_seeds_that_disagree_decide_nothing():
    spoken = curves(regularity=ALIGNED, disentanglement=PARTED, information=COMPRESSED)
    wild = spoken["seed"] * (spoken["step"] >= 10) * (spoken["measure"] == "regularity")
    cases = claimed(spoken.assign(corrected=spoken["corrected"] + wild))
    assert cases["regularity_rises"]["net · binned · token"] < 0
    one = {name: values for name, values in claimed(spoken[spoken["seed"] == 0]).items() if name == "compresses"}
    assert np.isnan(one["compresses"]["net · soft"])


def test_the_turn_is_at_ninety_hundredths_of_the_fall():
    steps, loss = np.array([0, 1, 2, 3, 4, 5]), np.array([1.0, 1.2, 0.15, 0.09, 0.0, 0.05])
    assert turn(steps, loss) == 3
    assert turn(steps, loss + 5) == 3
    assert turn(steps, np.full(6, 2.0)) == 0  # it never falls


def test_intervals_are_students():
    values = [0.3, 0.1, 0.5, 0.2]
    interval = ttest_1samp(values, 0).confidence_interval(0.95)
    assert over_seeds(values) == pytest.approx((0.275, interval.low, interval.high))
    assert over_seeds([0.3])[0] == 0.3
    assert np.isnan(over_seeds([0.3])[1:]).all()
    assert np.isnan(over_seeds([0.3, np.nan])).all()


def test_too_few_steps_have_no_slope():
    spoken = curves(regularity=ALIGNED, disentanglement=PARTED, information=COMPRESSED)
    sides = courses(spoken, dict.fromkeys(TURNS, 1000))
    assert sides["slope"].isna().all()
    assert sides["after"].notna().all()


def test_depth_is_by_rank_of_layers():
    ends = pd.DataFrame(
        [
            {"network": "net", "seed": seed, "estimator": "soft", "layer": str(depth), "depth": depth / 4,
             "measure": "regularity", "corrected": [0.1, 0.3, 0.2, 0.4][depth - 1] + seed}
            for seed in (0, 1) for depth in (1, 2, 3, 4)
        ]
    )  # fmt: skip
    spoken = curves(regularity=ALIGNED, disentanglement=PARTED, information=COMPRESSED)
    sides = courses(spoken, TURNS)
    found = measured(sides, sides, spoken, RIGHT, ends)["deeper_is_more_regular"]
    assert found == {"net · soft": pytest.approx(spearmanr([1, 2, 3, 4], [0.1, 0.3, 0.2, 0.4]).statistic)}
    few = ends[ends["depth"] < 0.75]
    assert measured(sides, sides, spoken, RIGHT, few)["deeper_is_more_regular"] == {}


def test_claims_on_images_are_of_the_last_layer():
    last = curves(regularity=ALIGNED, disentanglement=PARTED, information=COMPRESSED)
    first = curves(regularity=ALIGNED[::-1], disentanglement=PARTED, information=COMPRESSED[::-1])
    both = pd.concat([first.assign(layer="g", depth=0.5), last])
    own = courses(last, TURNS)
    found = measured(own, courses(both, TURNS), last, RIGHT, both[is_last(both)])
    for name in ("classes_regularity_rises", "classes_compress"):
        assert found[name] == claimed(last)[name]
        assert set(found[name]) == {"net · binned", "net · soft"}


# A small real run


def test_every_word_has_its_labels(real):
    _, seen, _ = real
    labels = words(seen[NAME])
    named = seen[NAME].items_of("encoder")
    assert all(len(one) == len(named) for one in labels.values())
    for place, name in enumerate(named):
        command, _, position = name.partition(" @ ")
        at, said = int(position), command.split()
        assert labels["token"][place] == said[at]
        assert labels["role"][place] == ROLES[said[at]]
        assert labels["position"][place] == at
        assert tuple(labels["bigram"][place]) == (said[at - 1] if at else "·", said[at])


def test_curves_are_those_of_the_measures(real):
    made, seen, result = real
    frame = next(figure.frame for figure in result.figures if figure.name == "phases")
    labels, x = words(seen[NAME]), seen[NAME].representation("encoder")
    kinds = {name: labels[name] for name in ("role", "token", "bigram")}
    for name, estimator in (("binned", Binned(made.bins)), ("soft", Soft(made.points))):
        expected = language(x[1, -1], kinds, estimator=estimator, within={"bigram": "token"}, permutations=3)
        own = frame[(frame["seed"] == 1) & (frame["step"] == 12) & (frame["estimator"] == name)]
        for label, measure in (("token", "regularity"), ("bigram", "disentanglement"), ("", "information")):
            told = own[(own["label"] == label) & (own["measure"] == measure)]
            there = expected[(expected["label"] == label) & (expected["measure"] == measure)]
            pd.testing.assert_frame_equal(
                told[["value", "chance", "corrected", "p"]].reset_index(drop=True),
                there[["value", "chance", "corrected", "p"]].reset_index(drop=True),
            )
        assert (own["label"] == "position").sum() == 2
    images = next(figure.frame for figure in result.figures if figure.name == "layers-binned")
    classes = seen["tanh"].targets.argmax(1)
    each = [language(seen["tanh"].representation("hidden.1")[seed, 1], classes, permutations=0) for seed in (0, 1)]
    mean = np.mean([one.set_index("measure").loc["regularity", "corrected"] for one in each])
    at = images[(images["layer"] == "hidden.1") & (images["step"] == 1) & (images["measure"] == "regularity")]
    assert at["corrected"].tolist() == pytest.approx([mean])


def test_a_command_is_done_right_if_all_its_actions_are(real):
    _, seen, _ = real
    tree = seen[NAME].tree.copy(deep=True)
    outputs = np.broadcast_to(seen[NAME].targets, seen[NAME].outputs.shape).copy()
    outputs[:, :, :5, 0] = ACTIONS.index("BOW") + (outputs[:, :, :5, 0] == ACTIONS.index("BOW"))  # five wrong
    padding = np.broadcast_to(seen[NAME].targets == 0, outputs.shape)
    outputs[padding] = 3  # what is said after the end does not count
    tree["outputs"] = tree["outputs"].copy(data=outputs)
    right = done_right(type(seen[NAME])(tree), NAME)
    assert right[["learned", "held_out", "unseen"]].drop_duplicates().to_numpy().tolist() == [[0.75, 1.0, 1.0]]
    assert len(right) == 2 * len(seen[NAME].steps)
    told = learning(right, {(NAME, 0): 12, (NAME, 1): 1})
    assert told["turn"].tolist() == [12, 1]
    assert told["learned_at_turn"].tolist() == [0.75, 0.75]


def test_every_claim_is_measured(real):
    made, _, result = real
    assert [claim.expectation for claim in result.claims] == list(EXPECTATIONS)
    cases = {claim.expectation.name: set(claim.cases) for claim in result.claims}
    assert cases["regularity_rises"] == {
        f"{NAME} · {e} · {lab}" for e in ("binned", "soft") for lab in ("token", "bigram")
    }
    assert cases["compresses"] == {f"{NAME} · binned", f"{NAME} · soft"}
    assert cases["deeper_is_more_regular"] == cases["classes_compress"] == {"tanh · binned", "tanh · soft"}
    assert [table.name for table in result.tables] == ["learning", "phases", "words", "layer_phases", "classes"]
    doubts = {finding.code: finding for finding in result.findings}
    assert doubts["SZ026"].details == (f"{NAME}: seed 0 does 0% of them right", f"{NAME}: seed 1 does 0% of them right")
    told = result.table("words")
    assert {"role", "token", "bigram", "position", ""} == set(told["label"])
    assert told.loc[told["label"] != "", "p"].notna().all()
    assert set(result.table("classes")["layer"]) == {"hidden.0", "hidden.1", "hidden.2"}
    assert made.answer({}, summary=[]).references == ("language", "soft-entropy", "commands", "digits")
    json.loads(result.to_json(), parse_constant=pytest.fail)


def test_the_end_is_each_networks_own():
    frame = pd.DataFrame(
        [
            {"network": name, "seed": seed, "step": step, "layer": "h", "depth": 1.0, "estimator": "soft",
             "label": "class", "measure": "regularity", "value": step + seed, "chance": 1.0, "corrected": step,
             "p": 0.1 * seed, "items": 5, "labels": 2}
            for name, steps in (("a", (0, 5)), ("b", (0, 9))) for seed in (1, 3) for step in steps
        ],
        columns=FOLLOWED,
    )  # fmt: skip
    told = at_the_end(frame).set_index("network")
    assert told["value"].tolist() == [7, 11]
    assert told["untrained"].tolist() == [0, 0]
    assert told["p"].tolist() == pytest.approx([0.3, 0.3])


def test_less_than_was_asked(real):
    made, seen, _ = real
    nothing = made.analyse({})
    assert nothing.summary == ("No network has been trained: there is nothing to measure.",)
    one = made.analyse({NAME: seen[NAME]})
    assert [figure.name for figure in one.figures] == ["learning", "phases"]
    other = made.analyse({"tanh": seen["tanh"]})
    assert [figure.name for figure in other.figures] == ["layers-binned", "layers-soft"]
    for part in (nothing, one, other):
        json.loads(part.to_json(), parse_constant=pytest.fail)


@pytest.mark.slow
def test_all_that_it_gives_can_be_written(real, tmp_path):
    _, _, result = real
    page = write_report(replace(result, versions={}), tmp_path)
    assert page.read_text(encoding="utf-8").count("<svg") == len(result.figures) == 4


# What is asked


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"networks": [NETWORKS[0], NETWORKS[0]]}, "networks, widths and weight_decays must differ"),
        ({"widths": [8, 8]}, "networks, widths and weight_decays must differ"),
        ({"learned": 20_000}, "learned lies between 1 and 10439"),
        ({"watched": 800}, "watched is at most the 700 commands of the part learned; got 800"),
        ({"heads": 3}, "heads that divide its width; got width 8"),
        ({"pairs": 0}, "pairs = 0: input should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_asked(changes, says):
    with pytest.raises(SpecificationError, match=says):
        study(OWN | changes).jobs()


def test_settings_are_widths_and_decays():
    jobs = study({"study": "language", "widths": [16, 32], "weight_decays": [0.0, 0.5]}).jobs()
    names = ["width 16", "width 16 decay 0.5", "width 32", "width 32 decay 0.5"]
    assert list(jobs)[:4] == names
    assert [(jobs[name].width, jobs[name].weight_decay) for name in names] == [(16, 0), (16, 0.5), (32, 0), (32, 0.5)]
    assert [len(jobs[name].layers) for name in ("mlp", "residual", "cnn", "transformer")] == [4, 4, 3, 3]
    assert study({"study": "language", "steps": 7}).jobs()["mlp"].network.steps == 7
