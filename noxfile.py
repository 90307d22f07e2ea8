"""Everything that is checked before a change lands: `nox`, or `nox -s <session>`."""

import re
import shutil
import tarfile
from pathlib import Path

import nox

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)  # from the classifiers

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "typing", "tests", "examples", "build"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, layers, and the lines of README and CHANGELOG that tools read."""
    session.install("ruff>=0.14", "import-linter>=2.5")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", env={"PYTHONPATH": "src"})
    check_documents(session)


@nox.session
def typing(session: nox.Session) -> None:
    """Check types, strictly, over all there is."""
    session.install("-e", ".[dev]")
    session.run("mypy", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests against the installed package."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Run each example by itself, as a reader does."""
    session.install(".")
    for example in sorted(Path("examples").glob("*.py")):
        session.run("python", str(example))


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Print the figures, beside those of peers and floors."""
    session.install(".[test,uvloop]")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build sdist and wheel, and test the wheel where no source is to be found."""
    dist = Path("dist")
    shutil.rmtree(dist, ignore_errors=True)
    session.install("build>=1.2")
    session.run("python", "-m", "build", "--outdir", str(dist))
    [sdist], [wheel] = dist.glob("*.tar.gz"), dist.glob("*.whl")

    clean = Path(session.create_tmp()).resolve()
    shutil.rmtree(clean)
    with tarfile.open(sdist) as archive:
        archive.extractall(clean, filter="data")
    [tree] = clean.iterdir()
    shutil.rmtree(tree / "src")
    python = str(clean / "venv" / "bin" / "python")
    session.run("python", "-m", "venv", str(clean / "venv"))
    session.run(python, "-m", "pip", "install", "-q", f"{wheel}[test]", external=True)
    with session.chdir(tree):
        session.run(python, "-m", "pytest", *session.posargs, external=True)


def check_documents(session: nox.Session) -> None:
    """Fail when README's commands or CHANGELOG's newest heading are not as expected."""
    readme = Path("README.md").read_text("utf-8")
    for mark in ("run", "test"):
        if not re.search(rf"(?m)^<!-- {mark} -->\n```sh\n[^\n]+\n```$", readme):
            session.error(f"README.md: no fence of one line after <!-- {mark} -->")
    source = Path("src/flowser/__init__.py").read_text("utf-8")
    [version] = re.findall(r'(?m)^__version__ = "(.+)"$', source)
    changelog = Path("CHANGELOG.md").read_text("utf-8")
    newest = re.findall(r"(?m)^## \[(.+?)\]", changelog)[0]
    if newest not in ("Unreleased", version):
        session.error(f"CHANGELOG.md: begins with {newest}, the version is {version}")
