"""Whether a variant can be trained, known before any is: Keras's objects are made, and draw or step once."""

from pipeline.data.split.samples import Split
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError
from pipeline.models import uniform
from pipeline.params.variant_params import VariantParams
from pipeline.training.compiled.eligible import dense_stack

SMALL = {"hidden_layers": 2, "units": 4}  # enough for every object to be used, and quick whatever the variant's size


def expect_rows_of_numbers(split: Split) -> None:
    """Raises: UserError: rows are arrays with dimensions of their own, such as pictures."""
    if len(split.shape) > 1:
        raise UserError(
            f"data.source: gives rows of shape {split.shape}: must give rows of numbers, [sample, feature], which is "
            "what described networks take"
        )


def expect_trainable(variant: VariantParams, inputs: int, task: Task, path: str) -> None:
    """Costs nothing where the compiled loops train the variant and its weights are drawn without Keras: every name is
    then known.

    Args:
        inputs: number of inputs.
        path: of the variant in params.yaml, for messages.

    Raises:
        UserError: Keras does not know a name or an argument, or the variant cannot be trained exactly.
    """
    if _is_plain(variant, inputs, task):
        return
    # Here, for TensorFlow takes seconds to import.
    from pipeline.models import keras_objects, network

    try:
        network.build(variant.model_copy(update=SMALL), inputs, task, "small")
        keras_objects.optimizer(variant.optimizer, "variants.small.optimizer")
    except UserError as error:
        raise UserError(f"{path}{str(error).removeprefix('variants.small')}") from None


def _is_plain(variant: VariantParams, inputs: int, task: Task) -> bool:
    specs = (variant.kernel_initializer, variant.output_kernel_initializer)
    drawn = all(uniform.limits(spec, (inputs, variant.widths[0])) is not None for spec in specs)
    return drawn and dense_stack(variant, inputs, task) is not None
