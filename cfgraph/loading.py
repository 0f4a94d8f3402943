"""Loading: what processes of cfgraph's own leave unloaded."""

import sys
from importlib.machinery import ModuleSpec

OPTIONAL = "neo4j._optional_deps"  # where the driver looks for what it can do without
LEFT_OUT = ("pandas", "pyarrow")


class _WithoutFrames:
    """Tells the driver, and nobody else, that pandas and pyarrow are not installed."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """None, which lets others find the module; a ModuleNotFoundError where it is the driver that asks."""
        asking = sys.modules.get(OPTIONAL)
        if name in LEFT_OUT and asking is not None and not hasattr(asking, "__all__"):  # it is still being loaded
            raise ModuleNotFoundError("left out: cfgraph sends the driver no data frames", name=name)
        return None


def leave_frames_out() -> None:
    """Have the driver not load pandas and pyarrow where they are installed: half of the time that a command takes to start.

    The driver wants them for data frames and arrays among parameters, which the command line and worker processes have none
    of. For these alone: in a process of a user's own, whose driver may be given some, nothing is left out.
    """
    if not any(isinstance(finder, _WithoutFrames) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WithoutFrames())
