"""Define the report for machines, which `--json` writes: its pydantic models are its JSON Schema.

`docs/verdict.schema.json` is generated from these models. A field that is unknown is null. JSON has no NaN and no
infinite number, so these are the texts "NaN", "Infinity" and "-Infinity". A change that a reader could stumble over (a
field that is gone, renamed, or has another meaning) raises VERSION; a new field does not.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.data.reference.quick_models import ModelName
from pipeline.foundations.untyped import Attributes

VERSION: Final = 1
SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Finite = Annotated[float, Field(allow_inf_nan=False)]
Number = Finite | Literal["NaN", "Infinity", "-Infinity"]
Share = Annotated[float, Field(ge=0, le=1)]
Outcome = Literal["learned", "not_learned"]
PartOfData = Literal["train", "validation", "test"]
Role = Literal["hidden", "output", "beside"]
Effect = Literal["helps", "harms", "undecided"]
CheckStatus = Literal["fault", "hint", "fine", "not_run"]
Command = Literal["run", "replicas", "try", "check"]


def number(value: float) -> Number:
    """Return a number as the report has it: NaN and infinite numbers as texts."""
    if value != value:
        return "NaN"
    if abs(value) == float("inf"):
        return "Infinity" if value > 0 else "-Infinity"
    return float(value)


class ReportPart(BaseModel):
    """A frozen, strict part of the report: no unknown keys, no silent conversion."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, json_schema_serialization_defaults_required=True
    )

    def as_dict(self) -> Attributes:
        """Return the part as maps, lists, texts, numbers and None, as JSON has it."""
        return self.model_dump(mode="json")


class EvidenceReport(ReportPart):
    """A number of the evidence."""

    value: Number | str = Field(description="the number; a text for a layer's path, a class or a metric")
    unit: str = Field(description='the unit, such as "epoch", "share" (0 to 1), "ratio", "1 or 0" (yes or no), "path"')
    meaning: str = Field(description="what was measured, as in the table of evidence in docs/reference.md")


class OutputScoreReport(ReportPart):
    """The score of one output of a model with several outputs."""

    output: str = Field(description="name of the output")
    name: str = Field(description="name of the score")
    value: Number = Field(description="score at the end")
    threshold: Number = Field(description="the output learned if its score is above this")


class ScoreReport(ReportPart):
    """The score that decides whether the model learned."""

    name: str = Field(description='name of the score, such as "balanced_accuracy", "r2" or "skill"; 1 is perfect')
    value: Number = Field(description='score at the end; "NaN" if it is not a number')
    threshold: Number = Field(description="learned means above this")
    part: PartOfData = Field(description="part of the data that the score is measured on")
    guess: Number = Field(description="score of guessing without the inputs")
    outputs: tuple[OutputScoreReport, ...] = Field(description="score of each output, if the model has several")


class ReferenceReport(ReportPart):
    """The scores of quick models on the same rows, which show what can be learned from these rows."""

    score: str = Field(description="name of the score, as in `score`")
    models: dict[ModelName, Number] = Field(description="score of each quick model on rows that it was not fitted on")
    part: str = Field(description='part of the data that the scores are from; "folds" for cross-validation')
    rows: int = Field(description="number of rows that the scores are from")
    skipped: str | None = Field(description="why there are no scores; null if there are")


class NoticeReport(ReportPart):
    """Something that harms the training, whatever its outcome."""

    name: str = Field(description="name of the notice; `--explain NAME` prints its page")
    sentence: str = Field(description="what was measured, and what to do")


class RemedyReport(ReportPart):
    """A remedy that `--try` can apply, and what it did in the project's benchmark of faulty programs."""

    name: str = Field(description="name of the remedy, as in the table of remedies in docs/reference.md")
    change: str = Field(description="what it changes in the model or its `fit`")
    is_in_place: bool = Field(description="whether `--try` can apply it to a script; if not, it needs another model")
    fixed: int = Field(description="failing runs of the benchmark with this cause that learned with the remedy")
    runs: int = Field(description="failing runs of the benchmark with this cause in which it was tried; 0: never tried")


class AdviceReport(ReportPart):
    """Advice against the cause; the most promising advice comes first."""

    words: str = Field(description="what to change, in words")
    remedies: tuple[RemedyReport, ...] = Field(
        description="remedies that make this change, the most promising first; empty if only the user can make it"
    )


class LayerReport(ReportPart):
    """A layer with a kernel or table. The numbers are from the last recorded epoch; null if NaN or not measured."""

    path: str = Field(description="path in the model")
    kind: str = Field(description="class")
    role: Role = Field(description="beside: an embedding, a normalisation and the like, which no rule judges")
    units: int = Field(description="number of units")
    is_trainable: bool = Field(description="whether its kernel is trained")
    is_bypassed: bool = Field(description="whether a skip connection leads around it")
    gradient: Number | None = Field(
        description="mean |gradient| of the kernel that the optimizer got, over the batches of the epoch"
    )
    probe_gradient: Number | None = Field(
        description="mean |gradient| of the kernel on a fixed sample of the training rows, in inference mode"
    )
    dead_share: Share | None = Field(description="share of units that are off on every measured row")
    saturated_share: Share | None = Field(description="share of (row, unit) pairs that are saturated")


class VerdictReport(ReportPart):
    """The conclusion on one training, as `Diagnosis.verdict.as_dict()` returns it."""

    schema_version: Literal[1] = Field(default=VERSION, description="version of this format")
    outcome: Outcome | None = Field(description="null if nothing can tell whether the model learned")
    cause: str | None = Field(
        description="name of the cause of a failure; null if the model learned or without an outcome"
    )
    abstained: bool = Field(
        description="whether the diagnosis names no cause of a possible failure: the cause is `unexplained`, or there "
        "is no outcome; do not treat either as a fault of the program"
    )
    tentative: bool = Field(
        description='whether the cause is only a suspicion ("may be"): it was seldom right on unseen programs'
    )
    headline: str = Field(description="outcome and score in one sentence")
    explanation: str = Field(description="sentences on the cause or the symptoms, with the numbers that matter")
    epochs: int | None = Field(description="number of epochs that were watched; null if nothing was recorded")
    score: ScoreReport | None = Field(description="null without an outcome, and if no score could be measured")
    reference: ReferenceReport | None = Field(description="null if no quick model was requested")
    symptoms: tuple[str, ...] = Field(
        description="names of all conditions that hold, whether they are the cause or not"
    )
    notices: tuple[NoticeReport, ...] = Field(description="what harms the training, whatever its outcome")
    advice: tuple[AdviceReport, ...] = Field(description="what to try against the cause; empty if the model learned")
    evidence: dict[str, EvidenceReport] = Field(description="the known numbers behind the cause, by name")
    layers: tuple[LayerReport, ...] = Field(description="the layer table, from input to output")
    notes: tuple[str, ...] = Field(description="what could not be watched or judged as asked")


class ReplicaReport(ReportPart):
    """One run of the script, from one seed."""

    seed: int = Field(description="seed of the run")
    outcome: Outcome = Field(description="whether the model learned")
    cause: str | None = Field(description="name of the cause; null if the model learned")
    score: Number | None = Field(description="the score at the end")
    train_loss: Number | None = Field(description="training loss at the end, in inference mode")
    evidence: dict[str, EvidenceReport] = Field(
        description="the known numbers behind the cause, by name; a layer is its number in the layer table, from 1"
    )


class ReplicasReport(ReportPart):
    """One `fit` over several runs of the script."""

    runs: int = Field(description="number of runs whose outcome is known")
    learned: int = Field(description="number of runs in which the model learned")
    interval: tuple[Share, Share] | None = Field(
        description="Wilson's 95% interval of the share of runs that learn; null without an outcome"
    )
    cause: str | None = Field(description="the most frequent cause of the runs that failed")
    abstained: bool = Field(description="as in a verdict, for the most frequent cause")
    tentative: bool = Field(description="as in a verdict, for the most frequent cause")
    causes: dict[str, int] = Field(description="number of failed runs by cause, the most frequent cause first")
    text: str = Field(description="the printed text")
    score: str | None = Field(description="name of the score after the part of the data: `validation_accuracy`")
    advice: tuple[AdviceReport, ...] = Field(description="what to try against the most frequent cause")
    by_seed: tuple[ReplicaReport, ...] = Field(description="each run")
    notes: tuple[str, ...] = Field(description="what makes the runs less telling, or could not be watched")


class AttemptReport(ReportPart):
    """The result of remedies that `--try` applied to the `fit`."""

    remedies: tuple[str, ...] = Field(description="names of the remedies that were applied together")
    change: str = Field(description="what they changed, in words; make this change in the script")
    diff: str | None = Field(
        description="the same change as a diff of the script, which `patch -p1` applies; null if it cannot be made"
    )
    place: str | None = Field(description='file and line of the `fit`, such as "train.py:14"; null if unknown')
    learned: int = Field(description="number of runs in which the model learned with them")
    runs: int = Field(description="number of runs with them")
    difference: Finite = Field(description="share of runs that learned with them, minus the share without them")
    interval: tuple[Finite, Finite] = Field(description="Newcombe's 95% interval of the difference")
    effect: Effect = Field(description="helps if the interval is above 0, harms if below, else undecided")
    causes: tuple[str, ...] = Field(description="causes of the runs that still failed, the most frequent first")


class UntriedReport(ReportPart):
    """Remedies that `--try` did not apply, or whose result is unknown."""

    remedies: tuple[str, ...] = Field(description="names of the remedies")
    reason: str = Field(description="why there is no result")


class CheckReport(ReportPart):
    """One check of `--check`, before the training."""

    name: str = Field(description="name of the check")
    status: CheckStatus = Field(
        description="fault: the training will fail or mislead; hint: it may; fine; not_run: see `reason`"
    )
    sentence: str = Field(description="what was measured; for not_run, the reason")
    remedy: str | None = Field(description="what to do; null if nothing is to do")
    reason: str | None = Field(description="why the check could not run; null if it ran")
    cause: str | None = Field(
        description="name of the cause or notice that explains the fault or hint; null without one"
    )
    numbers: dict[str, Number | str] = Field(description="what was measured, by name; a text for a layer's path")


class FitReport(ReportPart):
    """One `fit` of the script. Fields that belong to another command are null."""

    number: int = Field(description="number of the `fit` in the script, from 1")
    model: str = Field(description="name of the model")
    verdict: VerdictReport | None = Field(default=None, description="of a plain run")
    replicas: ReplicasReport | None = Field(default=None, description="of --replicas and --try")
    attempts: tuple[AttemptReport, ...] | None = Field(default=None, description="of --try, in the order of the runs")
    untried: tuple[UntriedReport, ...] | None = Field(default=None, description="of --try")
    checks: tuple[CheckReport, ...] | None = Field(default=None, description="of --check")


class MachineReport(ReportPart):
    """The report of `python3 -m pipeline.watch --json FILE script.py`."""

    schema_version: Literal[1] = Field(default=VERSION, description="version of this format")
    package_version: str = Field(description="version of the package that wrote the report")
    command: Command = Field(description="what was asked for: a plain run, --replicas, --try or --check")
    script: str = Field(description="path of the script, as on the command line")
    arguments: tuple[str, ...] = Field(description="arguments of the script")
    error: str | None = Field(description="the error that ended the script; null if it ended well")
    exit_code: Literal[0, 3, 4] = Field(
        description="0: learned; 3: not learned, or a check found a fault; 4: no outcome; of the worst `fit`. The "
        "command ends with it by --fail and --check; a script that fails keeps its own exit code"
    )
    fits: tuple[FitReport, ...] = Field(description="each `fit` of the script that was recorded, in order")


def schema() -> Attributes:
    """Return the JSON Schema of the report; `$defs/VerdictReport` is that of a verdict alone."""
    return {"$schema": SCHEMA_DIALECT, **MachineReport.model_json_schema(mode="serialization")}
