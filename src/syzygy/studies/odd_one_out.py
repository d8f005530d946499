"""Which dimensions decide what is alike?  Sparse embeddings of odd-one-out choices of networks, and of a reference."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from syzygy.checks import Evidence, findings
from syzygy.claims import Expectation
from syzygy.errors import SpecificationError
from syzygy.networks import setting
from syzygy.recording import Schedule
from syzygy.result import Result, Table
from syzygy.studies.claims.odd_one_out import EXPECTATIONS, REFERENCE, measured, summary
from syzygy.studies.convergence import RATE, STEPS, watched_layers
from syzygy.studies.drawings import odd_objects
from syzygy.studies.drawings import odd_one_out as drawings
from syzygy.studies.study import Count, Networks, PositiveFloat, Recorded, Seeds, Study
from syzygy.studies.tables import odd_one_out as tables
from syzygy.studies.tables import odd_pairs
from syzygy.studies.tables.odd_one_out import Learned
from syzygy.studies.trainings.choosers import File, Layer, Rule
from syzygy.studies.trainings.objects import Objects, refused, who
from syzygy.studies.trainings.odd_one_out import Embedding
from syzygy.studies.trainings.reading import array
from syzygy.training import Job, Trainable
from syzygy.trajectory import Trajectory

#: Three ways to be a network: deep and rectified, saturating, convolutional.
NETWORKS: Final = tuple(
    setting({"layer": "hidden.0", "learning_rate": RATE, "steps": STEPS, "width": 100, **changes})
    for changes in (
        {"like": "default", "name": "deep", "depth": 4},
        {"like": "tanh", "name": "tanh", "depth": 3, "gain": 1.0},
        {"like": "cnn", "name": "cnn", "depth": 2, "gain": 1.0, "width": 44},
    )
)


class OddOneOutDimensions(Study):
    """Let networks and a reference choose odd ones out, and compare the sparse dimensions that explain their choices.

    Attributes
    ----------
    task
        ``digits``, bundled with scikit-learn, or ``mnist``.
    networks
        Names of the catalogue, or tables that change one; the last hidden layer chooses, of a convolutional one the
        last but one.
    seeds
        One network of each setting per seed.
    steps, learning_rate
        Of all networks; by default the learning rate is each network's own.
    batch_size
        Items per update.
    per_class
        Probe images of each class; they are kept from training, and are the objects.
    probe_seed
        Seed that draws them, and triplets.
    limit
        Use only the first so many images of MNIST.
    record
        Steps at which networks choose: all of the first seed, the others at the first and the last.
    triplets
        Of each chooser; a tenth is held out.
    similarity, choice
        By what representations choose, and whether always the most similar pair or one ``sampled`` by chance.
    embedding_seeds
        Embeddings of each chooser.
    dimensions, epochs, stable, rate, embedding_batch, beta, spike, slab, spike_share
        Of the embeddings, as in :class:`~syzygy.dimensions.odd_one_out.OddOneOut`.
    permutations
        Shuffles of the objects for chance.
    representations
        ``.npy`` files ``(object, unit)`` of any models, in place of networks.
    choices
        A file of choices of people, in place of the reference chooser.
    embedding
        A ``.npy`` file ``(object, dimension)`` of dimensions that are known, in place of the reference chooser.
    objects
        A text file with the objects' names, a line each.
    images
        A folder with a picture of each object, in the order of their names.
    """

    about: ClassVar[str] = "images, odd ones out: which sparse dimensions decide what networks find alike?"
    title: ClassVar[str] = "Odd-one-out dimensions"
    question: ClassVar[str] = (
        "Which sparse dimensions decide what networks find alike, are they the same in networks of other seeds and "
        "architectures, when do they appear in training, and are they those of a reference?"
    )
    references: ClassVar[tuple[str, ...]] = ("odd-one-out", "vice", "things-dimensions", "rsa", "discovery")
    expectations: ClassVar[tuple[Expectation, ...]] = EXPECTATIONS

    study: Literal["odd-one-out"] = "odd-one-out"
    task: Literal["digits", "mnist"] = "digits"
    networks: Networks = NETWORKS
    seeds: Seeds = (0, 1, 2)
    steps: Count = STEPS
    learning_rate: PositiveFloat | None = None
    batch_size: Count = 64
    per_class: Annotated[int, Field(ge=2)] = 12
    probe_seed: Annotated[int, Field(ge=0)] = 0
    limit: Count | None = None
    record: Recorded = Schedule("log", 6)
    triplets: Annotated[int, Field(ge=100)] = 20_000
    similarity: Literal["dot", "cosine", "euclidean"] = "dot"
    choice: Literal["argmax", "sampled"] = "argmax"
    embedding_seeds: Seeds = (0, 1)
    dimensions: Annotated[int, Field(ge=2)] = 40
    epochs: Count = 400
    stable: Count = 100
    rate: PositiveFloat = 0.01
    embedding_batch: Count = 512
    beta: PositiveFloat = 1.0
    spike: PositiveFloat = 0.25
    slab: PositiveFloat = 1.0
    spike_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    permutations: Annotated[int, Field(ge=19)] = 199
    representations: tuple[str, ...] = ()
    choices: str | None = None
    embedding: str | None = None
    objects: str | None = None
    images: str | None = None

    def jobs(self) -> dict[str, Trainable]:
        """Give networks by their name, and embeddings by who chooses: ``deep/0@2000``, ``reference``."""
        self._refused()
        objects, networks = self._objects(), self._networks()
        jobs: dict[str, Trainable] = dict(networks)
        rule = Rule(self.triplets, self.similarity, self.choice, self.probe_seed)
        for path in self.representations:
            jobs[f"{tables.stem(path)}/0@end"] = self._embedding(File.of(path, rule), objects, self.embedding_seeds)
        for name, job in networks.items():
            at = self.record.at(job.network.steps)
            assert job.layers is not None, "its layers are named"
            for seed in self.seeds:
                for place, step in enumerate(at):
                    ends = place in (0, len(at) - 1)
                    if ends or seed == self.seeds[0]:
                        layer = Layer(job, seed, job.layers[-1], place, rule)
                        some = self.embedding_seeds if ends else self.embedding_seeds[:1]
                        jobs[f"{name}/{seed}@{step}"] = self._embedding(layer, objects, some)
        if self.embedding is None:
            jobs[REFERENCE] = self._embedding(objects.reference(self.choices, rule), objects, self.embedding_seeds)
        return jobs

    def _refused(self) -> None:
        names = [tables.stem(path) for path in self.representations] or [network.name for network in self.networks]
        if len(set(names)) != len(names) or REFERENCE in names or any("@" in one for one in names):
            raise SpecificationError(
                f"networks must have different names, none {REFERENCE!r} or with '@'; got {', '.join(names)}"
            )
        if self.limit is not None and self.task != "mnist":
            raise SpecificationError(f"limit is of the task mnist only; leave it out for {self.task}")
        refused(self.representations, self.choices, self.embedding, self.images)
        if len(set(self.embedding_seeds)) != len(self.embedding_seeds) or len(self.embedding_seeds) < 2:
            raise SpecificationError(f"embeddings need two different seeds or more; got {self.embedding_seeds}")

    def _networks(self) -> dict[str, Job]:
        options: dict[str, Any] = {"per_class": self.per_class, "probe_seed": self.probe_seed, "held_out": True}
        if self.limit is not None:
            options["limit"] = self.limit
        some = () if self.representations else self.networks
        return {
            network.name: Job(
                task=self.task,
                options=options,
                network=network.model_copy(
                    update={"steps": self.steps, "learning_rate": self.learning_rate or network.learning_rate}
                ),
                seeds=self.seeds,
                record=self.record,
                batch_size=self.batch_size,
                precision=self.precision,
                layers=watched_layers(network)[-1:],
            )
            for network in some
        }

    def _objects(self) -> Objects:
        """Give what is known of the objects: names, classes, pictures."""
        if self.representations:
            found = Objects.of_files(self.representations, self.objects, self.images)
        else:
            found = Objects.of_task(next(iter(self._networks().values())), self.objects)
        if self.embedding and (there := len(array(self.embedding))) != found.count:
            raise SpecificationError(
                f"{self.embedding} has {there} objects, and there are {found.count}; give the same"
            )
        return found

    def _embedding(self, chooser: Any, objects: Objects, seeds: tuple[int, ...]) -> Embedding:
        keys = ("dimensions", "epochs", "stable", "rate", "beta", "spike", "slab", "spike_share")
        options = {key: getattr(self, key) for key in keys} | {"batch": self.embedding_batch}
        return Embedding(seeds, chooser, objects.count, options)

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Compare embeddings with each other and with the reference's."""
        jobs, objects = self.jobs(), self._objects()
        some = tables.learned(jobs, trajectories)
        reference = self._reference(some)
        networks = [one for one in some if one is not reference]
        if reference is None or not reference.usable or not any(one.usable for one in networks):
            return self.nothing(trajectories, "No network or no reference has dimensions: there is nothing to compare.")
        names, classes = objects.names, objects.classes
        learned = tables.by_embedding([reference, *networks], classes)
        alike = tables.by_network(networks, reference, self.permutations)
        shared = tables.sharing(networks, reference)
        found = tables.recovered(objects.known if not (self.choices or self.embedding) else {}, reference)
        every = odd_pairs.dimensions(networks, reference, names, classes, self.permutations)
        apart = odd_pairs.disagreements(networks, reference, names)
        told = measured(found, learned, shared, alike, every[every["architecture"] != REFERENCE])
        evidence = [Evidence(name, trajectories.get(name), None, job.seeds) for name, job in self._networks().items()]
        return self.answer(
            trajectories,
            summary=summary(learned, alike, shared, every, found, who(self.choices, self.embedding)),
            findings=(*findings(evidence), *odd_pairs.unsettled(learned, self.stable, self.epochs)),
            tables=(
                Table("dimensions", odd_pairs.DIMENSIONS_CAPTION, every),
                Table("embeddings", tables.LEARNED_CAPTION, learned),
                Table("reference", tables.ALIKE_CAPTION, alike),
                Table("shared", tables.SHARED_CAPTION, tables.by_kind(shared)),
                *((Table("recovered", tables.RECOVERED_CAPTION, found),) if len(found) else ()),
                *(
                    (Table("disagreements", odd_pairs.DIVERGENT_CAPTION, apart.drop(columns="places")),)
                    if len(apart)
                    else ()
                ),
            ),
            figures=(
                *odd_objects.dimensions([reference, *networks], names, objects.shown, every),
                *odd_objects.disagreements(apart, objects.shown, names),
                drawings.matrices([reference, *networks], classes),
                drawings.over_training(alike, learned),
                drawings.shared(shared),
                drawings.added(odd_pairs.curves(networks, reference)),
                drawings.pairs(every[every["architecture"] != REFERENCE]),
            ),
            claims=[self.claim(name, cases) for name, cases in told.items()],
            detail=", ".join(map(tables.stem, self.representations)) or self.task,
            references=() if self.representations else (self.task,),
        )

    def _reference(self, some: list[Learned]) -> Learned | None:
        if self.embedding:
            given = array(self.embedding)
            kept = given[:, given.any(axis=0)]
            return Learned(REFERENCE, 0, -1, REFERENCE, {0: kept}, {0: True})
        return next((one for one in some if one.state == REFERENCE), None)
