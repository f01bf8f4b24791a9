"""Run `make setup`: install the locked packages into the current environment, and show the progress.

This module uses only the standard library, because nothing else is installed yet.
"""

import subprocess
import sys
import time
from pathlib import Path

LOCK = Path("requirements.lock")
EVERY = 30  # packages per line of output if there is no terminal


class Status:
    """Shows progress: in a terminal by one line that changes, elsewhere by a new line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._start = time.monotonic()

    def show(self, text: str, log: bool) -> None:
        """Show `text`; without a terminal, show it only if `log` is true."""
        line = f"  {text}, {time.monotonic() - self._start:.0f} s"
        if self._terminal:
            print(f"\r\033[K{line[:78]}", end="", flush=True)
        elif log:
            print(line, flush=True)

    def end(self) -> None:
        """Finish the line."""
        if self._terminal:
            print(flush=True)


def install(lock: Path = LOCK) -> None:
    """Install the locked packages, whose files pip checks by their hashes.

    Raises:
        SystemExit: pip failed; the message ends with pip's last lines.
    """
    packages = sum(1 for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line.split("#")[0])
    print(f"installing {packages} packages, 3 GB, into {sys.prefix}", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--require-hashes", "-r", str(lock)]
    output, status, count = [], Status(), 0
    with subprocess.Popen(pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            output.append(line)
            if line.startswith(("Collecting ", "Processing ")):  # pip prints "Processing" for local files
                count += 1
                name = line.split()[1].partition("==")[0]
                status.show(f"{count} of {packages} collected: {name}", log=count % EVERY == 0)
            elif line.startswith("Installing collected packages"):
                status.show("all collected; unpacking, which takes a minute", log=True)
        code = process.wait()
    status.show("installed" if code == 0 else "pip failed", log=True)
    status.end()
    if code:
        sys.exit("".join(output[-20:]) + f"error: pip: exit code {code}: the packages of {lock} could not be installed")


def main() -> None:
    """Install the packages, configure DVC outside git, and compile the training loops."""
    install()
    if subprocess.run(["git", "rev-parse", "--git-dir"], capture_output=True, check=False).returncode:
        subprocess.run([sys.executable, "-m", "dvc", "config", "--local", "core.no_scm", "true"], check=True)
    print("compiling the training loops, once for this version: some 15 s", flush=True)
    subprocess.run([sys.executable, "-m", "pipeline.training.common.warm_up"], check=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: run the same command again")
