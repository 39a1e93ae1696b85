"""What other distributions bring, found in an installed one; and the schema that editors take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import specspan.spec.spec_json as module
from specspan.spec.spec_json import schema_text

PLUGIN = """\
from specspan.spec.spec import Clause, Spec


class Reader:
    def reads(self, text):
        return text.startswith("ACME")

    def read(self, text, origin):
        clause = Clause("only", "Only", text.split()[1], "boss")
        return Spec("acme", "7", origin.digest, ("boss",), {"only": clause}, origin.source)


class Writer:
    FORMAT = "acme"

    def write(self, spec):
        return "ACME " + next(iter(spec.clauses.values())).text


reader, writer = Reader(), Writer()
"""


def test_an_installed_distribution_brings_a_format(tmp_path: Path) -> None:
    """A distribution that registers a reader and a writer needs nothing else to have its format read and written."""
    info = tmp_path / "site" / "acme_spec-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-spec\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[specspan_readers]\nacme = acme_spec:reader\n\n[specspan_writers]\nacme = acme_spec:writer\n"
    )
    (info.parent / "acme_spec.py").write_text(PLUGIN)
    spec = tmp_path / "rules"
    spec.write_text("ACME kindness")
    ran = subprocess.run(
        [sys.executable, "-c", "from specspan.cli.main import main; main()", "spec", "convert", spec, "--to", "acme"],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(info.parent)},
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "ACME kindness", "")


def test_the_published_schema_is_current() -> None:
    """The schema file is what the models say: write it with `specspan spec schema`."""
    published = Path(module.__file__).with_name("spec.schema.json").read_text(encoding="utf-8")
    assert published == schema_text()
    schema = json.loads(published)
    assert schema["required"] == ["clauses"]
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["ClauseEntry"]["required"] == ["id"]
