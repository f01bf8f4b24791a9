"""The tags by which runs are found, and the searches for them."""

from typing import Final

VARIANT: Final = "pipeline.variant"
FINGERPRINT: Final = "pipeline.fingerprint"  # of what was trained and what came of it
EVALUATION_HASH: Final = "pipeline.evaluation_hash"  # of what the evaluation says of it
COMPLETE: Final = "pipeline.complete"  # all of the run is written
HISTORY_OF: Final = "pipeline.history_of"  # the run that has the history of the same training
CURRENT: Final = "pipeline.current"  # it is what params.yaml says now
PAIR: Final = "pipeline.pair"  # so, and one of the two that are compared
EXPERIMENT: Final = "pipeline.dvc_experiment"
LIVE: Final = "pipeline.live"  # it shows a training under way, and goes when the complete run is there
FOLLOWER: Final = "pipeline.follower"  # the process that keeps a live run
PUBLISHER: Final = "pipeline.publisher."  # of the experiment: a process that publishes into it, by a random name
DESCRIPTION: Final = "mlflow.note.content"
COLOUR: Final = "mlflow.runColor"


def search_for(tag: str) -> str:
    """All runs with the mark COMPLETE, CURRENT, PAIR or LIVE, without their replicas."""
    return f"tags.\"{tag}\" = 'true'"
