"""Commands and the actions that they ask for: a compositional task from sequences to sequences.

The grammar, and what a command means::

    command := clause | clause "and" clause | clause "after" clause
    clause  := verb [direction] ["twice" | "thrice"]

    wave                       WAVE
    wave left                  LEFT WAVE
    wave left twice            LEFT WAVE LEFT WAVE
    nod and wave left          NOD LEFT WAVE
    nod after wave left        LEFT WAVE NOD

It is in the spirit of Lake and Baroni (2018), with a grammar of our own.  Some verbs never meet some direction in what
is learned, though each is learned with others: who has learned what the words mean can tell what they mean together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import DataError, SpecificationError, UnknownName
from syzygy.seeds import stream

VERBS: Final = ("nod", "wave", "clap", "jump", "bow", "knock")
DIRECTIONS: Final = ("left", "right", "up", "down")
TIMES: Final = MappingProxyType({"twice": 2, "thrice": 3})
CONJUNCTIONS: Final = ("and", "after")
#: The grammatical role of every word.
ROLES: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(VERBS, "verb")
    | dict.fromkeys(DIRECTIONS, "direction")
    | dict.fromkeys(TIMES, "times")
    | dict.fromkeys(CONJUNCTIONS, "conjunction")
)
#: What sequences of words and of actions hold beside these: nothing, at the end of shorter ones; the end of actions,
#: which also tells their reader to begin.
PADDING, END = "·", "."
WORDS: Final = (PADDING, *ROLES)
ACTIONS: Final = (PADDING, END, *(word.upper() for word in (*VERBS, *DIRECTIONS)))
#: Most words of a command; most actions, with their end.
LONGEST: Final = (7, 13)

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Commands:
    """Commands in three parts that share none.

    Attributes
    ----------
    learned
        Commands to learn, in the order of their draw.
    held_out
        Others that are made of the same pairs of verb and direction.
    unseen
        Commands in which a verb meets a direction that it never met in the two parts above.
    pairs
        These verbs with their directions.
    """

    learned: tuple[str, ...]
    held_out: tuple[str, ...]
    unseen: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]


@lru_cache(maxsize=8)
def commands(verbs: int = 6, directions: int = 4, pairs: int = 6, learned: int = 1000, seed: int = 0) -> Commands:
    """Draw what is learned and what is held out of all commands of the grammar.

    Parameters
    ----------
    verbs, directions
        Number of words used.
    pairs
        So many verbs never meet one direction in what is learned.
    learned
        Number of commands to learn; of each verb, each direction and each other word there must be some among them.
    seed
        Of the draw.

    Raises
    ------
    SpecificationError
        A number out of range, or so few learned commands that one of the words, or of the other pairs, is not learned.

    Examples
    --------
    >>> drawn = commands()
    >>> len(drawn.learned), len(drawn.held_out), len(drawn.unseen), drawn.pairs[:2]
    (1000, 9440, 5850, (('nod', 'left'), ('bow', 'up')))
    """
    if not 2 <= verbs <= len(VERBS) or not 2 <= directions <= len(DIRECTIONS) or not 0 <= pairs <= verbs or seed < 0:
        raise SpecificationError(
            f"verbs are 2 to {len(VERBS)}, directions 2 to {len(DIRECTIONS)}, pairs 0 to the number of verbs, the seed "
            f"0 or more; got {verbs}, {directions}, {pairs} and {seed}"
        )
    draw = np.random.default_rng(stream(seed, "probe"))
    kept, turns = draw.permutation(verbs)[:pairs], draw.permutation(directions)
    apart = [(VERBS[verb], DIRECTIONS[turns[place % directions]]) for place, verb in enumerate(kept)]
    everything = [" ".join(words) for words in _all(VERBS[:verbs], DIRECTIONS[:directions])]
    drawn = [everything[index] for index in draw.permutation(len(everything))]
    strange = {f"{verb} {direction}" for verb, direction in apart}
    unseen = tuple(one for one in drawn if not strange.isdisjoint(_pairs(one)))
    known = [one for one in drawn if strange.isdisjoint(_pairs(one))]
    if not 1 <= learned < len(known):
        raise SpecificationError(f"learned lies between 1 and {len(known) - 1} commands of this grammar; got {learned}")
    parts = Commands(tuple(known[:learned]), tuple(known[learned:]), unseen, tuple(apart))
    _all_is_learned(parts)
    return parts


def meaning(command: str) -> tuple[str, ...]:
    """Give the actions that a command asks for.

    Raises
    ------
    UnknownName
        A word that is not of the grammar.
    DataError
        Words in an order that is not.

    Examples
    --------
    >>> meaning("nod after wave left twice")
    ('LEFT', 'WAVE', 'LEFT', 'WAVE', 'NOD')
    """
    words = command.split()
    for word in words:
        if word not in ROLES:
            raise UnknownName("word", word, ROLES)
    places = [place for place, word in enumerate(words) if word in CONJUNCTIONS]
    if len(places) > 1:
        raise DataError(f"a command has at most one of {' and '.join(CONJUNCTIONS)}; got {command!r}")
    if not places:
        return _clause(words, command)
    first, second = (_clause(part, command) for part in (words[: places[0]], words[places[0] + 1 :]))
    return first + second if words[places[0]] == "and" else second + first


def encode(some: Sequence[str]) -> tuple[Codes, Codes]:
    """Give commands as numbers of words, and their actions as numbers of actions.

    Returns
    -------
    tuple
        Places in :data:`WORDS` and in :data:`ACTIONS`, each ``(item, position)``; actions end in :data:`END`, shorter
        sequences in :data:`PADDING`, which is 0.

    Raises
    ------
    UnknownName, DataError
        As :func:`meaning`.

    Examples
    --------
    >>> words, actions = encode(["wave left", "nod"])
    >>> [WORDS[word] for word in words[0, :3]], [ACTIONS[one] for one in actions[0, :4]]
    (['wave', 'left', '·'], ['LEFT', 'WAVE', '.', '·'])
    """
    given = [(*one.split(),) for one in some], [(*meaning(one), END) for one in some]
    coded = []
    for sequences, names, longest in zip(given, (WORDS, ACTIONS), LONGEST, strict=True):
        place = {name: index for index, name in enumerate(names)}
        coded.append(np.zeros((len(sequences), longest), dtype=np.int64))
        for row, sequence in zip(coded[-1], sequences, strict=True):
            row[: len(sequence)] = [place[name] for name in sequence]
    return coded[0], coded[1]


def _clause(words: Sequence[str], command: str) -> tuple[str, ...]:
    """Give the actions of a verb and what may follow it."""
    roles = tuple(ROLES[word] for word in words)
    known = {("verb", *more) for more in ((), ("direction",), ("times",), ("direction", "times"))}
    if roles not in known:
        raise DataError(f"a clause is a verb, and perhaps a direction, and perhaps how often; got {command!r}")
    times = TIMES.get(words[-1], 1)
    once = (words[1], words[0]) if "direction" in roles else (words[0],)
    return times * tuple(word.upper() for word in once)


def _all(verbs: Sequence[str], directions: Sequence[str]) -> list[tuple[str, ...]]:
    """Give every command of the grammar with these words."""
    clauses = [
        (verb, *direction, *times)
        for verb, direction, times in product(verbs, [(), *zip(directions)], [(), *zip(TIMES)])
    ]
    both = [(*first, word, *second) for first, word, second in product(clauses, CONJUNCTIONS, clauses)]
    return clauses + both


def _pairs(command: str) -> set[str]:
    """Give the verbs with a direction behind them."""
    words = command.split()
    return {f"{verb} {next_}" for verb, next_ in pairwise(words) if ROLES[next_] == "direction"}


def _all_is_learned(parts: Commands) -> None:
    """Refuse to hold out what could not be told: a word, or a pair that is not meant to be unseen."""
    told = [one.split() for one in (*parts.learned, *parts.held_out)]
    missing = {word for one in told for word in one} - {word for one in parts.learned for word in one.split()}
    pairs = set().union(*map(_pairs, parts.held_out)) - set().union(*map(_pairs, parts.learned))
    if missing or pairs:
        raise SpecificationError(
            f"{len(parts.learned)} commands are too few to learn: {', '.join(sorted(missing | pairs))} is not among "
            "them; raise learned"
        )
