"""Make the virtual environment of this checkout, with exactly what the lock file names.

Needs nothing but Python, so that a fresh machine can run it: ``python3 ops/environment.py run`` installs what
MultiFlexi needs, ``python3 ops/environment.py dev`` also what its tests need. A stamp written last tells a finished
environment from one that was interrupted; it holds a digest of all that the environment was made from, so that a
changed lock file, another Python, or a folder that was moved or copied is noticed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".venv"
LOCKS = {"run": PROJECT / "requirements.lock", "dev": PROJECT / "requirements-dev.lock"}
OLDEST_PYTHON = (3, 11)


class EnvironmentSetupError(Exception):
    """The environment cannot be made; the message says what to do."""


def digest(kind: str) -> str:
    """Return the digest of all that an environment of a kind is made from.

    Parameters
    ----------
    kind : str
        ``run`` or ``dev``.
    """
    # The real path: inside the activated environment, its own Python is the first to be found.
    parts = [sys.version, str(Path(sys.executable).resolve()), str(ENVIRONMENT)]
    contents = [LOCKS[kind].read_bytes(), (PROJECT / "pyproject.toml").read_bytes()]
    return hashlib.sha256(b"\0".join([*(part.encode() for part in parts), *contents])).hexdigest()


def stamp(kind: str) -> Path:
    """Return the file that tells that the environment is complete for a kind."""
    return ENVIRONMENT / f"complete-{kind}"


def is_complete(kind: str) -> bool:
    """Tell whether the environment was finished, here, from what the files say now."""
    path = stamp(kind)
    return path.is_file() and path.read_text() == digest(kind)


def say(text: str) -> None:
    """Tell the user what takes the time."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def call(command: list[str | Path], doing: str) -> None:
    """Run a command quietly; if it fails, show all it said.

    Raises
    ------
    EnvironmentSetupError
        The command failed.
    """
    result = subprocess.run(command, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode:
        raise EnvironmentSetupError(f"{doing} failed:\n{result.stdout}{result.stderr}".rstrip())


def ensure_venv_module() -> None:
    """Install Debian's ``python3-venv`` if this Python comes without it and we may.

    Raises
    ------
    EnvironmentSetupError
        The module is not there and cannot be installed by us.
    """
    probe = subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True, check=False)
    if probe.returncode == 0:
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise EnvironmentSetupError(
            f"{sys.executable} has no ensurepip, which makes virtual environments. "
            f"On Debian and Ubuntu: sudo apt-get install {package}"
        )
    say(f"Installing {package} …")
    call(["apt-get", "update", "-q"], "apt-get update")
    call(["apt-get", "install", "-q", "-y", "--no-install-recommends", package], f"Installing {package}")


def make(kind: str) -> None:
    """Make or update the environment, and stamp it.

    Parameters
    ----------
    kind : str
        ``run`` or ``dev``; ``dev`` includes ``run``.
    """
    kept = any(stamp(each).is_file() for each in LOCKS) and _is_usable()
    for each in LOCKS:
        stamp(each).unlink(missing_ok=True)
    python = ENVIRONMENT / "bin" / "python"
    if not kept:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        ensure_venv_module()
        say(f"Making the virtual environment {ENVIRONMENT} …")
        venv.create(ENVIRONMENT, with_pip=True)
    say(f"Downloading and installing what {LOCKS[kind].name} names (once; a minute or two) …")
    call([*_installer(python), "--require-hashes", "-r", LOCKS[kind]], "Installing the dependencies")
    say("Installing MultiFlexi itself …")
    call([*_installer(python), "--no-deps", "--no-build-isolation", "-e", PROJECT], "Installing MultiFlexi")
    for each in ("run", "dev") if kind == "dev" else ("run",):
        stamp(each).write_text(digest(each))


def _is_usable() -> bool:
    """Tell whether the environment was made in this folder (its scripts name their Python) and by this Python."""
    question = [ENVIRONMENT / "bin" / "python", "-c", "import sys; sys.stdout.write(sys.version)"]
    try:
        script = (ENVIRONMENT / "bin" / "pip").read_text()
        answer = subprocess.run(question, capture_output=True, text=True, check=True)
    except (OSError, UnicodeDecodeError, subprocess.CalledProcessError):
        return False
    return str(ENVIRONMENT) in script and answer.stdout == sys.version


def _installer(python: Path) -> list[str | Path]:
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", python]
    return [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]


def main(kind: str) -> int:
    """Make the environment unless it is complete; one process at a time.

    Returns
    -------
    int
        Exit code: 0 when the environment is complete.
    """
    if sys.version_info < OLDEST_PYTHON:
        say(f"MultiFlexi needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.")
        return 1
    try:
        with (PROJECT / ".venv.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_complete(kind):
                make(kind)
    except EnvironmentSetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted. The next run starts over where needed.")
        return 130
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in LOCKS:
        say(f"Usage: {sys.argv[0]} {{{'|'.join(LOCKS)}}}")
        sys.exit(2)
    sys.exit(main(sys.argv[1]))
