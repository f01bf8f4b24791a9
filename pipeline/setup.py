"""Run `make setup`: install the locked packages into the current environment, and show the progress.

uv installs them four times as fast as pip. So pip installs only uv, from a lock of its own; if uv fails, pip installs
everything. Both check every file by its hash.

This module uses only the standard library, because nothing else is installed yet.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

LOCK: Final = Path("requirements.lock")
UV_LOCK: Final = Path("installer.lock")
PIP: Final = (sys.executable, "-m", "pip", "--disable-pip-version-check")
FROM_LOCK: Final = ("--require-hashes", "-r")
SECTIONS: Final = ("global", "install", ":env:")  # of pip's configuration
EVERY: Final = 30  # packages per line of pip's progress if there is no terminal

# Options of pip that uv does not read, by the environment variable of uv, with the separator between several values.
# Several indexes are safe to mix, because every file must have a hash of the lock.
UV_OPTIONS: Final = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "proxy": ("ALL_PROXY", " "),
}


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


def install(lock: Path = LOCK, uv_lock: Path = UV_LOCK) -> None:
    """Install the locked packages by uv, or by pip if uv fails.

    Raises:
        SystemExit: pip failed; the message ends with pip's last lines.
    """
    packages = sum(1 for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line.split("#")[0])
    print(f"installing {packages} packages, 3 GB, into {sys.prefix}", flush=True)
    reason = _install_by_uv(lock, uv_lock)
    if reason is not None:
        print(f"  uv failed ({reason}); pip goes on, which takes two minutes or more", flush=True)
        _install_by_pip(lock, packages)


def _install_by_uv(lock: Path, uv_lock: Path) -> str | None:
    """Install by uv, and return the reason if that fails."""
    start = time.monotonic()
    pip = [*PIP, "install", "--quiet", *FROM_LOCK, str(uv_lock)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"it could not be installed: {_last_line(done.stderr)}"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--compile-bytecode", *FROM_LOCK, str(lock)]
    environment = os.environ | uv_environment(_pip_options()) | {"VIRTUAL_ENV": sys.prefix}
    # In a terminal, uv shows its own progress.
    errors = None if sys.stderr.isatty() else subprocess.PIPE
    done = subprocess.run(uv, env=environment, stderr=errors, text=True, check=False)
    if done.returncode:
        return _last_line(done.stderr or f"exit code {done.returncode}")
    print(f"  installed, {time.monotonic() - start:.0f} s", flush=True)
    return None


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1].strip()[:200]


def _pip_options() -> dict[str, str]:
    """Return pip's options by name. Those of the environment come last in pip's list, because they win."""
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=False).stdout
    pairs = (line.partition("=") for line in listed.splitlines())
    return {name.rpartition(".")[2]: value.strip("'\"") for name, _, value in pairs if name.split(".")[0] in SECTIONS}


def uv_environment(options: Mapping[str, str]) -> dict[str, str]:
    """Return uv's environment variables for pip's options, so that uv reads the same indexes and certificates."""
    variables = {
        variable: separator.join(options[name].replace("\\n", " ").split())
        for name, (variable, separator) in UV_OPTIONS.items()
        if options.get(name)
    }
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **variables}


def _install_by_pip(lock: Path, packages: int) -> None:
    output, status, count = [], Status(), 0
    command = [*PIP, "install", *FROM_LOCK, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
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
    print("compiling the training loops, once for this version: some 20 s", flush=True)
    subprocess.run([sys.executable, "-m", "pipeline.training.common.warm_up"], check=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: run the same command again")
