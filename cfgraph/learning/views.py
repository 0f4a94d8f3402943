"""Views: what a point could also have been. A contrastive loss learns what two views of one point have in common.

Vectors: each number is, with probability .3, that of another point of the batch, and all get noise of .05 standard deviations.
Images: a part of half to all of the area, perhaps mirrored, brought back to the size; brightness and contrast times .6 to 1.4;
of colors the saturation times .5 to 1.5, and one image of five grey. All is drawn on the CPU, so that devices see the same.
"""

from collections.abc import Callable
from typing import Any

from cfgraph.errors import InputError
from cfgraph.predictors.network import import_torch

SWAPPED, NOISE = 0.3, 0.05
LEAST_AREA = 0.5
BRIGHTNESS, CONTRAST, SATURATION = 0.4, 0.4, 0.5
GREY = 0.2  # of images
_LUMINANCE = (0.299, 0.587, 0.114)

View = Callable[[Any, Any], Any]  # a batch and a torch generator on the CPU: one view of each of its points


def view_vectors(batch: Any, random: Any) -> Any:
    """Vectors (points x columns) with numbers of others among theirs, and noise."""
    torch = import_torch()
    other = torch.randint(len(batch), batch.shape, generator=random)
    swapped = torch.rand(batch.shape, generator=random) < SWAPPED
    noise = NOISE * torch.randn(batch.shape, generator=random)
    other, swapped, noise = (drawn.to(batch.device) for drawn in (other, swapped, noise))
    return torch.where(swapped, batch.gather(0, other), batch) + noise


def view_images(batch: Any, random: Any) -> Any:
    """Images (points x channels x height x width, black at 0) cut out, mirrored, and lit otherwise."""
    torch = import_torch()
    drawn = torch.rand((8, len(batch)), generator=random)
    images = _cut(torch, batch, drawn[:4])
    brightness, contrast, saturation = (_factors(drawn[4 + place], share) for place, share in enumerate(_SHARES))
    colored = torch.where(drawn[7] < GREY, torch.zeros(()), saturation)
    brightness, contrast, colored = (part.to(batch.device)[:, None, None, None] for part in (brightness, contrast, colored))
    images = images * brightness
    images = torch.lerp(images.mean(dim=(1, 2, 3), keepdim=True), images, contrast)
    if images.shape[1] != len(_LUMINANCE):
        return images
    weights = torch.tensor(_LUMINANCE, device=batch.device)[:, None, None]
    return torch.lerp((images * weights).sum(dim=1, keepdim=True).expand_as(images), images, colored)


_SHARES = (BRIGHTNESS, CONTRAST, SATURATION)


def _factors(drawn: Any, share: float) -> Any:
    return 1 + share * (2 * drawn - 1)


def _cut(torch: Any, batch: Any, drawn: Any) -> Any:
    """A square part of each image at a random place, perhaps mirrored, brought to its size; what lies outside is reflected."""
    side = (LEAST_AREA + (1 - LEAST_AREA) * drawn[0]).sqrt()
    theta = torch.zeros((len(batch), 2, 3))
    theta[:, 0, 0], theta[:, 1, 1] = side * torch.where(drawn[1] < 0.5, -1.0, 1.0), side
    theta[:, :, 2] = ((2 * drawn[2:4] - 1) * (1 - side)).T
    grid = torch.nn.functional.affine_grid(theta.to(batch.device), list(batch.shape), align_corners=False)
    return torch.nn.functional.grid_sample(batch, grid, padding_mode="reflection", align_corners=False)


VIEWS: dict[str, View] = {"vectors": view_vectors, "images": view_images}


def find_view(views: str | View) -> tuple[str, View]:
    """A view and its name: one of ours by name, or a function of a batch and a generator.

    Raises:
        InputError: for anything else.
    """
    if callable(views):
        return f"own: {getattr(views, '__qualname__', type(views).__qualname__)}", views
    if views not in VIEWS:
        raise InputError(f"expected views out of {', '.join(VIEWS)}, or a function of a batch and a generator, got {views!r}")
    return views, VIEWS[views]
