"""One recurrent layer that must remember the first steps of a sequence until the last one."""

import keras
from keras import layers


def build(inputs, task, cell="simple_tanh", units=32, learning_rate=0.001, clipnorm=None):
    """Build a recurrent layer and the output unit.

    Args:
        inputs: the shape of a row, (steps, features).
        task: `task.outputs` is the number of outputs.
        cell: one of the keys of CELLS.
        units: the number of units of the recurrent layer.
        learning_rate: of Adam.
        clipnorm: the greatest norm of the whole gradient; None for no clipping.
    """
    model = keras.Sequential(
        [
            keras.Input(inputs),
            CELLS[cell](units, inputs[0]),
            layers.Dense(task.outputs, activation=ACTIVATIONS[task.kind]),
        ]
    )
    optimizer = keras.optimizers.Adam(learning_rate, global_clipnorm=clipnorm)
    # XLA: see "How it was made quick" in README.md.
    model.compile(optimizer, LOSSES[task.kind], jit_compile=True)
    return model


ACTIVATIONS = {"binary": "sigmoid", "multiclass": "softmax", "regression": "linear"}
LOSSES = {
    "binary": "binary_crossentropy",
    "multiclass": "sparse_categorical_crossentropy",
    "regression": "mean_squared_error",
}
CELLS = {
    # Keras's own kernels: Glorot's for the inputs, an orthogonal one for the state.
    "simple_tanh": lambda units, steps: layers.SimpleRNN(units),
    "simple_tanh_glorot": lambda units, steps: layers.SimpleRNN(units, recurrent_initializer="glorot_uniform"),
    # Le, Jaitly & Hinton 2015: relu, the identity as recurrent kernel, small input kernels.
    "irnn": lambda units, steps: layers.SimpleRNN(
        units,
        activation="relu",
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
        recurrent_initializer="identity",
    ),
    "lstm": lambda units, steps: layers.LSTM(units),  # Keras's forget bias is 1
    "lstm_chrono": lambda units, steps: layers.LSTM(units, unit_forget_bias=False, bias_initializer=ChronoBias(steps)),
    "gru": lambda units, steps: layers.GRU(units),
}


@keras.saving.register_keras_serializable("memory")
class ChronoBias(keras.initializers.Initializer):
    """The biases of an LSTM by Tallec & Ollivier 2018: forget log(U(1, T - 1)), input the negative, others 0."""

    def __init__(self, steps):
        self.steps = steps

    def __call__(self, shape, dtype=None):
        """Return the biases [4 * units], in Keras's order: input, forget, candidate, output."""
        units = shape[0] // 4
        forget = keras.ops.log(keras.random.uniform((units,), 1, max(2, self.steps - 1)))
        zeros = keras.ops.zeros((2 * units,))
        return keras.ops.cast(keras.ops.concatenate([-forget, forget, zeros]), dtype or "float32")

    def get_config(self):
        """Return the arguments that Keras saves."""
        return {"steps": self.steps}
