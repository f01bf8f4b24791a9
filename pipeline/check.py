"""All of params.yaml, checked before anything runs: a mistake in a late section should not wait for an hour.

Each stage checks what it is handed again; names of Keras's classes are checked where Keras is at hand, by `train`.
"""

from pipeline.foundations.errors import reported_in_one_line
from pipeline.params import file, variants
from pipeline.params.comparison import ComparisonParams
from pipeline.params.data import DataParams
from pipeline.params.diagnosis import DiagnosisParams
from pipeline.params.evaluation import EvaluationParams
from pipeline.params.split import SplitParams
from pipeline.params.studies import cells, study_names
from pipeline.params.tensorboard import TensorBoardParams, expect_replicas
from pipeline.params.tracking import TrackingParams
from pipeline.params.training import TrainingParams

MODELS: dict[str, type[file.Section]] = {
    "data": DataParams,
    "split": SplitParams,
    "training": TrainingParams,
    "evaluation": EvaluationParams,
    "diagnosis": DiagnosisParams,
    "comparison": ComparisonParams,
    "tracking": TrackingParams,
    "tensorboard": TensorBoardParams,
}


def main() -> None:
    """Check every section, every variant and every study.

    Raises:
        UserError: the first fault.
    """
    document = file.read()
    for name, model in MODELS.items():
        file.section(document, name, model)
    replicas = file.section(document, "training", TrainingParams).replicas
    expect_replicas(file.section(document, "tensorboard", TensorBoardParams), replicas)
    for name in variants.names(document):
        variants.resolve(document, name)
    for name in study_names(document):
        cells(document, name, file.section(document, "training", TrainingParams))


if __name__ == "__main__":
    with reported_in_one_line():
        main()
