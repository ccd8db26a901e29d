"""A module → the same module after a forward pass that changed it: its parts, settings and buffers as before.

BigBird switches from sparse to full attention at the first batch of short rows, for good; Reformer takes the number of
its buckets from the first row; other models keep tables that grow with the longest row.
"""

from typing import Any


class State:
    """The parts, settings and buffers of a module; values inside tensors are not kept.

    Args:
        module: the module.

    Attributes:
        replaced: whether a `restore` found a part replaced by another one.
    """

    def __init__(self, module: Any) -> None:
        self.replaced = False
        self._parts = [(part, dict(vars(part)), dict(part._modules), dict(part._buffers)) for part in module.modules()]
        configs = {id(config): config for part in module.modules() if (config := getattr(part, "config", None))}
        self._configs = [(config, dict(vars(config))) for config in configs.values() if hasattr(config, "to_dict")]

    def was_replaced(self) -> bool:
        """Whether a part was replaced since."""
        return any(not _same(part._modules, modules) for part, _, modules, _ in self._parts)

    def restore(self) -> bool:
        """Put everything back; whether anything had changed."""
        changed = False
        for part, settings, modules, buffers in self._parts:
            if not _same(part._modules, modules):
                self.replaced = changed = True
                _put(part._modules, modules)
            if not _same(part._buffers, buffers):
                changed = True
                _put(part._buffers, buffers)
            if not _same(vars(part), settings):
                changed = True
                _put(vars(part), settings)
        for config, settings in self._configs:
            if not _same(vars(config), settings):
                changed = True
                _put(vars(config), settings)
        return changed


def _same(now: dict[str, Any], before: dict[str, Any]) -> bool:
    return now.keys() == before.keys() and all(_equal(now[name], value) for name, value in before.items())


def _equal(one: Any, other: Any) -> bool:
    """Whether it is the same object, or an equal number or text."""
    return one is other or (isinstance(one, bool | int | float | str) and type(one) is type(other) and one == other)


def _put(now: dict[str, Any], before: dict[str, Any]) -> None:
    now.clear()
    now.update(before)
