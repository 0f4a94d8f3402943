"""Encoders: apart and together again they encode alike, and what is none is refused."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from cfgraph.errors import InputError
from cfgraph.learning.encoders import (
    STEPS,
    Convolutions,
    Mlp,
    Pipeline,
    Projection,
    Standardise,
    UnitLength,
    dump_encoder,
    load_encoder,
)
from cfgraph.model.encoder import Encoder

DATA = np.random.default_rng(0).normal(size=(50, 6)) * [1, 2, 3, 4, 5, 6] + 7
STANDARDISE = Standardise(DATA.mean(axis=0), DATA.std(axis=0))


def projection(model):
    return Projection(model.mean_, model.components_)


def test_steps_are_what_scikit_learn_does():
    scaled = StandardScaler().fit_transform(DATA)
    np.testing.assert_allclose(Pipeline((STANDARDISE,)).encode(DATA), scaled, atol=1e-12)
    model = PCA(n_components=3).fit(scaled)
    steps = (STANDARDISE, projection(model))
    np.testing.assert_allclose(Pipeline(steps).encode(DATA), model.transform(scaled), atol=1e-12)
    assert np.linalg.norm(Pipeline((*steps, UnitLength())).encode(DATA), axis=1) == pytest.approx(1.0)


def test_apart_and_together_again():
    steps = (STANDARDISE, projection(PCA(n_components=2).fit(DATA)), UnitLength())
    record = dump_encoder(*steps)
    assert record.digest == dump_encoder(*steps).digest != dump_encoder(STANDARDISE).digest
    again = Encoder(**record.model_dump())
    np.testing.assert_array_equal(load_encoder(again).encode(DATA), Pipeline(steps).encode(DATA))
    assert all(kind == step.kind for kind, step in STEPS.items())
    assert [step["kind"] for step in record.steps] == ["standardise", "projection", "unit-length"]


def test_layers_and_convolutions_come_back():
    random = np.random.default_rng(1)
    layers = tuple((random.normal(size=sizes), random.normal(size=sizes[1])) for sizes in ((6, 5), (5, 3)))
    kernels = tuple((random.normal(size=(inputs, 3, 3, 4)), random.normal(size=4)) for inputs in (2, 4))
    image = Convolutions((1, 3, 2), True, (1, 2), kernels, (random.normal(size=(4, 3)), random.normal(size=3)))
    for step in (Mlp(layers), image):
        again = load_encoder(Encoder(**dump_encoder(STANDARDISE, step).model_dump()))
        np.testing.assert_array_equal(again.encode(DATA), step.apply(STANDARDISE.apply(DATA)))


def test_a_convolution_is_what_its_formula_says():
    random = np.random.default_rng(2)
    weight, bias, images = random.normal(size=(2, 3, 3, 4)), random.normal(size=4), random.normal(size=(3, 2, 5, 4))
    step = Convolutions((2, 5, 4), False, (2,), ((weight, bias),), (np.eye(4), np.zeros(4)))
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    wanted = np.zeros((3, 4))
    for row, column in np.ndindex(3, 2):
        window = padded[:, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        wanted += np.maximum(np.einsum("pchw,chwo->po", window, weight) + bias, 0) / 6
    np.testing.assert_allclose(step.apply(images.reshape(3, -1)), wanted, atol=1e-12)
    np.testing.assert_allclose(Pipeline((step,)).encode(images), wanted, atol=1e-12)


def test_a_row_of_zeros_stays_one():
    assert (UnitLength().apply(np.zeros((2, 3))) == 0).all()


@pytest.mark.parametrize("rows", [np.zeros((3, 5)), np.zeros(6), np.full((2, 6), np.nan), np.full((1, 6), np.inf)])
def test_rows_that_do_not_fit_are_refused(rows):
    with pytest.raises(InputError, match=r"expected (points as rows of 6 columns|finite numbers)"):
        load_encoder(dump_encoder(STANDARDISE)).encode(rows)


def saved(arrays):
    from safetensors.numpy import save

    return save({name: np.array(values, dtype=np.float64) for name, values in arrays.items()})


GOOD = {"0.mean": [0, 0], "0.deviation": [1, 1]}
LAYER = {"0.layer0.weight": [[1, 0], [0, 1]], "0.layer0.bias": [0, 0]}
IMAGE = {"kind": "convolutions", "shape": [1, 2, 2], "channels_last": False, "strides": [1]}
WINDOW = {"0.convolution0.weight": np.ones((1, 3, 3, 2)), "0.convolution0.bias": [0, 0]}
DENSE = {"0.dense0.weight": [[1], [1]], "0.dense0.bias": [0]}
BAD = {
    "no layer": ([{"kind": "mlp"}], saved({})),
    "a layer without a bias": ([{"kind": "mlp"}], saved({"0.layer0.weight": [[1]]})),
    "a layer of another name": ([{"kind": "mlp"}], saved({**LAYER, "0.layer7.weight": [[1]], "0.layer7.bias": [0]})),
    "a bias of another length": ([{"kind": "mlp"}], saved({**LAYER, "0.layer0.bias": [0]})),
    "layers that do not fit": ([{"kind": "mlp"}], saved({**LAYER, "0.layer1.weight": [[1]], "0.layer1.bias": [0]})),
    "a layer that is not finite": ([{"kind": "mlp"}], saved({**LAYER, "0.layer0.bias": [0, np.inf]})),
    "no convolution": ([{**IMAGE, "strides": []}], saved(DENSE)),
    "a stride of 0": ([{**IMAGE, "strides": [0]}], saved({**WINDOW, **DENSE})),
    "a stride too many": ([{**IMAGE, "strides": [1, 1]}], saved({**WINDOW, **DENSE})),
    "no strides": ([{"kind": "convolutions"}], saved({**WINDOW, **DENSE})),
    "an image without height": ([{**IMAGE, "shape": [1, 0, 2]}], saved({**WINDOW, **DENSE})),
    "an image that no memory holds": ([{**IMAGE, "shape": [1, 10**6, 10**6]}], saved({**WINDOW, **DENSE})),
    "an image of two sizes": ([{**IMAGE, "shape": [2, 2]}], saved({**WINDOW, **DENSE})),
    "another window": ([IMAGE], saved({**WINDOW, **DENSE, "0.convolution0.weight": np.ones((1, 5, 5, 2))})),
    "another number of channels": ([{**IMAGE, "shape": [3, 2, 2]}], saved({**WINDOW, **DENSE})),
    "convolutions without a layer": ([IMAGE], saved(WINDOW)),
    "no safetensors": ([{"kind": "standardise"}], b"nothing"),
    "another kind": ([{"kind": "magic"}], saved({})),
    "no kind": ([{}], saved({})),
    "an array too few": ([{"kind": "standardise"}], saved({"0.mean": [0, 0]})),
    "an array too many": ([{"kind": "standardise"}], saved({**GOOD, "0.more": [1]})),
    "an array of no step": ([{"kind": "standardise"}], saved({**GOOD, "7.mean": [1]})),
    "a setting": ([{"kind": "standardise", "what": 1}], saved(GOOD)),
    "not finite": ([{"kind": "standardise"}], saved({**GOOD, "0.mean": [np.nan, 0]})),
    "a deviation of 0": ([{"kind": "standardise"}], saved({**GOOD, "0.deviation": [1, 0]})),
    "other lengths": ([{"kind": "standardise"}], saved({**GOOD, "0.deviation": [1]})),
    "steps that do not fit": (
        [{"kind": "standardise"}, {"kind": "projection"}],
        saved({**GOOD, "1.mean": [0, 0, 0], "1.axes": [[1, 0, 0]]}),
    ),
}


@pytest.mark.parametrize(("steps", "weights"), BAD.values(), ids=BAD)
def test_what_is_no_encoder_is_refused(steps, weights):
    with pytest.raises(InputError, match="the saved encoder cannot be read: "):
        load_encoder(Encoder(steps=tuple(steps), weights=weights))
