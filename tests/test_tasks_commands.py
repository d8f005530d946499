"""Commands: what they mean, by another interpreter; parts that share nothing; and what cannot be drawn."""

import re
from itertools import pairwise

import numpy as np
import pytest

from syzygy.errors import DataError, SpecificationError, UnknownName
from syzygy.tasks.commands import ACTIONS, DIRECTIONS, LONGEST, ROLES, TIMES, VERBS, WORDS, commands, encode, meaning

EVERY = commands()


def rewritten(command):
    """Give actions by rewriting text, as another would."""
    text = re.sub(r"^(.*) after (.*)$", r"\2 and \1", command)
    text = re.sub(rf"({'|'.join(VERBS)}) ({'|'.join(DIRECTIONS)})", r"\2-\1", text)
    text = re.sub(r"(\S+) twice", r"\1 \1", text)
    text = re.sub(r"(\S+) thrice", r"\1 \1 \1", text)
    return tuple(text.replace(" and ", " ").replace("-", " ").upper().split())


def pairs_of(some):
    return {pair for one in some for pair in pairwise(one.split()) if ROLES[pair[1]] == "direction"}


def test_meanings_are_those_of_another_interpreter():
    for command in (*EVERY.learned, *EVERY.held_out, *EVERY.unseen):
        assert meaning(command) == rewritten(command)


def test_the_parts_are_the_grammar_and_share_nothing():
    parts = [set(EVERY.learned), set(EVERY.held_out), set(EVERY.unseen)]
    clauses = len(VERBS) * (1 + len(DIRECTIONS)) * (1 + len(TIMES))
    assert sum(map(len, parts)) == len(set.union(*parts)) == clauses + 2 * clauses**2
    assert not set(EVERY.pairs) & pairs_of([*EVERY.learned, *EVERY.held_out])
    assert pairs_of(EVERY.learned) == {(v, d) for v in VERBS for d in DIRECTIONS} - set(EVERY.pairs)
    assert all(set(EVERY.pairs) & pairs_of([one]) for one in EVERY.unseen)


def test_each_of_the_verbs_misses_one_direction():
    assert len({verb for verb, _ in EVERY.pairs}) == len(EVERY.pairs) == 6
    assert {direction for _, direction in EVERY.pairs} == set(DIRECTIONS)
    assert commands(pairs=0).unseen == ()


def test_a_draw_is_its_seed():
    assert commands(seed=3) == commands(seed=3)
    assert commands(seed=3).learned != commands(seed=4).learned
    assert commands(seed=3).pairs != commands(seed=4).pairs
    assert commands(learned=900).learned == EVERY.learned[:900]
    small = commands(verbs=2, directions=3, pairs=1, learned=60)
    assert {word for one in small.learned for word in one.split()} == {
        *VERBS[:2],
        *DIRECTIONS[:3],
        *TIMES,
        "and",
        "after",
    }


def test_numbers_are_words_and_actions():
    chosen = EVERY.unseen[:50]
    words, actions = encode(chosen)
    assert (words.shape[1], actions.shape[1]) == LONGEST
    for command, row, answer in zip(chosen, words, actions, strict=True):
        assert " ".join(WORDS[word] for word in row if word) == command
        said = [ACTIONS[one] for one in answer if one]
        assert tuple(said[:-1]) == rewritten(command)
        assert said[-1] == "."
    assert (np.diff((words == 0).astype(int), axis=1) >= 0).all()  # padding is at the end
    longest = encode(["nod left thrice after bow up thrice"])
    assert all((one > 0).all() for one in longest)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"verbs": 7}, "verbs are 2 to 6, directions 2 to 4.*; got 7, 4, 6 and 0"),
        ({"directions": 1}, "got 6, 1, 6 and 0"),
        ({"pairs": 7}, "pairs 0 to the number of verbs.*; got 6, 4, 7 and 0"),
        ({"seed": -1}, "got 6, 4, 6 and -1"),
        ({"learned": 10440}, "learned lies between 1 and 10439 commands of this grammar; got 10440"),
        ({"learned": 3}, "3 commands are too few to learn: .*; raise learned"),
    ],
)
def test_what_cannot_be_drawn(options, says):
    with pytest.raises(SpecificationError, match=says):
        commands(**options)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("", "a clause is a verb"),
        ("left wave", "a clause is a verb, and perhaps a direction, and perhaps how often; got 'left wave'"),
        ("wave twice left", "a clause is a verb"),
        ("wave and", "a clause is a verb"),
        ("wave wave", "a clause is a verb"),
        ("nod and nod after nod", "at most one of and and after; got"),
    ],
)
def test_what_is_no_command(command, says):
    with pytest.raises(DataError, match=says):
        meaning(command)
    with pytest.raises(UnknownName, match=r"unknown word 'wav'; did you mean wave\?"):
        encode(["wav left"])
