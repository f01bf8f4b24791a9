"""Suggest remedies for a variant of params.yaml, as overrides of its parameters."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pipeline.params.variant_params import VariantParams
from pipeline.remedies.remedy import Overrides, Value
from pipeline.remedies.remedy_registry import REMEDIES

MOST_IN_A_SENTENCE = 4  # changes; tables list all changes


@dataclass(frozen=True)
class RecipeChange:
    """A suggested change of a variant.

    overrides: the new values, by dotted parameter.
    reason: why the change may help.
    source: the publication of the reason.
    """

    overrides: Overrides
    reason: str
    source: str

    @property
    def changes(self) -> str:
        """The overrides as params.yaml writes them: `activation: relu, batch_normalization: true`."""
        values = {key: str(each).lower() if isinstance(each, bool) else each for key, each in self.overrides.items()}
        return ", ".join(f"{key}: {value}" for key, value in values.items())

    def __str__(self) -> str:
        return f"`{self.changes}` ({self.reason}; {self.source})"


@dataclass(frozen=True)
class Against:
    """A remedy against a cause, for variants of params.yaml.

    remedy: the remedy's name in the registry.
    reason: why the remedy helps, or a function that returns this text for a resolved variant.
    source: the publication of the reason; "" if it is the same as the remedy's source.
    """

    remedy: str
    reason: str | Callable[[VariantParams], str]
    source: str = ""

    def change(self, variant: VariantParams, epochs: int) -> RecipeChange | None:
        """Return the change of a variant; None if the remedy does not apply, or would change nothing.

        Args:
            variant: the resolved variant.
            epochs: the epochs of its training.
        """
        remedy = REMEDIES[self.remedy]
        overrides = remedy.overrides(variant, epochs) if remedy.overrides is not None else {}
        if all(_comparable(_current(variant, key)) == _comparable(value) for key, value in overrides.items()):
            return None
        reason = self.reason if isinstance(self.reason, str) else self.reason(variant)
        return RecipeChange(overrides, reason, self.source or remedy.source)


def changes(remedies: Iterable[Against], variant: VariantParams, epochs: int) -> list[RecipeChange]:
    """Return the changes of a variant in the order of the remedies, without remedies that change nothing."""
    changes_or_none = (each.change(variant, epochs) for each in remedies)
    return [change for change in changes_or_none if change is not None]


def helps(changes: Sequence[RecipeChange]) -> str:
    """Return the sentence " Most likely to help: ..." with the first few changes; "" without changes."""
    listed = "; ".join(map(str, changes[:MOST_IN_A_SENTENCE]))
    return f" Most likely to help: {listed}." if listed else ""


def _current(variant: VariantParams, key: str) -> Value:
    """Return the value of a dotted parameter: of a Keras object the class name; {} if there is no such parameter."""
    value = variant.model_dump(mode="json")
    for part in key.split("."):
        value = value.get(part, {}) if isinstance(value, dict) else {}
    return value["class_name"] if isinstance(value, dict) and "class_name" in value else value


def _comparable(value: Value) -> Value:
    """Return a name in lower case without "_", because Keras reads GlorotUniform as glorot_uniform."""
    return value.replace("_", "").lower() if isinstance(value, str) else value
