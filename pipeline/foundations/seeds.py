"""Derive all randomness from (seed, replica, purpose, name) alone, never from a position in a list.

A new variant or replica therefore changes no other result. Variants of one shape start from the same random numbers
and get the same batches, so they can be compared in pairs.
"""

import zlib
from collections.abc import Sequence

import numpy as np


def derived_seed(seed: int, replica: int, purpose: str, name: str = "") -> int:
    """Return a 32-bit seed, by NumPy's SeedSequence (a hash with full avalanche)."""
    return int(_sequence(seed, replica, purpose, name).generate_state(1)[0])


def generator(seed: int, replica: int, purpose: str) -> np.random.Generator:
    """Return the random generator of a replica for a purpose."""
    return np.random.Generator(np.random.PCG64(_sequence(seed, replica, purpose, "")))


class Shuffles:
    """The order of the training samples in every epoch, for some replicas.

    Each replica draws from its own stream, epoch by epoch. Its order in epoch e therefore depends neither on how many
    epochs follow nor on which other replicas are trained.
    """

    def __init__(self, seed: int, replicas: Sequence[int], samples: int, purpose: str = "shuffle") -> None:
        self._streams = [generator(seed, replica, purpose) for replica in replicas]
        self._samples = samples

    def next_epochs(self, epochs: int) -> np.ndarray:
        """Return the orders of the next epochs: int32 [epoch, replica, sample], each row a permutation."""
        rows = np.broadcast_to(np.arange(self._samples, dtype=np.int32), (epochs, self._samples))
        return np.stack([stream.permuted(rows, axis=1) for stream in self._streams], axis=1)


def _sequence(seed: int, replica: int, purpose: str, name: str) -> np.random.SeedSequence:
    # A checksum is the same in every process, which `hash()` is not.
    return np.random.SeedSequence((seed, replica, zlib.crc32(purpose.encode()), zlib.crc32(name.encode())))
