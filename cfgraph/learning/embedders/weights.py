"""Weights of named models: from this machine, from a file, or fetched; where they are not to be had, one error says so soon."""

import logging
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cfgraph.errors import InputError
from cfgraph.files.opened import opened
from cfgraph.learning.embedders.embedder import short
from cfgraph.predictors.network import import_torch

SECONDS = 5.0  # that a host has to answer
HUB = "https://huggingface.co"
Loaded = TypeVar("Loaded")


def load_named(load: Callable[[], Loaded], *, name: str, url: str | None, here: bool = True, file_form: str) -> Loaded:
    """What ``load`` gives, which looks for weights on this machine, then at ``url`` (the hub of models unless given).

    The libraries themselves try a host that cannot be reached for a minute. So they are first held to what is ``here``, and the
    host is asked whether it is there at all before they may try it.

    Raises:
        InputError: for weights that are not here while the host cannot be reached, and such that cannot be loaded.
    """
    if here:
        try:
            with quiet(), _offline():
                return load()
        except MemoryError:
            raise
        except Exception:  # whatever a library has for what is not there; said below, if it stays so
            pass
    reason = _unreachable(url or HUB)
    if reason is not None:
        raise InputError(
            f"the weights of {name} are not on this machine, and {urlsplit(url or HUB).hostname} cannot be reached ({reason}); "
            f"run this once where there is a network and copy the cache that it fills, or give a file of weights: {file_form}"
        )
    try:
        with quiet():
            return load()
    except Exception as error:
        raise InputError(f"the weights of {name} cannot be loaded: {short(error)}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing is said by libraries of how they load."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _offline() -> Iterator[None]:
    """The hub's library does not ask the network."""
    try:
        from huggingface_hub import constants
    except ImportError:  # then nobody asks it
        yield
        return
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _unreachable(url: str) -> str | None:
    """Why a host does not answer, None where it does. Looking a name up has no time limit of its own, so a thread does it."""
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(_ask(url)), daemon=True)
    thread.start()
    thread.join(2 * SECONDS)
    return found[0] if found else f"no answer in {2 * SECONDS:.0f} s"


def _ask(url: str) -> str | None:
    parts = urlsplit(url)
    try:
        request = urllib.request.Request(f"{parts.scheme}://{parts.netloc}/", method="HEAD")
        with urllib.request.urlopen(request, timeout=SECONDS):
            return None
    except urllib.error.HTTPError:  # it answers
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)  # a URLError's own
        return short(reason if isinstance(reason, Exception) else error)


def split_weights(name: str) -> tuple[str, Path | None]:
    """``MODEL`` or ``MODEL/FILE``: the model, and the file of its weights."""
    model, slash, file = name.partition("/")
    return model, Path(file) if slash else None


def read_weights(path: Path, module: Any, *, name: str) -> None:
    """Load a file of weights, .safetensors or torch's without code, into a module.

    Raises:
        InputError: for a file that holds none, lacks some of the module's, or has others of another shape.
    """
    torch = import_torch(purpose="embedding images")
    state: Any
    with opened(path, expected="the weights of a model", large=True) as file:
        try:
            if file.suffix == ".safetensors":
                from safetensors.torch import load as load_tensors

                state = load_tensors(file.rewound().read())
            else:
                state = torch.load(file.rewound(), map_location="cpu", weights_only=True)
        except Exception as error:  # torch, pickle and safetensors raise a dozen classes
            raise InputError(
                f"{path} holds no weights that can be read without running code ({short(error)}); save them as .safetensors"
            ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise InputError(f"{path} holds no weights of a model; save its state_dict()")
    state = {key.removeprefix("module."): tensor for key, tensor in state.items()}
    missing = [key for key in module.state_dict() if key not in state and not key.endswith("num_batches_tracked")]
    if missing:
        raise InputError(f"{path} lacks {len(missing):,} weights of {name}, such as {missing[0]}; name the model that it is of")
    try:
        module.load_state_dict({key: state[key] for key in module.state_dict() if key in state}, strict=False)
    except RuntimeError as error:
        raise InputError(f"{path} holds the weights of another model than {name}: {short(error)}") from error


def unknown_model(model: str, known: Sequence[str], *, library: str) -> InputError:
    """The error for a name that a library does not know, with the near ones."""
    near = get_close_matches(model.lower(), [name.lower() for name in known], n=5, cutoff=0.5)
    spelled = {name.lower(): name for name in known}
    words = f"near it: {', '.join(spelled[name] for name in near)}" if near else f"it knows {len(known):,}"
    return InputError(f"{library} knows no model {model!r}; {words}")
