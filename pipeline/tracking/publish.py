"""Publish the files of all stages to an MLflow store. This is idempotent, and correct after a kill at any moment.

The experiment's description and the registered model follow the repository's params.yaml. DVC experiments do not change
them, because several may run at once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.params.tracking_params import TrackingParams
from pipeline.tracking import store
from pipeline.tracking.guide import STUDIES_GUIDE, guide
from pipeline.tracking.packaging import Packages
from pipeline.tracking.payload import VariantPayload
from pipeline.tracking.publisher import Publisher, in_experiment
from pipeline.tracking.registered_model import choose
from pipeline.tracking.turn import LEASE, Turn


def publish(
    contents: Sequence[VariantPayload],
    params: TrackingParams,
    pair: Sequence[str],
    datasets: dict[str, Path],
    packages: Packages,
    patience: float = LEASE,
) -> dict[str, str]:
    """Publish the runs that the store does not hold yet.

    Args:
        contents: the variants in the order of params.yaml.
        params: the section `tracking` of params.yaml.
        pair: the two variants to compare, if any.
        datasets: the file of each part of the data, by the part's name.
        packages: the models' packages. This starts the packaging of models for which it has not started.
        patience: seconds without a new nonce after which another publisher counts as dead.

    Returns:
        For each variant "published", "evaluated again" or "nothing new".

    Raises:
        UserError: the store does not answer or cannot be written.
    """
    with _publisher(params.experiment, patience) as publisher:
        done, run_ids = publisher.bring(contents, datasets, packages)
        publisher.arrange({content.variant: content.parameters for content in contents}, pair)
        if not in_experiment():
            variants = [content.variant for content in contents]
            publisher.describe(guide(variants, pair, params.registered_model, contents[0].final))
            best = choose(contents)
            if best is not None:
                publisher.register(params.registered_model, best, run_ids[best.content.variant])
        return done


def publish_study(content: VariantPayload, params: TrackingParams, datasets: dict[str, Path]) -> str:
    """Publish a study into the experiment of studies; arguments, result and errors are those of `publish`."""
    with _publisher(f"{params.experiment}-studies", LEASE) as publisher, Packages() as no_packages:
        done, _ = publisher.bring([content], datasets, no_packages)
        if not in_experiment():
            publisher.describe(STUDIES_GUIDE)
        return done[content.variant]


@contextmanager
def _publisher(experiment: str, patience: float) -> Iterator[Publisher]:
    uri = store.tracking_uri()
    with store.locked(), store.readable_errors(uri):
        client = store.connect(uri)
        experiment_id = store.experiment_id(client, experiment)
        with Turn(client, experiment_id, patience) as turn:
            yield Publisher(client, experiment_id, turn)
