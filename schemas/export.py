"""Contracts as files: JSON Schemas and an AsyncAPI 3 document, and the pages about the catalogue of KPIs.

``python -m schemas.export`` writes ``schemas/generated``; with ``--check`` it writes nothing and fails when that would
change something, so that no contract changes unseen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from schemas.asyncapi import asyncapi
from schemas.catalogue import KPIS
from schemas.catalogue.compose import Catalogue
from schemas.errors import UsageError
from schemas.json_schemas import json_schemas
from schemas.kpi_documents import kpi_documents
from schemas.measures import MEASURES
from schemas.topics import Topics

GENERATED: Final = Path(__file__).with_name("generated")
BUILT_IN: Final = Catalogue(KPIS, MEASURES)


def documents(topics: Topics, catalogue: Catalogue = BUILT_IN) -> dict[str, str]:
    """File name -> text of every contract; the AsyncAPI document names these topics, the pages are about these KPIs."""
    contents = {**json_schemas(), "asyncapi.json": asyncapi(topics)}
    texts = {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in contents.items()}
    return {**texts, **kpi_documents(catalogue.kpis, catalogue.measures)}


def write_documents(directory: Path, topics: Topics, catalogue: Catalogue = BUILT_IN) -> list[str]:
    """Write all contracts and pages below a directory; returns their names.

    Raises:
        UsageError: The directory cannot be written to.
    """
    texts = documents(topics, catalogue)
    try:
        for name, text in texts.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{directory}: cannot be written to: {error.strerror}") from None
    return sorted(texts)


def differences(directory: Path, topics: Topics) -> list[str]:
    """What is missing, outdated or left over in a directory of contracts, one line each; empty when all is right."""
    texts = documents(topics)
    present = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    missing = [f"{name}: is missing" for name in sorted(texts.keys() - present)]
    left = [f"{name}: belongs to nothing any more" for name in sorted(present - texts.keys())]
    outdated = [
        f"{name}: differs from the types"
        for name in sorted(present & texts.keys())
        if (directory / name).read_text("utf-8") != texts[name]
    ]
    return missing + left + outdated


def main(arguments: Sequence[str]) -> int:
    """Write ``schemas/generated``, or with ``--check`` compare it; returns the exit code."""
    if list(arguments) == ["--check"]:
        found = differences(GENERATED, Topics())
        for line in found:
            sys.stderr.write(f"schemas/generated/{line}\n")
        if found:
            sys.stderr.write("run python -m schemas.export, and name the change of contract in CHANGELOG.md\n")
        return 1 if found else 0
    if arguments:
        sys.stderr.write(f"found {' '.join(arguments)}; allowed: nothing, or --check\n")
        return 2
    write_documents(GENERATED, Topics())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
