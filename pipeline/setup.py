"""Install the locked packages into the environment that runs this, showing how far it is: `make setup`.

Only the standard library: nothing else is there yet.
"""

import subprocess
import sys
import time
from pathlib import Path

LOCK = Path("requirements.lock")
EVERY = 30  # without a terminal, one line for this many packages


class Status:
    """One line that changes in a terminal; in a log a line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._begun = time.monotonic()

    def say(self, text: str, log: bool) -> None:
        """Show `text`; where there is no terminal only if `log`."""
        line = f"  {text}, {time.monotonic() - self._begun:.0f} s"
        if self._terminal:
            print(f"\r\033[K{line[:78]}", end="", flush=True)
        elif log:
            print(line, flush=True)

    def end(self) -> None:
        """Leave the line as it is."""
        if self._terminal:
            print(flush=True)


def install(lock: Path = LOCK) -> None:
    """Install what the lock names, every file by its hash.

    Raises:
        SystemExit: pip failed; what it said is shown.
    """
    packages = sum(1 for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line.split("#")[0])
    print(f"installing {packages} packages, 3 GB, into {sys.prefix}", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--require-hashes", "-r", str(lock)]
    said, status, collected = [], Status(), 0
    with subprocess.Popen(pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            said.append(line)
            if line.startswith(("Collecting ", "Processing ")):  # the second of files at hand
                collected += 1
                name = line.split()[1].partition("==")[0]
                status.say(f"{collected} of {packages} collected: {name}", log=collected % EVERY == 0)
            elif line.startswith("Installing collected packages"):
                status.say("all collected; unpacking, which takes a minute", log=True)
        code = process.wait()
    status.say("installed" if code == 0 else "pip failed", log=True)
    status.end()
    if code:
        sys.exit("".join(said[-20:]) + f"error: pip: exit code {code}: the packages of {lock} could not be installed")


def main() -> None:
    """Packages, DVC's configuration outside git, and the compiled loops."""
    install()
    if subprocess.run(["git", "rev-parse", "--git-dir"], capture_output=True, check=False).returncode:
        subprocess.run([sys.executable, "-m", "dvc", "config", "--local", "core.no_scm", "true"], check=True)
    print("compiling the loops that train, once for this version: some 15 s", flush=True)
    subprocess.run([sys.executable, "-m", "pipeline.training.common.warm_up"], check=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: the same command sets up anew")
