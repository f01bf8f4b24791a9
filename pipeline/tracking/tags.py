"""The tags of runs and experiments in MLflow, and the search for runs by a tag."""

from typing import Final

VARIANT: Final = "pipeline.variant"
FINGERPRINT: Final = "pipeline.fingerprint"  # hash of the training's parameters and outputs
EVALUATION_HASH: Final = "pipeline.evaluation_hash"  # hash of the evaluation's parameters and outputs
COMPLETE: Final = "pipeline.complete"  # the run was written completely
HISTORY_OF: Final = "pipeline.history_of"  # the run that holds the history of the same training
CURRENT: Final = "pipeline.current"  # the run belongs to the present params.yaml
PAIR: Final = "pipeline.pair"  # the run belongs to the present params.yaml, and its variant to the pair
EXPERIMENT: Final = "pipeline.dvc_experiment"
LIVE: Final = "pipeline.live"  # the run shows a training that is not finished; the complete run replaces it
FOLLOWER: Final = "pipeline.follower"  # the process that writes a live run
PROCESS: Final = "pipeline.process"  # the process that writes a run of the callback
PUBLISHER: Final = "pipeline.publisher."  # prefix of an experiment's tags: one for each publishing process
DESCRIPTION: Final = "mlflow.note.content"
COLOUR: Final = "mlflow.runColor"


def search_for(tag: str) -> str:
    """Return the search for all runs with the tag COMPLETE, CURRENT, PAIR or LIVE. Replicas' runs have none of them."""
    return f"tags.\"{tag}\" = 'true'"
