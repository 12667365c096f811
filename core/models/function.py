"""A Python function as a reward model, treated like any other model."""

import hashlib
import inspect
import marshal
import types
from collections.abc import Callable, Sequence

import numpy as np

from core.errors import in_one_line
from core.models.base import Capability, ConversationRewardModel, ModelOutput
from core.models.card import EmbeddedSource, RewardModelCard
from core.schema import Conversation

RewardFunction = Callable[[Conversation], float]


class FunctionRewardModel(ConversationRewardModel):
    """Wraps `function(conversation) -> float`.

    Args:
        name: the id under which pages and tables show it.
        function: must give the same reward for the same conversation; rewards are cached by
            `name` and `version`.
        version: change it when the function changes, so that cached rewards are not reused;
            `source_version` gives one that changes by itself.
    """

    def __init__(self, name: str, function: RewardFunction, *, version: str = "1") -> None:
        self.card = RewardModelCard(
            id=name,
            title=name,
            source=EmbeddedSource(kind="embedded", name=f"function:{name}"),
            family="sequence-classifier",
        )
        self.fingerprint = hashlib.sha256(f"function:{name}:{version}".encode()).hexdigest()
        self._function = function

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.REWARD})

    def conversation_rewards(self, conversations: Sequence[Conversation]) -> ModelOutput:
        """The function's value for each; one it fails on has the exception as its reason."""
        rewards, errors = np.full(len(conversations), np.nan), [""] * len(conversations)
        for position, conversation in enumerate(conversations):
            try:
                rewards[position] = float(self._function(conversation))
            except Exception as error:  # noqa: BLE001 - the function is anyone's code
                errors[position] = in_one_line(error)
        return ModelOutput(rewards, errors=tuple(errors) if any(errors) else ())


def function_model(
    function: RewardFunction, *, name: str | None = None, version: str | None = None
) -> FunctionRewardModel:
    """A reward model from a function, named and versioned by the function itself.

    In a notebook, in one line: `get_service().register(function_model(my_reward))`.

    Args:
        function: from a conversation (messages with role and content) to a number.
        name: by default the function's own name.
        version: by default `source_version(function)`. Give one where the reward also depends on
            what the source does not show, such as a file it reads.
    """
    own = getattr(function, "__name__", type(function).__name__)
    if own == "<lambda>":
        own = "lambda"
    return FunctionRewardModel(
        name or own, function, version=version if version is not None else source_version(function)
    )


def source_version(function: Callable[..., object]) -> str:
    """A hash that changes when what the function computes does, so far as it can be seen.

    It covers the compiled code, defaults, values it closes over and module-level values and
    functions it names, those of its own module followed in turn. Files, servers and the insides
    of other packages are not seen.
    """
    digest = hashlib.sha256()
    _add(digest, function, seen=set())
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", value: object, seen: set[int]) -> None:
    """Adds a value to the hash: functions by what they do, other things by how they print."""
    plain = inspect.unwrap(value) if callable(value) else value
    if isinstance(plain, types.MethodType):
        _add(digest, plain.__func__, seen)
        _add(digest, vars(plain.__self__) if hasattr(plain.__self__, "__dict__") else "", seen)
        return
    if not isinstance(plain, types.FunctionType):
        digest.update(_printed(plain).encode())
        call = vars(type(plain)).get("__call__")
        if isinstance(call, types.FunctionType) and id(plain) not in seen:
            seen.add(id(plain))
            _add(digest, call, seen)
            _add(digest, getattr(plain, "__dict__", ""), seen)
        return
    if id(plain) in seen:
        return
    seen.add(id(plain))
    digest.update(_code_bytes(plain.__code__))
    for default in [*(plain.__defaults__ or ()), *(plain.__kwdefaults__ or {}).items()]:
        _add(digest, default, seen)
    closed = inspect.getclosurevars(plain)
    for name, named in sorted({**closed.globals, **closed.nonlocals}.items()):
        digest.update(name.encode())
        _add(digest, named, seen)


def _code_bytes(code: types.CodeType) -> bytes:
    """The code without its file and line numbers: moving a cell does not make it another one."""
    constants = b"".join(
        _code_bytes(each) if isinstance(each, types.CodeType) else repr(each).encode()
        for each in code.co_consts
    )
    names = repr((code.co_names, code.co_varnames, code.co_freevars)).encode()
    return marshal.dumps(code.co_code) + constants + names


def _printed(value: object) -> str:
    """A value as text without memory addresses, which change from run to run."""
    if isinstance(value, types.ModuleType):
        return f"{value.__name__} {getattr(value, '__version__', '')}"
    if isinstance(value, type) or type(value).__repr__ is object.__repr__:
        kind = value if isinstance(value, type) else type(value)
        return f"{kind.__module__}.{kind.__qualname__}"
    return repr(value)
