"""Compiles the kernels of DRAM and caches when accelsim is built or installed.

Where there is no C compiler, or Cython can't be had, accelsim is installed without them and plays memory in plain
Python.
"""

from __future__ import annotations

import ast
import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MEMORY = "accelsim.machine.memory"
KERNELS = {
    f"{MEMORY}.dram": ("__init__", "banks", "queues", "channel", "requester", "lines", "controller"),
    f"{MEMORY}.cache": ("__init__", "level", "requester", "below", "hierarchy"),
}
"""Modules of the kernel of each package, each of which needs those before it only; compiled as one, they call each
other in C. That of caches calls that of the DRAM."""
BUILT = (".so", ".pyd")
DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,
    "infer_types": True,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
}


class KernelHook(BuildHookInterface[Any]):  # type: ignore[misc]  # hatchling is there only while it builds
    """Puts the compiled module beside the folder of its sources, and into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (the interface's)
        """Before a wheel, editable or not, is built."""
        folders = {package: Path(self.root, *package.split(".")) for package in KERNELS}
        try:
            for package, folder in folders.items():
                compile_kernel(package, folder)
        except (Exception, SystemExit) as error:  # whatever goes wrong, the plain modules are there
            self.app.display_warning(f"no compiled kernels, so DRAM and caches are simulated in plain Python: {error}")
            for folder in folders.values():
                for old in folder.iterdir():
                    if old.suffix in BUILT:
                        old.unlink()
            return
        for folder in folders.values():
            build_data["artifacts"] += [f"/{folder.relative_to(self.root)}/*{ending}" for ending in BUILT]
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def joined(package: str, folder: Path) -> str:
    """The modules of a kernel as one: without what they import of each other, and of `integers.py`, which is C."""
    left_out = ("__future__", *(f"{name}.kernel." for name in KERNELS), f"{MEMORY}.integers.")
    found = ["from __future__ import annotations"]
    for part in KERNELS[package]:
        text = (folder / f"{part}.py").read_text(encoding="utf-8")
        lines = text.splitlines()
        for node in ast.parse(text).body:
            if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(left_out):
                assert node.end_lineno is not None
                lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
        found += lines
    return "\n".join(found)


def types_of(folder: Path, *, seen: bool) -> str:
    """The C types of a kernel: those that kernels share, and its own; of those, what others see, or all."""
    own = sorted(path for path in (folder / "kernel").glob("*.pxd") if not seen or path.name != "types.pxd")
    return "\n\n".join(part.read_text(encoding="utf-8") for part in (folder.parent / "integers.pxd", *own))


def compile_kernel(name: str, folder: Path) -> None:
    """Raises what Cython and setuptools do."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    flags = ["-g0"] if os.name == "posix" else []
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        for other in KERNELS:
            package = Path(*other.split("."))
            package.mkdir(parents=True)
            for parent in (package, *package.parents[:-1]):
                (parent / "__init__.py").touch()
            types = types_of(folder.parent / package.name, seen=other != name)
            (package / "compiled.pxd").write_text(types, encoding="utf-8")
        source = Path(*name.split("."), "compiled.py")
        source.write_text(joined(name, folder / "kernel"), encoding="utf-8")
        extension = Extension(f"{name}.compiled", [str(source)], extra_compile_args=flags)
        extensions = cythonize([extension], compiler_directives=DIRECTIVES, quiet=True)
        build = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
        build.build_temp = build.build_lib = "built"
        build.ensure_finalized()
        build.run()
        for built in Path("built").rglob("compiled.*"):
            if built.suffix in BUILT:
                beside = folder / f"{built.name}.{os.getpid()}"
                beside.write_bytes(built.read_bytes())
                os.replace(beside, folder / built.name)  # never half a module for who imports it meanwhile
