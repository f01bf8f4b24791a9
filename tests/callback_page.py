"""Renew docs/callback_page.png, the top of the page that the callback writes: `python3 tests/callback_page.py`.

examples/watch_a_fit.py trains and writes its page, and a headless Chromium shows it. `make figures` runs this.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from browser import chromium, launched
from imports import ROOT
from PIL import Image

PICTURE = ROOT / "docs" / "callback_page.png"
SIZE = {"width": 600, "height": 740}  # narrow, so that its text can be read in half of README's width
COLOURS = 64  # makes the file a quarter as large


def main() -> None:
    """Train, open the page and save its picture."""
    if chromium() is None:
        sys.exit(f"error: {PICTURE.name}: not renewed: Chromium is missing; install it, or set CHROMIUM to its path")
    with tempfile.TemporaryDirectory() as folder:
        example = [sys.executable, str(ROOT / "examples" / "watch_a_fit.py")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(example, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
        picture = Path(folder) / "page.png"
        with launched() as browser:
            page = browser.new_page(viewport=SIZE)
            page.goto((Path(folder) / "why.html").as_uri())
            page.screenshot(path=picture)
        Image.open(picture).convert("RGB").quantize(COLOURS).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
