"""Stage `track`, and `make publish`: files -> MLflow, whatever is not there yet; then the receipt."""

from collections.abc import Mapping
from typing import Any

from pipeline.artifacts import evaluations, receipt
from pipeline.artifacts.measured import runs, splits
from pipeline.contents.variant import Source, VariantContent, VariantFiles, assemble, not_published
from pipeline.foundations.errors import reported_in_one_line
from pipeline.params import file, variants
from pipeline.params.comparison import ComparisonParams
from pipeline.params.data import DataParams
from pipeline.params.diagnosis import DiagnosisParams
from pipeline.params.evaluation import EvaluationParams
from pipeline.params.file import Section
from pipeline.params.split import SplitParams
from pipeline.params.tracking import TrackingParams
from pipeline.params.training import TrainingParams
from pipeline.records.history import best_replica, median_replica
from pipeline.tracking.packaging import Packages

SHARED: dict[str, type[Section]] = {"training": TrainingParams, "data": DataParams, "split": SplitParams}
JUDGED: dict[str, type[Section]] = {"evaluation": EvaluationParams, "diagnosis": DiagnosisParams}


def main() -> None:
    """Read everything, publish what is new, leave the receipt."""
    document = file.read()
    params = file.section(document, "tracking", TrackingParams)
    pair = file.section(document, "comparison", ComparisonParams).pair
    sources, known = [_source(name, document) for name in variants.names(document)], receipt.load_receipt()
    new = not_published(sources, known)
    with Packages() as packages:
        if new:
            packages.prepare()
        contents = [_content(source, params) for source in sources]
        packages.begin({each.variant: each.models for each in contents if each.variant in new})
        # Here, for MLflow takes seconds to import, and packaging goes on meanwhile.
        from pipeline.tracking import publish

        receipt.remove_receipt()
        done = publish.publish(contents, params, pair, publish.datasets_of(splits.TRAIN, splits.TEST), packages)
    receipt.save_receipt({each.variant: each.hashes for each in contents})
    for variant, what in done.items():
        print(f"track {variant}: {what}")


def _source(name: str, document: Mapping[str, Any]) -> Source:
    variant = variants.resolve(document, name)
    recipe = variant.model_dump(mode="json")
    shared = {key: file.section(document, key, model).model_dump(mode="json") for key, model in SHARED.items()}
    judged = {key: file.section(document, key, model).model_dump(mode="json") for key, model in JUDGED.items()}
    runs.expect_recipe(name, {"variant": recipe, **shared})
    before = [runs.pretraining_path(name)] if variant.extra_epochs else []
    files = VariantFiles(
        trained=[*runs.files(name), splits.TRAIN, splits.TEST],
        judged=[*evaluations.tables(name), *evaluations.figures(name)],
        artifacts={
            "figures": evaluations.figures(name),
            "tables": evaluations.tables(name),
            "history": [runs.history_path(name), *before],
        },
        images=evaluations.figures(name),
    )
    return Source(name, recipe, shared, judged, files)


def _content(source: Source, params: TrackingParams) -> VariantContent:
    history = runs.load_history(source.variant)
    models = {"median": median_replica(history), "best": best_replica(history)}
    return assemble(source, evaluations.load_evaluation(source.variant), models, params)


if __name__ == "__main__":
    with reported_in_one_line():
        main()
