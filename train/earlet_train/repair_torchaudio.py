"""Makes torchaudio importable beside a CPU build of torch.

Run it as `python -m earlet_train.repair_torchaudio`. The torchaudio wheel carries an extension
(`_torchaudio*.so`) that was linked against CUDA. Beside a torch without CUDA it cannot load and
takes the whole import down with it, though nothing that earlet uses needs it. Only in that case is
the extension removed; every other error is reported as it is.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

PROBE = "import torchaudio"


def repair() -> str:
    """Try the import, repair it if that is the trouble; -> one sentence on what was done.

    Raises RuntimeError where the import fails for another reason, or still fails afterwards.
    """
    trouble = import_error()
    if trouble is None:
        return "torchaudio imports: nothing to repair."
    extensions = sorted((package_folder() / "lib").glob("_torchaudio*.so"))
    last = trouble.strip().splitlines()[-1]
    if not last.startswith("OSError") or not extensions:
        raise RuntimeError(
            f"torchaudio does not import, and not because of its CUDA extension:\n{trouble}"
        )
    for extension in extensions:
        extension.unlink()
    again = import_error()
    if again is not None:
        raise RuntimeError(f"torchaudio still does not import after the repair:\n{again}")
    removed = ", ".join(extension.name for extension in extensions)
    return f"torchaudio imports again: removed {removed}, which cannot load beside this torch."


def import_error() -> str | None:
    """The traceback of `import torchaudio` in a fresh interpreter, or None where it works."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr


def package_folder() -> Path:
    """Where torchaudio lies, found without importing it. Raises RuntimeError."""
    spec = importlib.util.find_spec("torchaudio")
    if spec is None or spec.origin is None:
        raise RuntimeError("torchaudio is not installed. Install it: pip install 'earlet[train]'")
    return Path(spec.origin).parent


def main() -> int:
    """Exit code 0 where torchaudio imports in the end, else 1."""
    try:
        sys.stdout.write(repair() + "\n")
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
