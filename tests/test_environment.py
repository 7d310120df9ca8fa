"""The lock, environment.yml and pyproject.toml name the same things in the same versions."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9_.-]+", requirement)[0]).lower()


def _pins(lines: list[str]) -> dict[str, str]:
    return {_name(line): line.split(";")[0].split("==")[1].strip() for line in lines if "==" in line}


def _lock() -> dict[str, str]:
    return _pins((ROOT / "requirements.lock").read_text().splitlines())


def _conda() -> dict[str, str]:
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    return _pins(next(entry["pip"] for entry in dependencies if isinstance(entry, dict)))


def _direct() -> list[str]:
    """What the package and its extras name; an extra may name others of its own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    return [name for name in map(_name, requirements) if name != "lossbook"]


def test_every_line_of_the_lock_is_a_pin():
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        pin = r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*(; platform_system == 'Linux')?"
        assert line.startswith("#") or re.fullmatch(pin, line), line


def test_environment_yml_has_the_locks_versions():
    lock, conda = _lock(), _conda()
    assert conda.items() <= lock.items()


def test_environment_yml_has_all_direct_dependencies():
    assert set(_direct()) == set(_conda())


def test_torch_is_the_pinned_one():
    assert _lock()["torch"] == "2.13.0"
