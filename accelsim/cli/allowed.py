"""`--allow-path`: where files may lie that other files name."""

from __future__ import annotations

from typing import Any


def add_allow_path(parser: Any) -> None:
    """The option; `accelsim.config.places.allow` takes what it gives."""
    parser.add_argument(
        "--allow-path",
        metavar="DIR",
        default=[],
        action="append",
        help="let files name others below DIR, not only below their own folder; may be repeated",
    )
