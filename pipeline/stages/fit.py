"""Stage `fit@<network>`: all replicas of one network of the user's own -> history, final weights, predictions, recipe.

Its replicas are cells: those that are finished outlive an interrupted stage.
"""

from pipeline.cells import store
from pipeline.cells.observed import ObservedReplicas
from pipeline.cells.run import Workers
from pipeline.cells.work import of_replicas
from pipeline.data.split_files import fingerprint, load_origin, load_split
from pipeline.foundations.errors import one_argument, reported_in_one_line
from pipeline.history.files import folder, save_recipe, save_run
from pipeline.history.progress import progress_file
from pipeline.history.recipe import Recipe
from pipeline.params.params import read
from pipeline.training.machine import choose_device, cores
from pipeline.training.progress import epochs_bar
from pipeline.training.replicas import joined
from pipeline.training.trainer import Observers, main_curves
from pipeline.training.versions import versions


def main(network: str) -> None:
    """Read `training`, the network and the split; train what is missing, gather and write."""
    params = read()
    recipe, split = params.network(network).recipe, load_split()
    training = params.network(network).training(params.training)
    tasks = of_replicas(network, network, recipe, training, fingerprint())
    if not all(store.holds(task.key) for task in tasks.values()):
        choose_device(training.device)
        from pipeline.training.fit.replica import expect_trainable  # here, for TensorFlow takes seconds to import

        expect_trainable(network, recipe, split)
    together, curves = min(cores(), training.replicas), main_curves(split)
    with (
        epochs_bar("fit", network, training.replicas, training.epochs) as bar,
        progress_file(network, "network", training.epochs, training.replicas, together, curves) as file,
        Workers() as workers,
    ):
        observed = ObservedReplicas(tasks, Observers([bar, file]))
        workers.run(tasks, split, observed.on_cell, observed.on_epoch)
    trained = joined([store.load_replica(task.key) for task in tasks.values()])
    save_recipe(network, Recipe(variant=recipe, training=training, versions=versions(), **dict(load_origin())))
    save_run(network, trained.history, trained.predictions, trained.weights)
    if "device" in trained.history.attrs:
        print(f"fit {network}: on {trained.history.attrs['device']}: the same bytes are not promised")
    print(f"fit {network}: {training.replicas} replicas, {training.epochs} epochs -> {folder(network)}")


if __name__ == "__main__":
    with reported_in_one_line():
        main(one_argument("network"))
