"""Test that randomness depends on (seed, replica, purpose, name) alone."""

import numpy as np

from pipeline.foundations.seeds import Shuffles, derived_seed


def test_every_part_of_the_key_matters() -> None:
    key = (1, 2, "initial weights", "hidden_01/kernel")
    others = [(2, 2, *key[2:]), (1, 3, *key[2:]), (1, 2, "shuffle", key[3]), (1, 2, key[2], "hidden_02/kernel")]
    seeds = {derived_seed(*each) for each in [key, *others]}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert derived_seed(*key) in seeds


def test_an_order_is_a_permutation() -> None:
    orders = Shuffles(1, [0, 5], samples=9).next_epochs(4)
    assert orders.shape == (4, 2, 9)
    assert (np.sort(orders, axis=-1) == np.arange(9)).all()
    assert len({tuple(order) for order in orders.reshape(-1, 9)}) == 8


def test_an_order_depends_neither_on_the_other_replicas_nor_on_how_many_epochs_are_drawn_at_once() -> None:
    together = Shuffles(1, [4, 0, 7], samples=20)
    alone = Shuffles(1, [7], samples=20)
    at_once = together.next_epochs(5)[:, 2]
    one_by_one = np.concatenate([alone.next_epochs(1)[:, 0] for _ in range(5)])
    assert (at_once == one_by_one).all()
