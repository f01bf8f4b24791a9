"""Register the best model in MLflow's registry once; later publishes find its version by the fingerprint."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException

from pipeline.tracking.registered_model import Best
from pipeline.tracking.store import EXISTS, readable_errors
from pipeline.tracking.tags import FINGERPRINT, VARIANT
from pipeline.tracking.turn import Turn

ALIAS = "best"


def register(client: MlflowClient, turn: Turn, name: str, best: Best, run_id: str, model_id: str) -> None:
    """Register the best model as a version, and let the alias point to that version.

    If the variant's run was deleted and written again, its former version has no model. That version is deleted last,
    so that the alias always points to a model that exists.

    Args:
        turn: this publisher's turn. It is taken before a version is created or deleted; otherwise two publishers could
            create the same version.
        name: the name of the registered model.
        run_id: the id of the variant's run.
        model_id: the id of the run's logged model.

    Raises:
        UserError: the store has no registry, or reports an error.
    """
    with readable_errors(client.tracking_uri, "model registry: "):
        model = _registered_model(client, name, best)
        source = f"models:/{model_id}"
        versions = _versions(client, name, best)
        if [each.source for each in versions] != [source]:
            turn.take()
            versions = _versions(client, name, best)
        version = next((each for each in versions if each.source == source), None)
        if version is None:
            tags = {FINGERPRINT: best.content.fingerprint, VARIANT: best.content.variant}
            with _default_store(client.tracking_uri):
                version = client.create_model_version(
                    name, source, run_id, tags=tags, description=best.description, model_id=model_id
                )
        elif version.description != best.description:
            client.update_model_version(name, version.version, best.description)
        if str(model.aliases.get(ALIAS)) != str(version.version):
            client.set_registered_model_alias(name, ALIAS, version.version)
        for former in (each for each in versions if each.version != version.version):
            client.delete_model_version(former.name, former.version)


def _versions(client: MlflowClient, name: str, best: Best) -> list[ModelVersion]:
    """Return the registered versions of this training, found by its fingerprint."""
    return [
        version
        for version in client.search_model_versions(f"name = '{name}'")
        if version.tags.get(FINGERPRINT) == best.content.fingerprint
    ]


def _registered_model(client: MlflowClient, name: str, best: Best) -> RegisteredModel:
    """Return the registered model of this name; create it or update its description if necessary.

    The model is searched, because a server with users answers "permission denied" to `get` of a missing model.
    """
    models = client.search_registered_models(f"name = '{name}'")
    if not models:
        try:
            return client.create_registered_model(name, description=best.model_description)
        except MlflowException as conflict:
            if conflict.error_code != EXISTS:
                raise
        models = client.search_registered_models(f"name = '{name}'")  # another publisher has just created it
    (model,) = models
    if model.description != best.model_description:
        client.update_registered_model(name, best.model_description)
    return model


@contextmanager
def _default_store(uri: str) -> Iterator[None]:
    """Make this store MLflow's default within the block: a SQL registry looks up models in MLflow's default store."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = uri
    try:
        yield
    finally:
        del os.environ["MLFLOW_TRACKING_URI"]
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before
