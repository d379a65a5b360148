"""The README's blocks, found by the comment before them, so that tests run what readers copy."""

from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def block(name: str) -> str:
    """The text of the fenced block after `<!-- name -->`."""
    after = README.read_text("utf-8").split(f"<!-- {name} -->\n", 1)
    assert len(after) == 2, f"README.md has no block {name}"
    fence, _, rest = after[1].partition("\n")
    assert fence.startswith("```")
    return rest.split("\n```", 1)[0] + "\n"
