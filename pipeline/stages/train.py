"""Stage `train@<variant>`: all replicas of one variant -> history, final weights, predictions, recipe."""

from pipeline.artifacts.measured.runs import folder, save_pretraining, save_recipe, save_run
from pipeline.artifacts.measured.splits import load_origin, load_split
from pipeline.foundations.errors import one_argument, reported_in_one_line
from pipeline.params import file, variants
from pipeline.params.training import TrainingParams
from pipeline.provenance import versions
from pipeline.training.progress import epochs_bar
from pipeline.training.replicas import train


def main(variant: str) -> None:
    """Read `training`, the variant and the split; train and write."""
    document = file.read()
    params = file.section(document, "training", TrainingParams)
    recipe = variants.resolve(document, variant)
    with epochs_bar(variant, params.replicas, recipe.extra_epochs + params.epochs) as on_epoch:
        trained = train(recipe, variant, load_split(), params, on_epoch)
    used = {"variant": recipe.model_dump(mode="json"), "training": params.model_dump(mode="json")}
    save_recipe(variant, {**used, **load_origin(), "versions": versions()})
    save_run(variant, trained.history, trained.predictions, trained.weights)
    save_pretraining(variant, trained.pretraining)
    print(f"train {variant}: {params.replicas} replicas, {params.epochs} epochs -> {folder(variant)}")


if __name__ == "__main__":
    with reported_in_one_line():
        main(one_argument("variant"))
