"""All of params.yaml in one frozen, strict model: read once, checked as a whole, so that no mistake waits."""

from pathlib import Path
from typing import Any, cast

from pipeline.foundations.errors import UserError
from pipeline.params import network_params, study_params, variant_params
from pipeline.params.comparison_params import ComparisonParams
from pipeline.params.data_params import DataParams
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.evaluation_params import EvaluationParams
from pipeline.params.file import PARAMS_FILE, StrictSection, check, load, one_of, unknown_key
from pipeline.params.network_params import NetworkParams, NetworkRecipe
from pipeline.params.split_params import SplitParams
from pipeline.params.study_params import Cell, StudyParams
from pipeline.params.tensorboard_params import TensorBoardParams, expect_replicas
from pipeline.params.tracking_params import TrackingParams
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams

AnyRecipe = VariantParams | NetworkRecipe


class Params(StrictSection):
    """params.yaml. `variants` have what they inherit from `defaults`, which is a section of the file alone."""

    data: DataParams
    split: SplitParams
    training: TrainingParams
    variants: dict[str, VariantParams]
    networks: dict[str, NetworkParams]
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

    def network(self, name: str) -> NetworkParams:
        """Raises: UserError: there is no such network."""
        if name not in self.networks:
            raise UserError(f"networks.{name}: not found: {one_of(self.networks, name)}")
        return self.networks[name]

    @property
    def recipes(self) -> dict[str, AnyRecipe]:
        """All that is trained, by name: the variants, then the networks."""
        return {**self.variants, **{name: network.recipe for name, network in self.networks.items()}}

    def recipe(self, name: str) -> AnyRecipe:
        """Raises: UserError: there is no such variant, and no such network."""
        found = self.recipes
        if name not in found:
            raise UserError(f"{name}: not found: {one_of(found, name)}")
        return found[name]

    def training_of(self, name: str) -> TrainingParams:
        """How a variant or a network is trained: `training`, but for what a network says itself."""
        network = self.networks.get(name)
        return self.training if network is None else network.training(self.training)

    def trained_with(self, variant: str) -> dict[str, Any]:
        """All parameters that a training depends on, as plain values: `variant`, `training`, `data`, `split`.

        Args:
            variant: the name of a variant or of a network.
        """
        recipe, training = self.recipe(variant), self.training_of(variant)
        sections = {"variant": recipe, "training": training, "data": self.data, "split": self.split}
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
        return self.studies[name], study_params.cells(self.studies[name], name, self.recipes, self.training_of)


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
    resolved = variant_params.resolve(document["defaults"], document["variants"])
    check(document["training"], "training", TrainingParams)  # which networks inherit from
    made: dict[str, Any] = {
        "variants": resolved,
        "networks": network_params.resolve(document["networks"], document["defaults"], document["training"], resolved),
        "studies": study_params.checked(document["studies"]),
    }
    for name, field in Params.model_fields.items():
        if name not in made:
            made[name] = check(document[name], name, cast(type[StrictSection], field.annotation))
    params = Params(**made)
    _expect_agreement(params)
    return params


def _expect_agreement(params: Params) -> None:
    """Raises: UserError: sections that contradict each other."""
    params.comparison.expect_variants(list(params.recipes))
    expect_replicas(params.tensorboard, min(params.training_of(name).replicas for name in params.recipes))
    for name in params.studies:
        params.study(name)
