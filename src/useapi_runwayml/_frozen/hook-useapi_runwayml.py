"""PyInstaller's hook: commands, resources and models are imported by name, which it cannot see, and there are data files."""

from PyInstaller.utils.hooks import (  # type: ignore[import-untyped,unused-ignore]
    can_import_module,
    collect_data_files,
    collect_dynamic_libs,
    collect_submodules,
)

PACKAGES = ("useapi_runwayml", "useapi_runwayml_api")
hiddenimports = [
    name
    for package in PACKAGES
    for name in collect_submodules(package, filter=lambda name: not name.endswith("pytest_plugin"))
]
datas = [found for package in PACKAGES for found in collect_data_files(package)]
binaries = collect_dynamic_libs("pymediainfo") if can_import_module("pymediainfo") else []
