"""Tables of "module:Name"."""

import subprocess
import sys

import pytest

from loupe.errors import ConfigError
from loupe.named import imported, named

TABLE = {"counter": "collections:Counter", "decimal": "decimal:Decimal", "lost": "loupe.named:gone"}


def test_what_is_asked_for_is_imported_and_nothing_else():
    from collections import Counter

    assert named("number", "counter", TABLE) is Counter is imported("collections:Counter")
    code = f"import sys, loupe.named as n; n.named('number', 'counter', {TABLE}); sys.exit('decimal' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_names_nobody_has():
    with pytest.raises(ConfigError, match="unknown number: got 'countr'; did you mean 'counter'"):
        named("number", "countr", TABLE)
    with pytest.raises(AttributeError):
        named("number", "lost", TABLE)
