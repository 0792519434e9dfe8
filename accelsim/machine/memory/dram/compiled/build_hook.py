"""Compiles `kernel.pyx` when accelsim is built or installed.

Where there is no C compiler, or Cython can't be had, accelsim is installed without it and plays DRAM in plain Python.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "accelsim.machine.memory.dram.compiled.kernel"
BUILT = (".so", ".pyd")


class KernelHook(BuildHookInterface[Any]):  # type: ignore[misc]  # hatchling is there only while it builds
    """Puts the compiled module beside its source, and into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (the interface's)
        """Before a wheel, editable or not, is built."""
        folder = Path(self.root, *MODULE.split(".")[:-1])
        try:
            compile_module(Path(self.root), folder)
        except (Exception, SystemExit) as error:  # whatever goes wrong, the plain modules are there
            self.app.display_warning(f"no compiled DRAM kernel, so DRAM is played in plain Python: {error}")
            for old in folder.iterdir():
                if old.suffix in BUILT:
                    old.unlink()
            return
        build_data["artifacts"] += [f"/{folder.relative_to(self.root)}/*{ending}" for ending in BUILT]
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def compile_module(root: Path, folder: Path) -> None:
    """Raises what Cython and setuptools do."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    flags = ["-g0"] if os.name == "posix" else []
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(root):  # Cython keeps to it for relative paths only
        source = str((folder / "kernel.pyx").relative_to(root))
        extensions = cythonize([Extension(MODULE, [source], extra_compile_args=flags)], build_dir=scratch, quiet=True)
        build = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
        build.build_temp = build.build_lib = scratch
        build.ensure_finalized()
        build.run()
        for built in Path(scratch).rglob("kernel.*"):
            if built.suffix in BUILT:
                beside = folder / f"{built.name}.{os.getpid()}"
                beside.write_bytes(built.read_bytes())
                os.replace(beside, folder / built.name)  # never half a module for who imports it meanwhile
