"""The parser of a command's arguments, and arguments that several commands have.

What argparse refuses is told by which argument it is about, never by its words: these are not the same in all versions.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from accelsim.cli.verbosity import add_verbosity
from accelsim.errors import Mistake, UserError, shorten, suggestion

if TYPE_CHECKING:
    from accelsim.importers import ModelOptions

GROUPINGS = ("type", "stage", "layer", "group")
LARGEST_BATCH = 1 << 16
MOST_DIMENSIONS = 6


EXAMPLE = "example: "


class _Help(argparse.HelpFormatter):
    """Help whose example stays one line, to be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith(EXAMPLE) else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """argparse, its errors as mistakes of ours."""

    def __init__(self, prog: str, description: str | None = None, epilog: str | None = None) -> None:
        super().__init__(
            prog,
            description=description,
            epilog=epilog,
            formatter_class=_Help,
            allow_abbrev=False,
            exit_on_error=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise, rather than exit, as some versions of argparse do if an argument is missing."""
        raise argparse.ArgumentError(None, message)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Help. Raises OSError where it cannot be written, which argparse does not say."""
        print(message, end="", file=file, flush=True)

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """The arguments. Raises UserError; leaves through SystemExit(0) after `--help`."""
        arguments = argparse.Namespace()
        try:
            _, unknown = self.parse_known_args(words, arguments)
        except argparse.ArgumentError as error:
            raise UserError([self._mistake(error.argument_name, arguments, words)]) from None
        if unknown:
            near = suggestion(" ".join(unknown).partition("=")[0], self._option_string_actions)
            expected = f"the arguments of `{self.prog} --help`{near}"
            raise UserError([command_line("arguments", expected, repr(" ".join(unknown)))])
        return arguments

    def _mistake(self, name: str | None, arguments: argparse.Namespace, words: Sequence[str]) -> Mistake:
        """Mistake at an argument that is missing, lacks its value, or has one and takes none."""
        action = next((each for each in self._actions if name is not None and name == _name(each)), None)
        if name is None or action is None:
            missing = [each for each in self._actions if each.required and _is_missing(each, arguments)]
            return command_line("arguments", ", ".join(map(_name, missing)), "nothing")
        if action.nargs == 0:
            pairs = (word.partition("=") for word in words)
            values = [value for option, _, value in pairs if option in action.option_strings and value]
            return command_line(name, "no value", repr(values[0]) if values else "one")
        return command_line(name, "a value", "nothing")


def _name(action: argparse.Action) -> str:
    """Name of an argument in messages."""
    return "/".join(action.option_strings) or str(action.metavar or action.dest)


def _is_missing(action: argparse.Action, arguments: argparse.Namespace) -> bool:
    value: object = getattr(arguments, action.dest, None)
    return value is None or value == action.default


def command_line(key: str, expected: str, got: str) -> Mistake:
    """A mistake on the command line, at an argument."""
    return Mistake("command-line", 0, key, expected, got)


def whole_number(name: str, least: int, most: int) -> Callable[[str], int]:
    """The type of an argument. Raises UserError where it is no number of this range."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,20}", text) or not least <= int(text) <= most:
            raise UserError([command_line(name, f"a whole number from {least} to {most}", shorten(text))])
        return int(text)

    return read


class one_of:  # noqa: N801 (used as a function; completion asks it for its words)
    """The type of an argument that is one of some words. Raises UserError where it is none of them."""

    def __init__(self, name: str, words: Sequence[str]) -> None:
        self.name, self.words = name, words

    def __call__(self, text: str) -> str:
        if text not in self.words:
            expected = f"one of {', '.join(self.words)}{suggestion(text, self.words)}"
            raise UserError([command_line(self.name, expected, repr(text))])
        return text


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Keys of the configuration, and where files may lie that other files name."""
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="KEY=VALUE",
        default=[],
        action="append",
        help="change a key of the configuration, such as array.rows=16; may be repeated",
    )
    add_allowed_path(parser)


def add_allowed_path(parser: argparse.ArgumentParser) -> None:
    """Folders of files that other files may name (`accelsim.config.places.allow`)."""
    parser.add_argument(
        "--allow-path",
        metavar="DIR",
        default=[],
        action="append",
        help="let files name others below DIR, not only below their own folder; may be repeated",
    )


def add_target_settings(parser: argparse.ArgumentParser) -> None:
    """A mapping file and settings, wherever a machine is taken."""
    parser.add_argument("--mapping", metavar="FILE", help="file with the compiler's options, which win over HW's")
    add_settings(parser)


def add_batch(parser: argparse.ArgumentParser) -> None:
    """The batch, short for a setting."""
    batch = whole_number("--batch", 1, LARGEST_BATCH)
    parser.add_argument("--batch", metavar="N", type=batch, help="images that are run together")


def settings_of(arguments: argparse.Namespace) -> list[tuple[int, str]]:
    """Settings of `--set` and `--batch`."""
    batch = [] if arguments.batch is None else [(0, f"network.batch={arguments.batch}")]
    return [*arguments.settings, *batch]


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Options of a model that is imported."""
    parser.add_argument(
        "--allow-unmodelled",
        action="store_true",
        help="leave out operations of an ONNX model that can't be modelled, and list them",
    )
    parser.add_argument(
        "--input-shape",
        metavar="NAME=1x3x224x224",
        action="append",
        default=[],
        type=_input_shape,
        help="shape of an input that an ONNX model leaves open",
    )


def model_options(arguments: argparse.Namespace) -> ModelOptions:
    """The options of a model that is imported."""
    from accelsim.importers import ModelOptions

    return ModelOptions(arguments.allow_unmodelled, tuple(arguments.input_shape))


def _input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Raises UserError."""
    name, _, sizes = text.rpartition("=")
    parts = sizes.split("x")
    if not name or len(parts) > MOST_DIMENSIONS or not all(each.isascii() and each.isdecimal() for each in parts):
        raise UserError([command_line("--input-shape", "a name and numbers, such as x=1x3x224x224", shorten(text))])
    return name, tuple(int(each[:20]) for each in parts)


def add_weights(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Weights of networks in a mean over them."""
    parser.add_argument(
        "--weight", dest="weights", metavar="NETWORK=W", action="append", default=[], type=_weight, help=meaning
    )


def _weight(text: str) -> tuple[str, float]:
    """Raises UserError."""
    name, _, number = text.rpartition("=")
    if not name or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", number) or not float(number):
        raise UserError([command_line("--weight", "a network and a number above 0, such as vgg16=2", shorten(text))])
    return name, float(number)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Options of the output: the part of a run that is printed, and where it is kept."""
    parser.add_argument(
        "--by",
        type=one_of("--by", GROUPINGS),
        help="shares of MACs, cycles and energy by type, stage, layer or group, instead of the layer table",
    )
    shape = '{"complete": true, "totals": ..., "layers": [...], "warnings": [...], "not_tried": [...]}'
    parser.add_argument("--json", action="store_true", help=f"print {shape}")
    parser.add_argument("-o", dest="output", metavar="DIR", help="write run.json and layers.csv into DIR")
    parser.add_argument("--force", action="store_true", help="replace another run in DIR")
    add_verbosity(parser, "only the totals; changes are not tried, as with --no-advice")
