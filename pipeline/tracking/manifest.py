"""Read and write the manifest of `track`, which lists the hashes of the runs in the store. It is beside the store."""

from pathlib import Path

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import load_json, save_json

MANIFEST = Path("mlruns/manifest.json")


def of_study(study: str) -> Path:
    """Return the path of a study's manifest."""
    return Path("mlruns/studies") / f"{study}.json"


def load_manifest(path: Path = MANIFEST) -> dict[str, dict[str, str]]:
    """Return the hashes that were last published, as `save_manifest` wrote them; an empty map if that is unreadable."""
    try:
        manifest = load_json(path)
    except UserError:
        return {}
    is_valid = isinstance(manifest, dict) and all(isinstance(each, dict) for each in manifest.values())
    return manifest if is_valid else {}


def remove_manifest(path: Path = MANIFEST) -> None:
    """Delete the manifest. This comes before publishing, so that after an interruption `dvc repro` publishes again."""
    path.unlink(missing_ok=True)


def save_manifest(published: dict[str, dict[str, str]], path: Path = MANIFEST) -> None:
    """Write the fingerprint and the evaluation hash of each variant; the file is the same on every machine."""
    save_json(published, path)
