"""Read all of params.yaml into one frozen, strict model, and check it as a whole before anything runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pipeline.foundations.errors import UserError
from pipeline.params import network_params, study_params, variant_params
from pipeline.params.comparison_params import ComparisonParams
from pipeline.params.data_params import DataParams
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.evaluation_params import EvaluationParams
from pipeline.params.file import PARAMS_FILE, Plain, StrictSection, as_map, check, load, one_of, unknown_key
from pipeline.params.network_params import NetworkParams, NetworkRecipe
from pipeline.params.split_params import SplitParams
from pipeline.params.study_params import Cell, StudyParams
from pipeline.params.tensorboard_params import TensorBoardParams, expect_replicas
from pipeline.params.tracking_params import TrackingParams
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams

AnyRecipe = VariantParams | NetworkRecipe
Entry = TypeVar("Entry")


class Params(StrictSection):
    """The sections of params.yaml. `variants` include the values that they inherit from the section `defaults`."""

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
        """Return a variant.

        Raises:
            UserError: there is no such variant.
        """
        return _entry(self.variants, name, "variants.")

    def network(self, name: str) -> NetworkParams:
        """Return a network.

        Raises:
            UserError: there is no such network.
        """
        return _entry(self.networks, name, "networks.")

    @property
    def recipes(self) -> dict[str, AnyRecipe]:
        """Return the recipes of all trainings by name: the variants, then the networks."""
        return {**self.variants, **{name: network.recipe for name, network in self.networks.items()}}

    def recipe(self, name: str) -> AnyRecipe:
        """Return a variant, or the recipe of a network.

        Raises:
            UserError: there is neither a variant nor a network of this name.
        """
        return _entry(self.recipes, name)

    def training_of(self, name: str) -> TrainingParams:
        """Return the section `training`; if `name` is a network, with the network's own values."""
        return self.networks[name].training(self.training) if name in self.networks else self.training

    def trained_with(self, variant: str) -> dict[str, dict[str, Plain]]:
        """Return all parameters that a training depends on, as plain values: `variant`, `training`, `data`, `split`.

        Args:
            variant: the name of a variant or of a network.
        """
        recipe, training = self.recipe(variant), self.training_of(variant)
        sections = {"variant": recipe, "training": training, "data": self.data, "split": self.split}
        return {name: section.model_dump(mode="json") for name, section in sections.items()}

    @property
    def judged_by(self) -> dict[str, dict[str, Plain]]:
        """Return all parameters that an evaluation depends on, as plain values: `evaluation`, `diagnosis`."""
        sections = {"evaluation": self.evaluation, "diagnosis": self.diagnosis}
        return {name: section.model_dump(mode="json") for name, section in sections.items()}

    def study(self, name: str) -> tuple[StudyParams, list[Cell]]:
        """Return a study and its cells.

        Raises:
            UserError: there is no such study.
        """
        study = _entry(self.studies, name, "studies.")
        return study, study_params.cells(study, name, self.recipes, self.training_of, self.data)


def _entry(entries: Mapping[str, Entry], name: str, section: str = "") -> Entry:
    if name not in entries:
        raise UserError(f"{section}{name}: not found: {one_of(entries, name)}")
    return entries[name]


# The keys of older files, with their new names.
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
    """Read and check the whole file.

    Raises:
        UserError: the first fault.
    """
    return parse(load(path))


def parse(document: Mapping[str, Plain]) -> Params:
    """Check a whole document; see `read`."""
    for name in document:
        if name not in SECTIONS:
            raise UserError(unknown_key(name, name, SECTIONS).replace("unknown key", "unknown section"))
    for name in SECTIONS:
        if name not in document:
            raise UserError(f"{name}: missing from {PARAMS_FILE}: must have this section")
    for path, new_path in RENAMED.items():
        name, key = path.split(".")
        section = document[name]
        if isinstance(section, dict) and key in section:
            raise UserError(f"{path}: unknown key: it is now called {new_path}")
    variants = variant_params.resolve(
        document["defaults"], document["variants"], needs_variant=not document["networks"]
    )
    check(document["training"], "training", TrainingParams)  # before the networks, which inherit from it
    defaults, training = (as_map(document[name], name) for name in ("defaults", "training"))
    sections: dict[str, Any] = {
        "variants": variants,
        "networks": network_params.resolve(document["networks"], defaults, training, variants),
        "studies": study_params.resolve(document["studies"]),
    }
    for name, field in Params.model_fields.items():
        if name not in sections:
            sections[name] = check(document[name], name, cast(type[StrictSection], field.annotation))
    params = Params(**sections)
    _expect_agreement(params)
    return params


def _expect_agreement(params: Params) -> None:
    """Check that sections agree with each other.

    Raises:
        UserError: two sections contradict each other, or a cell of a study is invalid.
    """
    params.comparison.expect_variants(list(params.recipes))
    expect_replicas(params.tensorboard, min(params.training_of(name).replicas for name in params.recipes))
    for name in params.studies:
        params.study(name)
