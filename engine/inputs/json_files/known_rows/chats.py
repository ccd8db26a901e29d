"""Chats, as those that language models are trained with → a jq program: what the user said is the text.

What the model answered is the label if it is short enough to be one.
"""

from typing import Any, NamedTuple

from engine.inputs.json_files.jq_commands import members

_KEYS = (("role", "content"), ("from", "value"), ("role", "parts"), ("role", "value"), ("speaker", "text"))
_USERS = ("user", "human", "prompter", "customer")
_MODELS = ("assistant", "gpt", "model", "bot", "chatgpt", "agent")
_LABEL_LENGTH = 40
_OF_PARTS = '{0} | if type == "array" then map(.text? // empty) | join("\\n") else . end'


class _Turns(NamedTuple):
    """The messages of a chat: the keys of who speaks and of what is said, and how user and model are called."""

    who: str
    said: str
    user: str
    model: str


def chat_of(row: dict[str, Any]) -> str | None:
    """A program: a row with a chat → the row with the text and the answer in its place; None if there is no chat."""
    for key, value in row.items():
        if (turns := _turns(value)) is not None:
            messages = members(key)
            text, answer = (_joined(value, messages, turns, role) for role in (turns.user, turns.model))
            name = "label" if "label" not in row and _is_label(value, turns) else "answer"
            return f". + {{text: ({text}), {name}: ({answer})}} | del({messages})"
    return None


def user_of(value: Any) -> str | None:
    """A program: a chat → what the user said in it; None if ``value`` is no chat."""
    turns = _turns(value)
    return None if turns is None else _joined(value, ".", turns, turns.user)


def _turns(value: Any) -> _Turns | None:
    if not (isinstance(value, list) and value and all(isinstance(one, dict) for one in value)):
        return None
    for who, said in _KEYS:
        if all(isinstance(one.get(who), str) and said in one for one in value):
            roles = [one[who] for one in value]
            user = next((role for role in _USERS if role in roles), _USERS[0])
            model = next((role for role in _MODELS if role in roles), _MODELS[0])
            return _Turns(who, said, user, model)
    return None


def _joined(value: Any, messages: str, turns: _Turns, role: str) -> str:
    said = f".{turns.said}"
    if any(isinstance(one[turns.said], list) for one in value):
        said = _OF_PARTS.format(said)
    every = ".[]" if messages == "." else f"{messages}[]"
    return f'[{every} | select(.{turns.who} == "{role}") | {said}] | join("\\n")'


def _is_label(value: Any, turns: _Turns) -> bool:
    answers = [one[turns.said] for one in value if one[turns.who] == turns.model]
    return len(answers) == 1 and len(str(answers[0])) <= _LABEL_LENGTH and "\n" not in str(answers[0])
