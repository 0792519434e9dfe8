#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2024.10.9"]
# ///
"""Tasks of a developer, each in an environment of its own: `nox` runs checks and tests, `nox -s NAME` any of them.

`.ci/run` runs all of them in fresh clones, and the README's commands as written.
"""

from __future__ import annotations

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"


@nox.session
def checks(session: nox.Session) -> None:
    """Linter, formatter, types and layers."""
    session.install("-e.[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """Tests but for the slow ones, or those that the arguments name."""
    session.install("-e.[test]")
    session.run("python", "-m", "pytest", *(session.posargs or ["-n", "2"]))


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """Slow tests."""
    session.install("-e.[test]")
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-m", "slow")


@nox.session(default=False)
def torch(session: nox.Session) -> None:
    """Tests of real PyTorch modules, with whatever build of torch the package index gives (with CUDA some 3 GB)."""
    session.install("-e.[test,torch]")
    session.run("python", "-m", "pytest", "-m", "torch")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The documentation as a site in build/docs."""
    session.install("-e.[docs]")
    session.run("sphinx-build", "-W", "--quiet", "docs", "build/docs")


if __name__ == "__main__":
    nox.main()
