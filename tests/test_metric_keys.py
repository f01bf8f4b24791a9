"""The registry of MLflow's metrics names every key that is published."""

import re

import pytest

from examples import evaluated, history, with_recurrent_layer
from pipeline.params.tracking_params import TrackingParams
from pipeline.tracking import metric_keys as keys
from pipeline.tracking.metric_values import variant_points
from pipeline.tracking.payload import replica_payload

QUARTILE = "(q25|median|q75)"


def is_listed(key: str, group: str) -> bool:
    """Return whether a key belongs to one of the group's families of keys."""
    patterns = (
        re.sub(r"{(\w+)[^}]*}", lambda part: QUARTILE if part[1] == "quartile" else "[^/]+", each.template)
        for each in keys.GROUPS[group]
    )
    return any(re.fullmatch(pattern, key) for pattern in patterns)


def test_every_key_of_a_variant_and_of_its_replicas_is_listed() -> None:
    evaluation = evaluated(with_recurrent_layer(history([[0.5, 0.6, 0.9], [0.5, 0.5, 0.5]])))
    params = TrackingParams(experiment="e", layer_epochs=3, profile_epochs=2)
    published = {point.key for point in variant_points(evaluation, params)}
    assert {"learned_rate", "loss/train_q25", "weight_l1/layer_01", "gradient_profile/epoch_0002"} <= published
    assert [key for key in sorted(published) if not is_listed(key, "run of a variant")] == []
    by_time = {key for key in published if key.startswith("gradient_time_profile/")}
    assert by_time == {f"gradient_time_profile/epoch_000{epoch}_layer_0{call}" for epoch in (0, 2) for call in (1, 2)}
    steps = [point.step for point in variant_points(evaluation, params) if point.key == max(by_time)]
    assert steps == [*range(6, 21)]
    for row in evaluation.replicas.to_dict("records"):
        replica = replica_payload(row, evaluation, {})
        assert [point.key for point in replica.points if not is_listed(point.key, "run of a replica")] == []


@pytest.mark.parametrize("group", keys.GROUPS)
def test_every_key_has_a_meaning_and_is_listed_once(group: str) -> None:
    patterns = [each.pattern for each in keys.GROUPS[group]]
    assert len({*patterns}) == len(patterns)
    assert all(each.meaning and not each.meaning.endswith(".") for each in keys.GROUPS[group])
