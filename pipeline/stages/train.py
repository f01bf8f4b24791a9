"""Stage `train@<variant>`: all replicas of one variant -> history, final weights, predictions, recipe."""

from pipeline.data.split.files import load_origin, load_split
from pipeline.foundations.errors import one_argument, reported_in_one_line
from pipeline.history.files import folder, save_pretraining, save_recipe, save_run
from pipeline.history.recipe import Recipe
from pipeline.history.training_progress import progress_file
from pipeline.params.params import read
from pipeline.training.common.progress_bars import epochs_bar
from pipeline.training.common.train_replicas import train
from pipeline.training.common.trainable import expect_rows_of_numbers, expect_trainable
from pipeline.training.common.trainer import main_curves
from pipeline.training.common.versions import versions


def main(variant: str) -> None:
    """Read `training`, the variant and the split; train all replicas and write them."""
    params = read()
    recipe, training, split = params.variant(variant), params.training, load_split()
    expect_rows_of_numbers(split)
    expect_trainable(recipe, split.inputs, split.task, f"variants.{variant}")
    replicas, epochs = training.replicas, training.epochs
    parallel_replicas, curves = min(replicas, training.chunk), main_curves(split)
    with (
        epochs_bar("train", variant, replicas, recipe.extra_epochs + epochs) as bar,
        progress_file(variant, "variant", epochs, replicas, parallel_replicas, curves) as file,
    ):
        trained = train(recipe, variant, split, training, [bar, file])
    save_recipe(variant, Recipe(variant=recipe, training=training, versions=versions(), **dict(load_origin())))
    save_run(variant, trained.history, trained.predictions, trained.weights)
    save_pretraining(variant, trained.pretraining)
    print(f"train {variant}: {replicas} replicas, {epochs} epochs -> {folder(variant)}")


if __name__ == "__main__":
    with reported_in_one_line():
        main(one_argument("variant"))
