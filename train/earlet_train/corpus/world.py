"""The WORLD vocoder library, loaded without the package code around it.

`import pyworld` (0.3.5) runs an __init__ that asks setuptools' pkg_resources for its own version;
pkg_resources is deprecated, warns, and is missing from fresh environments. The compiled module
beside that __init__ holds every function and needs none of it.
"""

import importlib.util
from functools import cache
from importlib.machinery import PathFinder
from types import ModuleType

from earlet.errors import MissingExtra


@cache
def world() -> ModuleType:
    """The module with dio, harvest, stonemask, cheaptrick, d4c, synthesize. Or MissingExtra."""
    package = PathFinder.find_spec("pyworld")
    if package is None or package.submodule_search_locations is None:
        raise MissingExtra(module="pyworld", extra="corpus")
    spec = PathFinder.find_spec("pyworld", list(package.submodule_search_locations))
    if spec is None or spec.loader is None:
        raise MissingExtra(module="pyworld", extra="corpus")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
