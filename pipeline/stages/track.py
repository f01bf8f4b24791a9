"""Stage `track`, and `make publish`: publish the runs that MLflow does not have yet; write the manifest."""

from pipeline.data.profile import PROFILE
from pipeline.data.split import files as data
from pipeline.evaluation import files as evaluations
from pipeline.evaluation.prune import prune
from pipeline.evaluation.ranking import best_replica, median_replica
from pipeline.foundations.errors import reported_in_one_line
from pipeline.history import files as runs
from pipeline.params.params import Params, read
from pipeline.params.tracking_params import TrackingParams
from pipeline.tracking import manifest
from pipeline.tracking.packaging import Packages
from pipeline.tracking.payload import HISTORY, VariantFiles, VariantPayload, VariantSource, assemble, not_published
from pipeline.tracking.registered_model import registered_name


def main() -> None:
    """Read all files; publish the new runs; write the manifest."""
    params = read()
    prune(params.recipes)
    sources = [_source(name, params) for name in params.recipes]
    tracking = _with_model_name(params)
    known = manifest.load_manifest()
    new = not_published(sources, known)
    with Packages() as packages:
        if new:
            packages.prepare()
        contents = [_content(source, tracking) for source in sources]
        packages.begin({each.variant: each.models for each in contents if each.variant in new})
        # Imported late: MLflow takes seconds, in which the packaging already runs.
        from pipeline.tracking import publish

        manifest.remove_manifest()
        pair = params.comparison.pair or ()
        actions = publish.publish(contents, tracking, pair, data.part_files(), packages)
    manifest.save_manifest({each.variant: each.hashes for each in contents})
    for variant, action in actions.items():
        print(f"track {variant}: {action}")


def _source(name: str, params: Params) -> VariantSource:
    runs.expect_recipe(name, params)
    pretraining = [path for path in [runs.pretraining_path(name)] if path.is_file()]
    files = VariantFiles(
        trained=[*runs.files(name), *data.part_files().values()],
        judged=[*evaluations.tables(name), *evaluations.figures(name)],
        artifacts={
            "figures": evaluations.figures(name),
            "tables": [*evaluations.tables(name), PROFILE],
            HISTORY: [runs.history_path(name), *pretraining],
        },
        images=evaluations.figures(name),
    )
    return VariantSource(name, params.trained_with(name), params.judged_by, files, runs.load_recipe(name).columns)


def _with_model_name(params: Params) -> TrackingParams:
    """Return `tracking` with the name of the registered model instead of `auto`."""
    name = registered_name(params.tracking.registered_model, params.data, data.load_origin().task)
    return params.tracking.model_copy(update={"registered_model": name})


def _content(source: VariantSource, params: TrackingParams) -> VariantPayload:
    history = runs.load_history(source.variant)
    evaluation = evaluations.load_evaluation(source.variant)
    score = evaluation.rule.score
    models = {"median": median_replica(history, score), "best": best_replica(history, score)}
    return assemble(source, evaluation, models, params)


if __name__ == "__main__":
    with reported_in_one_line():
        main()
