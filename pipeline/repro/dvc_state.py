"""DVC's state: the hashes of files that it has seen, which it keeps as pickles (GHSA-w8v5-vhqr-4h9v)."""

import os
from pathlib import Path

FOLDER = Path(".dvc/tmp/private")
VARIABLE = "DVC_SITE_CACHE_DIR"


def keep_private() -> None:
    """Let DVC keep its state in a folder of this user alone, unless the variable names a folder.

    By default the state is in /var/tmp/dvc, where every user of the machine can replace it.
    """
    if VARIABLE not in os.environ:
        FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
        FOLDER.chmod(0o700)  # DVC may have made it, for everybody
        os.environ[VARIABLE] = str(FOLDER.absolute())
