"""The remedies of described variants, as overrides of their parameters: suggestions until they are tried."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pipeline.params.variant_params import VariantParams
from pipeline.remedies.registry import REMEDIES, Overrides, Value

IN_A_SENTENCE = 4  # changes; tables have all


@dataclass(frozen=True)
class RecipeChange:
    """Overrides by dotted parameter, the reason, and its source."""

    overrides: Overrides
    reason: str
    source: str

    @property
    def changes(self) -> str:
        """As in params.yaml: `activation: relu, batch_normalization: true`."""
        return ", ".join(f"{key}: {_as_yaml(value)}" for key, value in self.overrides.items())

    def __str__(self) -> str:
        return f"`{self.changes}` ({self.reason}; {self.source})"


@dataclass(frozen=True)
class Against:
    """A remedy against a cause in a described variant.

    remedy: its name in the registry. reason: why it helps, in words; or takes the resolved variant and returns them.
    source: of the reason, where that is not the remedy's own.
    """

    remedy: str
    reason: str | Callable[[VariantParams], str]
    source: str = ""

    def change(self, variant: VariantParams, epochs: int) -> RecipeChange | None:
        """Return the change of a variant; None where it has all of it, or it does not apply.

        Args:
            variant: resolved.
        """
        remedy = REMEDIES[self.remedy]
        overrides = remedy.overrides(variant, epochs) if remedy.overrides is not None else {}
        if _is_taken(overrides, variant):
            return None
        reason = self.reason if isinstance(self.reason, str) else self.reason(variant)
        return RecipeChange(overrides, reason, self.source or remedy.source)


def changes(remedies: Iterable[Against], variant: VariantParams, epochs: int) -> list[RecipeChange]:
    """Return the changes that apply to a variant, in the same order."""
    found = (each.change(variant, epochs) for each in remedies)
    return [change for change in found if change is not None]


def helps(changes: Sequence[RecipeChange]) -> str:
    """Return " Most likely to help: ..." with the first few changes; "" where there are none."""
    listed = "; ".join(map(str, changes[:IN_A_SENTENCE]))
    return f" Most likely to help: {listed}." if listed else ""


def _is_taken(overrides: Overrides, variant: VariantParams) -> bool:
    """Whether nothing of it would change the variant."""
    return all(_comparable(_present(variant, key)) == _comparable(value) for key, value in overrides.items())


def _present(variant: VariantParams, key: str) -> Value:
    """Return a parameter by its dotted name, of a Keras object its class name; {} where there is none."""
    value = variant.model_dump(mode="json")
    for part in key.split("."):
        value = value.get(part, {}) if isinstance(value, dict) else {}
    return value["class_name"] if isinstance(value, dict) and "class_name" in value else value


def _comparable(value: Value) -> Value:
    """GlorotUniform and glorot_uniform are one name to Keras."""
    return value.replace("_", "").lower() if isinstance(value, str) else value


def _as_yaml(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
