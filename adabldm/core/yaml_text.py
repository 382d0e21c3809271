"""YAML that people write: its content, or one line that says why it is none."""

from __future__ import annotations

from typing import Any

import yaml

MOST_LETTERS = 300


class YamlFault(ValueError):
    """A text that is not YAML; the message is one line."""


class _Loader(yaml.SafeLoader):
    """Plain values, whose texts can be written down again."""

    def construct_scalar(self, node: Any) -> Any:
        value = super().construct_scalar(node)
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise yaml.constructor.ConstructorError(None, None, "half a character", node.start_mark)
        return value


def load_yaml(text: str | bytes) -> Any:
    """The content of ``text``, plain values only. Raises :class:`YamlFault`."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506
    except RecursionError as error:
        raise YamlFault("is not YAML (is nested too deeply)") from error
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        # A tagged value, as `!!float x`, is made by a type of Python's, which raises its own.
        reason = " ".join(str(error).split())[:MOST_LETTERS]
        raise YamlFault(f"is not YAML ({reason})") from error
