"""Builds dist/function-app.zip: the tracked files that .funcignore leaves, for a deployment with remote build.

Third-party packages are not in it: Azure's remote build installs requirements.txt. Our own modules are compiled to
unchecked-hash .pyc when this runs on the app's Python (3.13), because a zip keeps times to two seconds only, which
makes every time-stamped .pyc stale and has a read-only mount recompile it at each cold start.

Usage: python infra/package.py [OUTPUT]
"""

import py_compile
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
APP_PYTHON = (3, 13)
_OLDEST = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: equal content gives an equal archive


def _git_ls_files(*arguments: str) -> set[str]:
    command = ["git", "ls-files", "-z", *arguments]
    listed = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True)  # noqa: S603 - fixed words
    return set(filter(None, listed.stdout.split("\0")))


def packaged_files() -> tuple[str, ...]:
    """Return the tracked paths that .funcignore does not exclude, as git reads such patterns.

    Raises:
        subprocess.CalledProcessError: If this is no git checkout.
    """
    ignored = _git_ls_files("--cached", "--ignored", "--exclude-from=.funcignore")
    return tuple(sorted(_git_ls_files("--cached") - ignored))


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _OLDEST)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def _compiled(source: Path, name: str, folder: Path) -> tuple[str, bytes]:
    """Return the archive name and content of a module's .pyc that is valid whatever time the source carries."""
    target = folder / "module.pyc"
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(source), cfile=str(target), dfile=name, doraise=True, invalidation_mode=mode)
    path = Path(name)
    return str(path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"), target.read_bytes()


def build(output: Path) -> tuple[str, ...]:
    """Write the archive and return the names in it."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(output, "w") as archive, tempfile.TemporaryDirectory() as folder:
        for name in packaged_files():
            source = CHECKOUT / name
            _add(archive, name, source.read_bytes())
            if source.suffix == ".py" and sys.version_info[:2] == APP_PYTHON:
                _add(archive, *_compiled(source, name, Path(folder)))
        return tuple(archive.namelist())


def main() -> int:
    """Build the archive at the path given, or at dist/function-app.zip."""
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKOUT / "dist" / "function-app.zip"
    names = build(output)
    compiled = sum(name.endswith(".pyc") for name in names)
    note = f"{compiled} compiled modules" if compiled else "no compiled modules: that needs Python 3.13"
    sys.stdout.write(f"{output}: {len(names) - compiled} files, {note}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
