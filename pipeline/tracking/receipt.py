"""What `track` leaves: which fingerprints the store holds. Beside the store, so that it goes where the store goes."""

from pathlib import Path

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import load_json, save_json

RECEIPT = Path("mlruns/receipt.json")


def of_study(study: str) -> Path:
    """A study's own receipt."""
    return Path("mlruns/studies") / f"{study}.json"


def load_receipt(path: Path = RECEIPT) -> dict[str, dict[str, str]]:
    """What was published last, as `save_receipt` takes it; nothing where that is not known."""
    try:
        found = load_json(path)
    except UserError:
        return {}
    whole = isinstance(found, dict) and all(isinstance(each, dict) for each in found.values())
    return found if whole else {}


def remove_receipt(path: Path = RECEIPT) -> None:
    """Before anything is published: if that is cut short, `dvc repro` finds no receipt and publishes again."""
    path.unlink(missing_ok=True)


def save_receipt(published: dict[str, dict[str, str]], path: Path = RECEIPT) -> None:
    """For each variant its fingerprint and its judgement; nothing that varies from machine to machine."""
    save_json(published, path)
