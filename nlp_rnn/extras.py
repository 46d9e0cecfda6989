"""Libraries that only some uses need: ``pyproject.toml`` names the extra that installs each.

No package index has this package, so a hint says where it was installed from.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from nlp_rnn.errors import UserError

PACKAGE = "nlp_rnn"


def install_command(extra: str) -> str:
    """The command that installs an extra of this package, or several parted by commas."""
    checkout = Path(__file__).parents[1]
    if (checkout / "pyproject.toml").is_file():
        return f"pip install -e '{checkout}[{extra}]'"
    origin = _installed_from() or "file:///PATH/TO/ITS/WHEEL"
    return f"pip install '{PACKAGE}[{extra}] @ {origin}'"


def _installed_from() -> str | None:
    """The address of the folder or wheel that pip installed (PEP 610), where it is known."""
    import importlib.metadata  # slow, and needed for a message only

    try:
        record = importlib.metadata.distribution(PACKAGE).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return None
    return str(json.loads(record)["url"]) if record else None


def require(module: str, extra: str, purpose: str) -> None:
    """Fail early, and say how to go on, where an optional library is not installed.

    Args:
        module: as it is imported.
        extra: of this package, which installs it.
        purpose: what needs it, the start of the message.

    Raises:
        UserError: it is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise UserError(
            f"{purpose} needs {module}, which is not installed; "
            f"install it with: {install_command(extra)}"
        )
