"""All of params.yaml in one frozen, strict model: read once, checked as a whole, so that no mistake waits."""

from pathlib import Path
from typing import Any, cast

from pipeline.foundations.errors import UserError
from pipeline.params import studies, variants
from pipeline.params.comparison import ComparisonParams
from pipeline.params.data import DataParams
from pipeline.params.diagnosis import DiagnosisParams
from pipeline.params.evaluation import EvaluationParams
from pipeline.params.file import PARAMS_FILE, Section, check, load, one_of, unknown_key
from pipeline.params.split import SplitParams
from pipeline.params.studies import Cell, StudyParams
from pipeline.params.tensorboard import TensorBoardParams, expect_replicas
from pipeline.params.tracking import TrackingParams
from pipeline.params.training import TrainingParams
from pipeline.params.variants import VariantParams


class Params(Section):
    """params.yaml. `variants` have what they inherit from `defaults`, which is a section of the file alone."""

    data: DataParams
    split: SplitParams
    training: TrainingParams
    variants: dict[str, VariantParams]
    evaluation: EvaluationParams
    comparison: ComparisonParams
    tracking: TrackingParams
    tensorboard: TensorBoardParams
    diagnosis: DiagnosisParams
    studies: dict[str, StudyParams]

    def variant(self, name: str) -> VariantParams:
        """Raises: UserError: there is no such variant."""
        if name not in self.variants:
            raise UserError(f"variants.{name}: not found: {one_of(self.variants, name)}")
        return self.variants[name]

    def trained_with(self, variant: str) -> dict[str, Any]:
        """All parameters that a training depends on, as plain values: `variant`, `training`, `data`, `split`."""
        sections = {"variant": self.variant(variant), "training": self.training, "data": self.data, "split": self.split}
        return {name: section.model_dump(mode="json") for name, section in sections.items()}

    @property
    def judged_by(self) -> dict[str, Any]:
        """All parameters that an evaluation depends on, as plain values: `evaluation`, `diagnosis`."""
        sections = {"evaluation": self.evaluation, "diagnosis": self.diagnosis}
        return {name: section.model_dump(mode="json") for name, section in sections.items()}

    def study(self, name: str) -> tuple[StudyParams, list[Cell]]:
        """A study and its cells.

        Raises:
            UserError: there is no such study.
        """
        if name not in self.studies:
            raise UserError(f"studies.{name}: not found: {one_of(self.studies, name)}")
        return self.studies[name], studies.cells(self.studies[name], name, self.variants, self.training)


# What a key of older files is called now.
RENAMED = {
    "data.generator": "data.source",
    "data.samples": "data.config.n_samples",
    "data.noise": "data.config.noise",
    "data.seed": "data.config.random_state",
    "split.train_samples": "split.train",
    "split.scale_to": "split.scale.range",
    "evaluation.learned_accuracy": "evaluation.learned.accuracy",
}
SECTIONS = (*Params.model_fields, "defaults")


def read(path: Path = PARAMS_FILE) -> Params:
    """The file, all of it checked.

    Raises:
        UserError: the first fault, wherever it is.
    """
    return parse(load(path))


def parse(document: dict[str, Any]) -> Params:
    """As `read`, of a document."""
    for name in document:
        if name not in SECTIONS:
            raise UserError(unknown_key(name, name, SECTIONS).replace("unknown key", "unknown section"))
    for name in SECTIONS:
        if name not in document:
            raise UserError(f"{name}: missing from {PARAMS_FILE}: must be there")
    for path, now in RENAMED.items():
        section, key = path.split(".")
        if isinstance(document[section], dict) and key in document[section]:
            raise UserError(f"{path}: unknown key: must be {now}, as it is called now")
    made: dict[str, Any] = {
        "variants": variants.resolve(document["defaults"], document["variants"]),
        "studies": studies.checked(document["studies"]),
    }
    for name, field in Params.model_fields.items():
        if name not in made:
            made[name] = check(document[name], name, cast(type[Section], field.annotation))
    params = Params(**made)
    _expect_agreement(params)
    return params


def _expect_agreement(params: Params) -> None:
    """Raises: UserError: sections that contradict each other."""
    params.comparison.expect_variants(list(params.variants))
    expect_replicas(params.tensorboard, params.training.replicas)
    for name in params.studies:
        params.study(name)
