"""The manifest of `track`: the fingerprints that the store holds. It lies beside the store and is moved with it."""

from pathlib import Path

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import load_json, save_json

MANIFEST = Path("mlruns/manifest.json")


def of_study(study: str) -> Path:
    """Return the path of a study's manifest."""
    return Path("mlruns/studies") / f"{study}.json"


def load_manifest(path: Path = MANIFEST) -> dict[str, dict[str, str]]:
    """Return the last published hashes, as `save_manifest` takes them; an empty map if they are unknown."""
    try:
        manifest = load_json(path)
    except UserError:
        return {}
    is_whole = isinstance(manifest, dict) and all(isinstance(each, dict) for each in manifest.values())
    return manifest if is_whole else {}


def remove_manifest(path: Path = MANIFEST) -> None:
    """Delete the manifest before publishing: after an interruption `dvc repro` then publishes again."""
    path.unlink(missing_ok=True)


def save_manifest(published: dict[str, dict[str, str]], path: Path = MANIFEST) -> None:
    """Write the fingerprint and the evaluation hash of each variant; nothing here differs between machines."""
    save_json(published, path)
