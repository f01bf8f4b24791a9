"""Stage `fit@<network>`: all replicas of a user's own network -> history, final weights, predictions, recipe.

Each replica is stored as a cell, so that finished replicas are kept if the stage is interrupted.
"""

from pipeline.data.split.files import fingerprint, load_origin, load_split
from pipeline.foundations.errors import one_argument, reported_in_one_line
from pipeline.history.files import folder, save_recipe, save_run
from pipeline.history.recipe import Recipe
from pipeline.history.training_progress import progress_file
from pipeline.params.params import read
from pipeline.studies import cell_store
from pipeline.studies.observed_replicas import ObservedReplicas
from pipeline.studies.work import replica_works
from pipeline.studies.workers import Workers
from pipeline.training.common.machine import choose_device, cores
from pipeline.training.common.progress_bars import epochs_bar
from pipeline.training.common.train_replicas import join_replicas
from pipeline.training.common.trainer import Observers, main_curves
from pipeline.training.common.versions import versions


def main(network: str) -> None:
    """Read `training`, the network and the split; train the missing replicas, join all replicas and write them."""
    params = read()
    recipe, split, data = params.network(network).recipe, load_split(), fingerprint()
    training = params.network(network).training(params.training)
    works = replica_works(network, network, recipe, training, data)
    if not all(cell_store.holds(work.key) for work in works.values()):
        choose_device(training.device)
        # Imported late: TensorFlow takes seconds.
        from pipeline.training.networks.replica import expect_trainable

        expect_trainable(network, recipe, split)
    parallel_replicas, curves = min(cores(), training.replicas), main_curves(split)
    with (
        epochs_bar("fit", network, training.replicas, training.epochs) as bar,
        progress_file(network, "network", training.epochs, training.replicas, parallel_replicas, curves) as file,
        Workers() as workers,
    ):
        observed = ObservedReplicas(works, Observers([bar, file]))
        workers.run(works, {data: split}, observed.on_cell, observed.on_epoch)
    trained = join_replicas([cell_store.load_replica(work.key) for work in works.values()])
    save_recipe(network, Recipe(variant=recipe, training=training, versions=versions(), **dict(load_origin())))
    save_run(network, trained.history, trained.predictions, trained.weights)
    if "device" in trained.history.attrs:
        device = trained.history.attrs["device"]
        print(f"fit {network}: trained on {device}: another run may give slightly different numbers")
    print(f"fit {network}: {training.replicas} replicas, {training.epochs} epochs -> {folder(network)}")


if __name__ == "__main__":
    with reported_in_one_line():
        main(one_argument("network"))
