"""Compare ways of training, in turn in every round, each in a process of its own; results are medians over rounds.

    relu_5   thirty replicas by the engine, by JAX and by hand-written loops, and one by Keras's `fit`; and the time of
             each further replica, from 30 to 300, by the engine and by the loops
    digits   thirty replicas by the engine and by JAX, and one by Keras's `fit`
    million  an epoch of one replica, by the engine and by Keras's `fit`

The engine records everything at every epoch, and for the comparison with JAX also less; see `benchmarks.peers`.
"""

import subprocess
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3
FEW, MANY = 30, 300  # replicas
EPOCHS, DIGITS_EPOCHS = 500, 100
# Epochs: an epoch is the difference of both, without start, compilation and the record of the untrained network.
SHORT, LONG = 1, 2


def peer(way: str, recipe: str, epochs: int, replicas: int) -> float:
    """Return the seconds of a training in a process of its own; also print what it reached."""
    command = [sys.executable, "-m", "benchmarks.peers", way, recipe, str(epochs), str(replicas)]
    process = subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    seconds, learned, accuracy = process.stdout.split()[-3:]
    print(
        f"{recipe:8} {way:12} {epochs:4} epochs {replicas:4} replicas {float(seconds):8.2f} s, {learned} learned, "
        f"median test accuracy {float(accuracy):.4f}",
        flush=True,
    )
    return float(seconds)


def relu_5() -> dict[str, float]:
    """Measure thirty replicas, and each further one."""
    rounds = []
    for _ in range(ROUNDS):
        ways = ("engine", "engine_lean", "jax", "floor", "engine_cold")
        few = {way: peer(way, "relu_5", EPOCHS, FEW) for way in ways}
        many = {way: peer(way, "relu_5", EPOCHS, MANY) for way in ("engine", "floor")}
        more = {way: (many[way] - few[way]) / (MANY - FEW) for way in many}
        keras = peer("keras", "relu_5", EPOCHS, 1)
        rounds.append({**few, "keras": keras, "more": more["engine"], "more_floor": more["floor"]})
    return {
        **against_fit_and_jax(rounds, ""),
        "engine_times_faster_than_fit_compiling": FEW * ratio(rounds, "keras", "engine_cold"),
        "floor_seconds": median_seconds(rounds, "floor"),
        "engine_times_faster_than_floor": ratio(rounds, "floor", "engine"),
        "marginal_seconds_per_replica": median_seconds(rounds, "more"),
        "marginal_over_floor": ratio(rounds, "more", "more_floor"),
    }


def digits() -> dict[str, float]:
    """Measure thirty replicas."""
    rounds = []
    for _ in range(ROUNDS):
        few = {way: peer(way, "digits", DIGITS_EPOCHS, FEW) for way in ("engine", "engine_lean", "jax")}
        rounds.append({**few, "keras": peer("keras", "digits", DIGITS_EPOCHS, 1)})
    return against_fit_and_jax(rounds, "digits_")


def million() -> dict[str, float]:
    """Measure an epoch of one replica."""

    def epoch(way: str) -> float:
        short, long = (peer(way, "million", epochs, 1) for epochs in (SHORT, LONG))
        return (long - short) / (LONG - SHORT)

    rounds = [{way: epoch(way) for way in ("engine", "keras")} for _ in range(ROUNDS)]
    return {
        "million_epoch_seconds": median_seconds(rounds, "engine"),
        "million_keras_epoch_seconds": median_seconds(rounds, "keras"),
        "million_epoch_over_fit": ratio(rounds, "engine", "keras"),
    }


def against_fit_and_jax(rounds: list[dict[str, float]], prefix: str) -> dict[str, float]:
    """Return the results of thirty replicas compared with `fit` and JAX, under names that begin with `prefix`."""
    results = {
        "keras_fit_seconds_per_replica": median_seconds(rounds, "keras"),
        "engine_seconds": median_seconds(rounds, "engine"),
        "engine_times_faster_than_fit": FEW * ratio(rounds, "keras", "engine"),
        "jax_seconds": median_seconds(rounds, "jax"),
        "engine_times_faster_than_jax": ratio(rounds, "jax", "engine"),
        "lean_seconds": median_seconds(rounds, "engine_lean"),
        "lean_times_faster_than_jax": ratio(rounds, "jax", "engine_lean"),
    }
    return {f"{prefix}{name}": value for name, value in results.items()}


def median_seconds(rounds: list[dict[str, float]], way: str) -> float:
    """Return the median seconds of a way."""
    return median(each[way] for each in rounds)


def ratio(rounds: list[dict[str, float]], numerator: str, denominator: str) -> float:
    """Return the median over rounds of the ratio of two ways' seconds."""
    return median(each[numerator] / each[denominator] for each in rounds)
