"""pyproject.toml, constraints.txt, environment.yml and install.py speak of the same packages."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, distributions, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from jimoto import install

ROOT = Path(install.__file__).parents[2]

# name in pyproject.toml → name on conda-forge, where they differ
CONDA_NAMES = {
    "matplotlib": "matplotlib-base",  # without Qt
    "ollama": "ollama-python",  # `ollama` there is the server
    "playwright": "playwright-python",
    "torch": "pytorch",
}
CONDA_ONLY = {"python", "pip"}
# pinned without being a dependency on this system
OTHER_SYSTEMS = {"appnope", "colorama", "pywinpty"}
BUILD_TOOLS = {"hatchling", "pip", "scikit-build-core"}


def read_project() -> dict[str, list[str]]:
    """The requirements of the kit and of each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"": project["dependencies"], **project["optional-dependencies"]}


def read_direct() -> set[str]:
    lists = read_project().values()
    return {canonicalize_name(Requirement(text).name) for texts in lists for text in texts}


def read_pins() -> dict[str, str]:
    """Name → version, of every line that is not a comment."""
    pins: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, version = line.partition("==")
            pins[canonicalize_name(name)] = version
    return pins


def read_conda() -> set[str]:
    """The names in environment.yml, those of its pip section included."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    entries = environment["dependencies"]
    texts = [entry for entry in entries if isinstance(entry, str)]
    texts += [text for entry in entries if isinstance(entry, dict) for text in entry["pip"]]
    return {text.split()[0].partition("=")[0] for text in texts}


def find_needed() -> set[str]:
    """Every package that the kit and its extras lead to, as installed here."""
    needed: set[str] = set()
    waiting = [Requirement(text) for texts in read_project().values() for text in texts]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        needed.add(key[0])
        try:
            found = [Requirement(text) for text in requires(wanted.name) or ()]
        except PackageNotFoundError:
            pytest.fail(f"{wanted.name} is not installed; run `make test`, which installs it")
        extras = [{"extra": extra} for extra in wanted.extras | {""}]
        waiting += [r for r in found if not r.marker or any(r.marker.evaluate(e) for e in extras)]
    return needed


def test_environment_yml_names_what_pyproject_names() -> None:
    assert read_conda() - CONDA_ONLY == {CONDA_NAMES.get(name, name) for name in read_direct()}


def test_the_table_of_conda_names_holds_only_names_in_use() -> None:
    assert set(CONDA_NAMES) <= read_direct()


def test_constraints_pin_every_package_exactly() -> None:
    pins = read_pins()
    loose = {name for name, version in pins.items() if not version or set(version) & set("<>=*,+;")}
    assert not loose
    assert not find_needed() - set(pins), "refresh constraints.txt as its first lines say"


def test_constraints_pin_nothing_that_is_not_needed() -> None:
    pinned = set(read_pins()) - OTHER_SYSTEMS - BUILD_TOOLS
    assert not pinned - find_needed(), "refresh constraints.txt as its first lines say"


@pytest.mark.parametrize("python", ["3.11.0", "3.12.0", "3.13.0"])
def test_every_pin_runs_on_every_python_that_is_promised(python: str) -> None:
    # Debian 12 has 3.11.2: a package may ask for 3.11.5 and still say "3.11" in its description
    asked = {d.name: d.metadata["Requires-Python"] for d in distributions() if d.name != "jimoto"}
    too_new = {name for name, text in asked.items() if text and python not in SpecifierSet(text)}
    assert not too_new


def test_pyproject_leaves_versions_to_constraints() -> None:
    texts = [text for texts in read_project().values() for text in texts]
    assert not [text for text in texts if Requirement(text).specifier]


def test_the_installer_and_constraints_agree() -> None:
    pins = read_pins()
    assert pins[install.ENGINE] == install.ENGINE_VERSION
    assert pins["torch"] == install.TORCH_VERSION


def test_the_build_backend_is_the_pinned_one() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    assert build["requires"] == [f"hatchling=={read_pins()['hatchling']}"]


def test_the_installer_knows_the_extras_of_pyproject() -> None:
    assert set(read_project()) - {""} == set(install.EXTRAS["test"])
