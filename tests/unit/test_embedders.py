"""Embedders: each library's own call is what comes out, and what is refused."""

import socket

import numpy as np
import pytest

from cfgraph.errors import InputError

Image = pytest.importorskip("PIL.Image")
torch = pytest.importorskip("torch")

from cfgraph.files.images import read_images  # noqa: E402 - behind the libraries
from cfgraph.learning.embedders import Embedder, EmbeddingCache, embed, find_embedder  # noqa: E402
from cfgraph.learning.embedders import weights as loading  # noqa: E402
from cfgraph.learning.embedders.embedder import DeviceMemoryError  # noqa: E402

RANDOM = np.random.default_rng(0)
SIZES = [(40, 60), (60, 40), (50, 50), (33, 97), (16, 16)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of several sizes, smooth enough to be images."""
    place = tmp_path_factory.mktemp("images")
    for number, (high, wide) in enumerate(SIZES):
        colors = RANDOM.integers(0, 256, size=(4, 4, 3)).astype(np.uint8)
        Image.fromarray(colors).resize((wide, high), Image.Resampling.BICUBIC).save(place / f"{number}.png")
    return place


def opened_images(folder):
    return [Image.open(path).convert("RGB") for path in sorted(folder.iterdir())]


def embedded(folder, embedder, **how):
    return embed(read_images(folder), embedder, **{"batch": 2, **how})


def little_network():
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 5)
    ).eval()


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """A TorchScript file of a network with random weights."""
    path = tmp_path_factory.mktemp("models") / "little.pt"
    with loading.quiet():
        torch.jit.trace(little_network(), torch.zeros(1, 3, 32, 32)).save(str(path))
    return path


def write_onnx(path, *, shape=("images", 3, "height", "width"), kind=None, weights=3):
    """An ONNX file: the means of colors, through a matrix."""
    onnx = pytest.importorskip("onnx")
    helper, numbers = onnx.helper, onnx.TensorProto
    weight = RANDOM.normal(size=(weights, 4)).astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "it",
        [helper.make_tensor_value_info("x", kind or numbers.FLOAT, shape)],
        [helper.make_tensor_value_info("y", numbers.FLOAT, None)],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


# -- the libraries' own calls


def test_timm_is_timms_own_call(folder, tmp_path):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", pretrained=False).eval()
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    features = timm.create_model("test_resnet", pretrained=False, num_classes=0).eval()
    features.load_state_dict(model.state_dict(), strict=False)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(features), is_training=False)
    with torch.no_grad():
        wanted = features(torch.stack([transform(image) for image in opened_images(folder)])).numpy()
    found = embedded(folder, find_embedder(f"timm:test_resnet/{tmp_path / 'weights.pth'}"))
    assert found.names == tuple(f"{number}.png" for number in range(len(SIZES)))
    np.testing.assert_allclose(found.values, wanted, atol=1e-5)


def test_torchvision_is_torchvisions_own_call(folder, tmp_path):
    models = pytest.importorskip("torchvision.models")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = models.shufflenet_v2_x0_5(weights=None).eval()
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    model.fc = torch.nn.Identity()
    transform = models.get_model_weights("shufflenet_v2_x0_5").DEFAULT.transforms()
    with torch.no_grad():
        wanted = model(torch.stack([transform(image) for image in opened_images(folder)])).numpy()
    found = embedded(folder, find_embedder(f"torchvision:shufflenet_v2_x0_5/{tmp_path / 'weights.safetensors'}"))
    np.testing.assert_allclose(found.values, wanted, atol=1e-5)


@pytest.mark.slow("a CLIP model, whose texts alone have 20 million weights")
def test_open_clip_is_open_clips_own_call(folder, tmp_path):
    open_clip = pytest.importorskip("open_clip")
    with loading.quiet():
        model, _, transform = open_clip.create_model_and_transforms("ViT-S-32-alt", pretrained=None)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    with torch.no_grad():
        images = torch.stack([transform(image) for image in opened_images(folder)])
        wanted = model.eval().encode_image(images, normalize=True).numpy()
    found = embedded(folder, find_embedder(f"open_clip:ViT-S-32-alt/{tmp_path / 'weights.pt'}"))
    np.testing.assert_allclose(found.values, wanted, atol=1e-5)


def as_library_would(image, size):
    """Shorter side to the size, the middle, ImageNet's colors."""
    transforms = pytest.importorskip("torchvision.transforms")
    bicubic = transforms.InterpolationMode.BICUBIC
    norm = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    steps = [transforms.Resize(size, bicubic), transforms.CenterCrop(size), transforms.ToTensor(), norm]
    return transforms.Compose(steps)(image)


def test_a_torchscript_file_is_torchs_own_call(folder, script):
    images = torch.stack([as_library_would(image, 32) for image in opened_images(folder)])
    with torch.no_grad():
        wanted = little_network()(images).numpy()
    found = embedded(folder, find_embedder(str(script), size=(32, 32)))
    np.testing.assert_allclose(found.values, wanted, atol=1e-5)
    plain = embedded(folder, find_embedder(str(script), size=(32, 32), norm="none"))
    assert np.abs(plain.values - wanted).max() > 1e-3


@pytest.mark.parametrize("shape", [("images", 3, "height", "width"), (1, 3, 24, 24), (4, 3, 24, 24)])
def test_an_onnx_file_is_onnxruntimes_own_call(folder, tmp_path, shape):
    runtime = pytest.importorskip("onnxruntime")
    write_onnx(tmp_path / "it.onnx", shape=shape)
    images = np.stack([as_library_would(image, 24).numpy() for image in opened_images(folder)])
    session = runtime.InferenceSession(str(tmp_path / "it.onnx"))
    step = shape[0] if isinstance(shape[0], int) else len(images)
    filled = np.concatenate([images, np.zeros((-len(images) % step, *images.shape[1:]), np.float32)])
    parts = [session.run(None, {"x": filled[low : low + step]})[0] for low in range(0, len(filled), step)]
    size = None if isinstance(shape[2], int) else (24, 24)
    found = embedded(folder, find_embedder(str(tmp_path / "it.onnx"), size=size))
    np.testing.assert_allclose(found.values, np.concatenate(parts)[: len(images)], atol=1e-5)


def test_arrays_are_embedded_as_files_are(folder, script):
    embedder = find_embedder(str(script), size=(32, 32))
    square = np.asarray(Image.open(folder / "2.png").convert("RGB"))
    found = embed(read_images(square[None]), embedder, batch=1)
    np.testing.assert_allclose(found.values[0], embedded(folder, embedder).values[2], atol=1e-6)
    assert embed(read_images(square[None, ..., 0]), embedder, batch=1).values.shape == (1, 5)


# -- what is refused


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("resnet50", "expected an encoder out of pixels, open_clip:MODEL/PRETRAINED, timm:MODEL, .* got 'resnet50'"),
        ("tim:resnet50", "perhaps timm"),
        ("pixel", "perhaps pixels"),
        ("timm:resnett50", r"timm knows no model 'resnett50'; near it: .*resnet50"),
        ("timm:resnet50.a9_in1k", r"timm knows no model 'resnet50.a9_in1k'; near it: .*resnet50.a1_in1k"),
        ("torchvision:resnet5", "torchvision knows no model 'resnet5'; near it: .*resnet50"),
        ("torchvision:resnet50/IMAGENET1K_V9", "no such file either, knows no model .*near it: IMAGENET1K_V"),
        ("nowhere.onnx", "there is no file nowhere.onnx"),
        ("nowhere.pt", "there is no file nowhere.pt"),
    ],
)
def test_unknown_names_are_told_with_near_ones(name, told):
    for library in ("timm", "torchvision", "onnxruntime"):
        pytest.importorskip(library)
    with pytest.raises(InputError, match=told):
        find_embedder(name)


@pytest.mark.slow("open_clip takes seconds to load")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ViT-B-33/openai", "open_clip knows no model 'ViT-B-33'; near it: .*ViT-B-32"),
        ("ViT-B-32", "which weights of ViT-B-32.* openai, .*or a file"),
        ("ViT-B-32/openia", "near it: openai"),
    ],
)
def test_unknown_names_of_open_clip_are_told(name, told):
    pytest.importorskip("open_clip")
    with pytest.raises(InputError, match=told):
        find_embedder(f"open_clip:{name}")


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """All that is asked of any host goes to a port of this machine where nobody listens; caches are empty."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr("urllib.request._opener", None)  # the first one is kept for good, with the proxies of that time
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, nowhere)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.mark.parametrize("name", ["timm:test_resnet", "torchvision:shufflenet_v2_x0_5"])
@pytest.mark.timeout(120)
def test_weights_that_cannot_be_had_are_told_at_once(no_network, name, capfd):
    import time

    pytest.importorskip(name.partition(":")[0])
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"weights of .* are not on this machine, and .* cannot be reached .* give a file"):
        find_embedder(name)
    assert time.monotonic() - begun < 40  # the libraries alone try for a minute; this one imports them, too
    assert "retrying" not in capfd.readouterr().err.lower()


def test_files_that_are_no_models_are_told(tmp_path, folder, script):
    pytest.importorskip("timm")
    pytest.importorskip("onnxruntime")
    (tmp_path / "it.onnx").write_text("no model")
    (tmp_path / "it.pt").write_text("no model")
    torch.save({"weights": torch.zeros(3)}, tmp_path / "weights.pt")
    torch.save(little_network(), tmp_path / "pickled.pt")
    (tmp_path / "empty.pt").write_bytes(b"")
    for name, told in [
        ("it.onnx", "is no ONNX file"),
        ("it.pt", "is no TorchScript file"),
        ("weights.pt", "is no TorchScript file"),
        ("pickled.pt", "is no TorchScript file"),
        ("empty.pt", "is empty"),
    ]:
        with pytest.raises(InputError, match=told):
            find_embedder(str(tmp_path / name))
    for name, told in [
        ("it.pt", "no weights that can be read without running code"),
        ("pickled.pt", "without running code"),
        ("weights.pt", "lacks .* weights of timm:test_resnet, such as"),
    ]:
        with pytest.raises(InputError, match=told):
            find_embedder(f"timm:test_resnet/{tmp_path / name}")


def test_models_of_other_images_are_told(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    write_onnx(tmp_path / "it.onnx", shape=(1, 3, 24, 24))
    with pytest.raises(InputError, match="takes images of 24x24 alone, got --size 8x8"):
        find_embedder(str(tmp_path / "it.onnx"), size=(8, 8))
    write_onnx(tmp_path / "grey.onnx", shape=(1, 1, 24, 24), weights=1)
    with pytest.raises(
        InputError, match=r"one input, images x 3 x height x width, in .*, got x tensor\(float\) \[1, 1, 24, 24\]"
    ):
        find_embedder(str(tmp_path / "grey.onnx"))
    write_onnx(tmp_path / "whole.onnx", kind=onnx.TensorProto.INT64)
    with pytest.raises(InputError, match="is no ONNX file with all that belongs to it"):
        find_embedder(str(tmp_path / "whole.onnx"))
    with pytest.raises(InputError, match="normalisation out of imagenet, clip, none, got 'mine'"):
        find_embedder(str(tmp_path / "it.onnx"), norm="mine")
    with pytest.raises(InputError, match="onnxruntime cannot use the device 'tpu'"):
        find_embedder(str(tmp_path / "it.onnx"), device="tpu")
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 4))
    with loading.quiet():
        torch.jit.trace(network, torch.zeros(1, 3, 16, 16)).save(str(tmp_path / "fixed.pt"))
        torch.jit.script(torch.nn.Conv2d(3, 2, 1)).save(str(tmp_path / "map.pt"))
    with pytest.raises(InputError, match=r"fixed.pt takes no images of 224x224 \(.*\); say what it takes with --size"):
        find_embedder(str(tmp_path / "fixed.pt"))
    assert find_embedder(str(tmp_path / "fixed.pt"), size=(16, 16)).dimension == 4
    with pytest.raises(InputError, match="gives images x numbers, got 1 x 2 x 8 x 8 of 1 images"):
        find_embedder(str(tmp_path / "map.pt"), size=(8, 8))
    with pytest.raises(InputError, match="a normalisation is for files"):
        find_embedder("timm:test_resnet", norm="clip")


# -- batches, memory, the cache


def altered(embedder, run):
    return Embedder(embedder.name, embedder.digest, embedder.preparation, run, embedder.dimension)


@pytest.fixture(scope="module")
def embedder(script):
    return find_embedder(str(script), size=(32, 32))


def test_numbers_that_are_not_finite_name_the_image(folder, embedder):
    def run(batch):
        found = embedder.rows_of(batch).copy()
        found[batch.mean(axis=(1, 2, 3)) == batch.mean(axis=(1, 2, 3)).max()] = np.nan
        return found

    with pytest.raises(InputError, match=r"little.pt gives numbers that are not finite for 1 images of a batch: '[01].png'"):
        embedded(folder, altered(embedder, run))


def test_the_batch_is_halved_once(folder, embedder):
    def run(batch, most):
        if len(batch) > most:
            raise DeviceMemoryError
        return embedder.rows_of(batch)

    said = []
    found = embedded(folder, altered(embedder, lambda batch: run(batch, 2)), batch=4, device="cuda:7", say=said.append)
    np.testing.assert_allclose(found.values, embedded(folder, embedder).values, atol=1e-6)
    assert said[:1] == ["the memory of cuda:7 does not hold 4 images at once; goes on with 2"]
    with pytest.raises(InputError, match="memory of cuda:7 does not hold a batch of 2 images; take a smaller --batch"):
        embedded(folder, altered(embedder, lambda batch: run(batch, 1)), batch=4, device="cuda:7")


class Counting:
    """How many images a network has seen; it is interrupted before one too many."""

    def __init__(self, embedder, most=10**9):
        self.embedder, self.most, self.seen = embedder, most, 0

    def __call__(self, batch):
        if self.seen + len(batch) > self.most:
            raise KeyboardInterrupt
        self.seen += len(batch)
        return self.embedder.rows_of(batch)


def test_an_interrupted_run_goes_on(folder, embedder, tmp_path):
    wanted = embedded(folder, embedder).values
    first = Counting(embedder, most=3)
    with pytest.raises(KeyboardInterrupt):
        embedded(folder, altered(embedder, first), cache=tmp_path)
    second = Counting(embedder)
    np.testing.assert_array_equal(embedded(folder, altered(embedder, second), cache=tmp_path).values, wanted)
    assert (first.seen, second.seen) == (2, 3)
    third = Counting(embedder, most=0)
    np.testing.assert_array_equal(embedded(folder, altered(embedder, third), cache=tmp_path).values, wanted)


def test_damaged_files_of_the_cache_are_made_again(folder, embedder, tmp_path):
    wanted = embedded(folder, embedder, cache=tmp_path).values
    files = sorted(tmp_path.rglob("*.embeddings"))
    assert len(files) == 3
    content = files[0].read_bytes()
    files[0].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    files[1].write_bytes(b"")
    said = []
    np.testing.assert_array_equal(embedded(folder, embedder, cache=tmp_path, say=said.append).values, wanted)
    assert said[:1] == [f"2 damaged files of the cache {tmp_path} were removed; what they held is made again"]
    assert sorted(tmp_path.rglob("*.embeddings")) == files


def test_the_cache_knows_image_and_model(folder, embedder, script, tmp_path):
    embedded(folder, embedder, cache=tmp_path)
    other = find_embedder(str(script), size=(32, 32), norm="none")
    assert other.key != embedder.key
    assert EmbeddingCache.of(tmp_path, key=other.key, dimension=5).known == {}
    assert len(EmbeddingCache.of(tmp_path, key=embedder.key, dimension=5).known) == len(SIZES)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be used"):
        EmbeddingCache.of(tmp_path / "file", key=embedder.key, dimension=5)


def test_two_runs_at_once_share_a_cache(folder, embedder, tmp_path):
    """The second opens the cache while the first is at work, and both end with the same files."""

    def run(batch):
        if not embedder.seen_inside:
            embedder.seen_inside.append(True)
            embedded(folder, altered(embedder, embedder.rows_of), cache=tmp_path)
        return embedder.rows_of(batch)

    object.__setattr__(embedder, "seen_inside", [])
    found = embedded(folder, altered(embedder, run), cache=tmp_path)
    np.testing.assert_array_equal(found.values, embedded(folder, embedder).values)
    assert len(list(tmp_path.rglob("*.embeddings"))) == 3


def test_broken_images_are_counted_before_the_end(folder, embedder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "0.png").write_bytes(b"none")
    (tmp_path / "4.png").write_bytes(b"none")
    counting = Counting(embedder)
    with pytest.raises(InputError, match=r"2 of 5 images in .*'0.png': no image .*'4.png'.*--skip-broken"):
        embedded(tmp_path, altered(embedder, counting))
    assert counting.seen == 0
    found = embedded(tmp_path, embedder, skip_broken=True)
    assert found.names == ("1.png", "2.png", "3.png")
    assert any("2 images that cannot be decoded were left out: '0.png', '4.png'" in note for note in found.notes)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_cuda_gives_what_cpu_gives(folder, script):
    found = embedded(folder, find_embedder(str(script), size=(32, 32), device="cuda"))
    wanted = embedded(folder, find_embedder(str(script), size=(32, 32)))
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-5)
