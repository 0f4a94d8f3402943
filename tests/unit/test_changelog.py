"""The changelog tells what the code does: old paths beside new ones, and the version that is next."""

import re
from pathlib import Path

from packaging.version import Version

import cfgraph
from cfgraph.moved import MOVED

CHANGELOG = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()


def test_every_old_path_stands_beside_its_new_one():
    rows = re.findall(r"^\| `cfgraph\.(\S+)` \| `cfgraph\.(\S+)` \|$", CHANGELOG, re.MULTILINE)
    assert dict(rows) == MOVED
    assert len(rows) == len(MOVED)


def test_the_version_is_one_that_the_changelog_knows():
    headings = re.findall(r"^## \[(\S+)\](?: - \d{4}-\d\d-\d\d)?$", CHANGELOG, re.MULTILINE)
    version = Version(cfgraph.__version__)
    if version.is_devrelease:
        assert headings[0] == "Unreleased"
        assert version > Version(headings[1])
    else:
        assert str(version) == headings[0], "give what is unreleased its number and its date"
