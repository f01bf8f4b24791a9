"""What `track` leaves: which fingerprints the store holds. Beside the store, so that it goes where the store goes."""

from pathlib import Path

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import load_json, save_json

MANIFEST = Path("mlruns/manifest.json")


def of_study(study: str) -> Path:
    """A study's own manifest."""
    return Path("mlruns/studies") / f"{study}.json"


def load_manifest(path: Path = MANIFEST) -> dict[str, dict[str, str]]:
    """What was published last, as `save_manifest` takes it; nothing where that is not known."""
    try:
        found = load_json(path)
    except UserError:
        return {}
    whole = isinstance(found, dict) and all(isinstance(each, dict) for each in found.values())
    return found if whole else {}


def remove_manifest(path: Path = MANIFEST) -> None:
    """Before anything is published: if that is cut short, `dvc repro` finds no manifest and publishes again."""
    path.unlink(missing_ok=True)


def save_manifest(published: dict[str, dict[str, str]], path: Path = MANIFEST) -> None:
    """For each variant its fingerprint and its evaluation hash; nothing that varies from machine to machine."""
    save_json(published, path)
