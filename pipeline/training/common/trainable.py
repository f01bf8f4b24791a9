"""Check before any training that a variant can be trained, by using each of its Keras objects once."""

from pipeline.data.split.samples import Split
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError
from pipeline.models import uniform
from pipeline.params.variant_params import VariantParams
from pipeline.training.compiled.eligible import dense_stack

SMALL = {"hidden_layers": 2, "units": 4}  # so small a network is built quickly and has every Keras object of a variant


def expect_rows_of_numbers(split: Split) -> None:
    """Check that each row is a vector of numbers.

    Raises:
        UserError: a row has more than one dimension, such as a picture.
    """
    if len(split.shape) > 1:
        raise UserError(
            f"data.source: rows have the shape {split.shape}: must be rows of numbers, [sample, feature], to train "
            "`variants`; other shapes need a model of your own, in `networks`"
        )


def expect_trainable(variant: VariantParams, inputs: int, task: Task, path: str) -> None:
    """Check that a variant can be trained.

    Variants that are trained and initialised without Keras need no check, so TensorFlow is not imported for them.

    Args:
        inputs: the number of inputs.
        path: the variant's path in params.yaml, for messages.

    Raises:
        UserError: Keras does not know a name or an argument, or the variant cannot be trained exactly.
    """
    if _needs_no_keras(variant, inputs, task):
        return
    # Imported late: TensorFlow takes seconds.
    from pipeline.models import keras_objects, network

    try:
        network.build(variant.model_copy(update=SMALL), inputs, task, "small")
        keras_objects.optimizer(variant.optimizer, "variants.small.optimizer")
    except UserError as error:
        raise UserError(f"{path}{str(error).removeprefix('variants.small')}") from None


def _needs_no_keras(variant: VariantParams, inputs: int, task: Task) -> bool:
    specs = (variant.kernel_initializer, variant.output_kernel_initializer)
    is_uniform = all(uniform.limits(spec, (inputs, variant.widths[0])) is not None for spec in specs)
    return is_uniform and dense_stack(variant, inputs, task) is not None
