"""Images: how files and arrays are read, how they are embedded, and what is refused."""

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from cfgraph.errors import InputError

Image = pytest.importorskip("PIL.Image")

from cfgraph import apply, encode, reconstruct, sources  # noqa: E402 - behind Pillow
from cfgraph.files.images import BrokenImageError, Framing, check_size, read_images, read_pixels  # noqa: E402
from cfgraph.learning.embedders.weights import quiet  # noqa: E402
from cfgraph.learning.encoders import load_encoder  # noqa: E402
from cfgraph.learning.new_images import NewImages  # noqa: E402

RANDOM = np.random.default_rng(0)
COLORS = RANDOM.integers(0, 256, size=(12, 9, 3)).astype(np.uint8)  # 12 high, 9 wide


def save(array, path, *, mode=None, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(path, **how)


def only(folder, *, size=None, **how):
    """The pixels of the one image in a folder."""
    found = read_pixels(read_images(folder), size=size, **how)
    assert len(found.names) == 1
    return found.values[0].reshape(*found.size, 3)


# -- reading


def test_names_are_relative_sorted_and_without_what_is_hidden(tmp_path):
    for name in ("b.png", "cats/2.png", "cats/1.PNG", "dogs/old/1.png", ".hidden.png", ".cache/1.png"):
        save(COLORS, tmp_path / name, format="png")
    (tmp_path / "classes.txt").write_text("cats")
    images = read_images(tmp_path)
    assert images.names == ("b.png", "cats/1.PNG", "cats/2.png", "dogs/old/1.png")
    assert images.notes == ["1 files that are no images were left out, such as 'classes.txt'"]


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P", "CMYK", "1", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    grey = COLORS[..., 0]
    path = tmp_path / ("it.tif" if mode in ("F", "I", "CMYK") else "it.png")
    if mode == "I;16":
        save(grey.astype(np.uint16) * 257, path)
    elif mode == "I":
        save(grey.astype(np.int32) * 257, path)
    elif mode == "F":
        save(grey.astype(np.float32) / 255, path)
    else:
        save(COLORS, path, mode=mode)
    found = only(tmp_path)
    assert found.shape == (12, 9, 3)
    if mode in ("I;16", "I", "F"):
        np.testing.assert_array_equal(found, np.repeat(grey[..., None], 3, axis=2))
    elif mode in ("RGB", "RGBA", "CMYK"):
        np.testing.assert_allclose(found.astype(int), COLORS, atol=1)
    elif mode == "L":
        np.testing.assert_array_equal(found[..., 0], np.asarray(Image.fromarray(COLORS).convert("L")))


def test_palettes_with_transparency_keep_their_colors(tmp_path):
    image = Image.fromarray(COLORS).convert("P")
    image.save(tmp_path / "it.png", transparency=bytes(range(256)))
    np.testing.assert_array_equal(only(tmp_path), np.asarray(image.convert("RGB")))


def test_cameras_that_were_turned_are_turned_back(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    save(COLORS, tmp_path / "it.png", exif=exif)
    assert read_images(tmp_path).size(0) == (9, 12)
    np.testing.assert_array_equal(only(tmp_path), np.rot90(COLORS, 3))


def test_of_moving_images_the_first_frame_counts(tmp_path):
    frames = [Image.new("RGB", (4, 4), color) for color in ((255, 0, 0), (0, 255, 0))]
    frames[0].save(tmp_path / "it.gif", save_all=True, append_images=frames[1:])
    found = read_pixels(read_images(tmp_path), size=None)
    np.testing.assert_array_equal(found.values[0].reshape(4, 4, 3)[0, 0], [255, 0, 0])
    assert "1 images have several frames, of which the first counts, such as 'it.gif'" in found.notes


def bomb(path):
    """A PNG that says that it is 30,000 x 30,000."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))


def damaged(folder):
    """A folder of what cannot be decoded, each in its own way, and two images."""
    good = io.BytesIO()
    Image.fromarray(COLORS).save(good, "png")
    (folder / "cut.png").write_bytes(good.getvalue()[:-30])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("no image at all")
    (folder / "gone.png").symlink_to(folder / "nowhere")
    bomb(folder / "bomb.png")
    save(COLORS, folder / "good.png")
    save(COLORS[::-1].copy(), folder / "nice.png")
    return {"cut.png", "empty.png", "text.jpg", "gone.png", "bomb.png"}


def test_what_cannot_be_decoded_is_named_and_counted(tmp_path):
    broken = damaged(tmp_path)
    images = read_images(tmp_path)
    for number, name in enumerate(images.names):
        if name in broken:
            with pytest.raises(BrokenImageError):
                images.read(number).pixels(None)
    told = r"5 of 7 images in .* cannot be decoded \('bomb.png': more than 89,.*'empty.png': is empty; .*--skip-broken"
    with pytest.raises(InputError, match=told):
        read_pixels(images, size=None)
    found = read_pixels(images, size=None, skip_broken=True)
    assert found.names == ("good.png", "nice.png")
    assert any("5 images that cannot be decoded were left out: 'bomb.png', 'cut.png'" in note for note in found.notes)
    for name in ("good.png", "nice.png"):
        (tmp_path / name).unlink()
    with pytest.raises(InputError, match=r"5 of 5 images .*; none can be"):
        read_pixels(read_images(tmp_path), size=None, skip_broken=True)


def test_pillows_limit_is_left_as_it_was(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    bomb(tmp_path / "bomb.png")
    with pytest.raises(BrokenImageError, match="decompression bomb"):
        read_images(tmp_path).read(0).pixels(None)
    with pytest.raises(BrokenImageError):
        read_images(tmp_path, large=True).read(0).pixels(None)  # too short in the end
    assert before == Image.MAX_IMAGE_PIXELS


def test_images_of_several_sizes_want_one(tmp_path):
    save(COLORS, tmp_path / "a.png")
    save(COLORS, tmp_path / "b.png")
    save(COLORS[:6], tmp_path / "c.png")
    with pytest.raises(
        InputError, match=r"got 2: 2 of 12x9 \(height x width\), others such as 'c.png' of 6x9; say --size 12x9"
    ):
        read_pixels(read_images(tmp_path), size=None)
    found = read_pixels(read_images(tmp_path), size=(6, 5))
    assert found.values.shape == (3, 6 * 5 * 3)
    wanted = Image.fromarray(COLORS).resize((5, 6), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(found.values[0].reshape(6, 5, 3), np.asarray(wanted))


@pytest.mark.parametrize("shape", [(40, 31), (31, 40), (32, 32), (33, 97)])
def test_frames_are_those_of_torchvision(shape):
    transforms = pytest.importorskip("torchvision.transforms")
    image = Image.fromarray(RANDOM.integers(0, 256, size=(*shape, 3)).astype(np.uint8))
    theirs = transforms.Compose([transforms.Resize(20), transforms.CenterCrop(15)])(image)
    np.testing.assert_array_equal(Framing(15, 15, shorter=20, filter="bilinear").frame(image), np.asarray(theirs))


def test_folders_without_images_are_told(tmp_path):
    with pytest.raises(InputError, match="got an empty folder; hidden files do not count"):
        read_images(tmp_path)
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(InputError, match=r"expected image files .*got 1 other files, such as 'notes.txt'"):
        read_images(tmp_path)
    with pytest.raises(InputError, match="leave --key out"):
        read_images(tmp_path, key="x")


def test_arrays_bring_their_own_names(tmp_path):
    array = np.stack([COLORS, COLORS[::-1]])
    np.savez(tmp_path / "it.npz", images=array, names=np.array(["a.png", "b.png"]), labels=np.arange(2))
    images = read_images(tmp_path / "it.npz")
    assert images.names == ("a.png", "b.png")
    np.testing.assert_array_equal(images.read(1).pixels(None), COLORS[::-1])
    assert images.read(0).digest != images.read(1).digest
    np.savez(tmp_path / "it.npz", images=array, names=np.array(["a.png", "a.png"]))
    with pytest.raises(InputError, match=r"got 'a.png' twice"):
        read_images(tmp_path / "it.npz")
    np.savez(tmp_path / "it.npz", one=array, other=array)
    with pytest.raises(InputError, match="holds 2 arrays of images; say which with --key: one, other"):
        read_images(tmp_path / "it.npz")
    with pytest.raises(InputError, match="holds no array 'x'"):
        read_images(tmp_path / "it.npz", key="x")


@pytest.mark.parametrize(("array", "white"), [(np.ones((1, 2, 2), bool), 1), (np.full((1, 2, 2), 16.0), 16)])
def test_white_is_the_largest_number(array, white):
    images = read_images(array)
    assert images.largest == white
    assert (images.read(0).pixels(None) == 255).all()


def test_arrays_that_are_no_images_are_refused():
    for array, told in [
        (np.ones((3, 4)), "expected images in the array"),
        (np.ones((3, 4, 4, 2)), "1, 3 or 4"),
        (np.full((3, 4, 4), np.nan), "others in 3 images, the first is number 0"),
        (np.full((3, 4, 4), -1), "of at least 0"),
        (np.full((3, 4, 4), "a"), "type <U1"),
    ]:
        with pytest.raises(InputError, match=told):
            read_images(array)


@pytest.mark.parametrize("size", ["8", "8x", "0x8", "8x8x3", "axb", 8.5, "99999x1"])
def test_sizes_are_height_and_width(size):
    with pytest.raises(InputError, match="HEIGHTxWIDTH"):
        check_size(size)
    assert check_size("8x9") == (8, 9)


# -- as a source


COLORED = {"warm/red": (255, 0, 0), "warm/rose": (255, 60, 90), "cold/blue": (0, 0, 255), "cold/navy": (0, 20, 140)}


@pytest.fixture
def colored(tmp_path):
    """A folder of class folders, each image of one color."""
    folder = tmp_path / "colored"
    for name, color in COLORED.items():
        for number in range(3):
            save(np.full((6, 5, 3), np.clip(np.array(color) + 3 * number, 0, 255), np.uint8), folder / f"{name}{number}.png")
    return folder


def groups(made):
    """The names of the images below each child of the root."""
    top = [made.cells.addresses[cell].split("/")[1] for cell in made.cell_of_point.tolist()]
    return {
        frozenset(name.split("/")[0] for name, here in zip(made.point_names, top, strict=True) if here == slot) for slot in top
    }


def test_a_folder_becomes_a_field(colored):
    made = sources.images(id="it", data=colored, arity=2, depth=2, minimum_size=3, points=True)
    assert made.origin == "images"
    assert made.points == 12
    assert made.point_names == tuple(sorted(f"{name}{number}.png" for name in COLORED for number in range(3)))
    assert groups(made) == {frozenset({"warm"}), frozenset({"cold"})}
    assert made.recipe["encoder"] == "pixels"
    assert made.recipe["size"] == [6, 5]
    assert made.notes == ()


def test_new_images_find_their_cells(colored, tmp_path):
    made = sources.images(id="it", data=colored, arity=2, depth=2, minimum_size=3, pca=3, standardise=True)
    own = [made.cells.addresses[cell] for cell in made.cell_of_point.tolist()]
    assert apply(made, data=colored) == own
    assert apply(made, data=str(colored)) == own
    save(np.full((20, 30, 3), (250, 10, 5), np.uint8), tmp_path / "new" / "large.png")
    assert apply(made, data=tmp_path / "new")[0].startswith(own[made.point_names.index("warm/red0.png")][:2])
    array = np.stack([np.asarray(Image.open(colored / name)) for name in made.point_names])
    assert apply(made, data=array) == own
    assert apply(made, data=array.reshape(12, -1)) == own
    assert apply(made, data=NewImages(data=colored, skip_broken=True)) == own
    root = reconstruct(made, addresses=["/"]).reshape(6, 5, 3)
    np.testing.assert_allclose(root, array.mean(axis=0) / 255, atol=1e-9)
    with pytest.raises(InputError, match="was not made of image files"):
        apply(sources.points(id="it", data=array, arity=2, depth=1), data=colored)


def test_arrays_and_equal_images(colored, tmp_path):
    array = np.stack([np.asarray(Image.open(path)) for path in sorted(colored.rglob("*.png"))])
    names = [f"{number}.png" for number in range(12)]
    np.savez(tmp_path / "it.npz", images=array, names=names)
    made = sources.images(id="it", data=tmp_path / "it.npz", arity=2, depth=1)
    assert made.point_names == tuple(names)
    np.savez(tmp_path / "it.npz", images=array[[0, 1, 2, 0]], names=names[:4])
    with pytest.raises(
        InputError, match=r"got 1 of 4 that repeat an earlier one, the first '3.png', .*as '0.png'; say --duplicates"
    ):
        sources.images(id="it", data=tmp_path / "it.npz", arity=2, depth=1)
    kept = sources.images(id="it", data=tmp_path / "it.npz", arity=2, depth=1, duplicates="drop")
    assert kept.cell_of_point[3] == kept.cell_of_point[0]


def test_what_does_not_go_together_is_refused(colored):
    for words, told in [
        ({"norm": "clip"}, "--norm is about networks, and pixels is none"),
        ({"cache": "cache"}, "--cache is about networks"),
        ({"size": "big"}, "HEIGHTxWIDTH"),
        ({"encoder": "nothing"}, "expected an encoder out of pixels"),
        ({"arity": 1}, "at least 2 as arity"),
    ]:
        with pytest.raises(InputError, match=told):
            sources.images(id="it", data=colored, depth=1, **words)


@pytest.fixture
def network(tmp_path):
    """A TorchScript file: colors through a matrix."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    nn = torch.nn
    path = tmp_path / "it.pt"
    with quiet():
        torch.jit.trace(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4)), torch.zeros(1, 3, 8, 8)).save(
            str(path)
        )
    return path


def test_a_network_is_found_again_by_its_digest(colored, network, tmp_path):
    said = []
    how = {"arity": 2, "depth": 2, "minimum_size": 3, "encoder": str(network), "size": "8x8", "batch": 5}
    made = sources.images(id="it", data=colored, **how, latents=tmp_path / "it.npy", cache=tmp_path / "cache", say=said.append)
    assert groups(made) == {frozenset({"warm"}), frozenset({"cold"})}
    assert made.recipe["encoder"] == "it.pt"
    assert np.load(tmp_path / "it.npy").shape == (12, 4)
    np.testing.assert_allclose(encode(made, data=colored), np.load(tmp_path / "it.npy"), atol=1e-6)
    own = [made.cells.addresses[cell] for cell in made.cell_of_point.tolist()]
    assert apply(made, data=colored) == own
    squeezed = np.stack([np.asarray(Image.open(colored / name).resize((8, 8))) for name in made.point_names])
    np.testing.assert_allclose(encode(made, data=squeezed.reshape(12, -1)), np.load(tmp_path / "it.npy"), atol=1e-6)
    with pytest.raises(InputError, match="nothing leads back through a step of the kind 'embedding'"):
        reconstruct(made, addresses=["/"])
    moved = network.rename(tmp_path / "moved.pt")
    with pytest.raises(InputError, match=r"it.pt that these images were embedded by is not here; say where it is by --encoder"):
        apply(made, data=colored)
    assert apply(made, data=NewImages(data=colored, encoder=str(moved))) == own
    assert load_encoder(made.encoder).steps[0].dimension == 4  # what is known of it needs no network
    other = moved.with_name("other.pt")
    torch = pytest.importorskip("torch")
    with quiet():
        torch.jit.trace(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4)), torch.zeros(1, 3, 8, 8)).save(
            str(other)
        )
    with pytest.raises(InputError, match=r"other weights than .*it.pt, which embedded these images: SHA-256"):
        apply(made, data=NewImages(data=colored, encoder=str(other)))


@pytest.mark.parametrize("change", [{"width": 0}, {"width": None}, {"more": 1}])
def test_changed_records_are_refused(colored, change):
    made = sources.images(id="it", data=colored, arity=2, depth=1)
    step = {name: value for name, value in {**made.encoder.steps[0], **change}.items() if value is not None}
    with pytest.raises(InputError, match="the saved encoder cannot be read"):
        load_encoder(made.encoder.model_copy(update={"steps": (step,)}))


def test_the_document_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, pixels in enumerate(RANDOM.integers(0, 256, size=(12, 20, 30, 3)).astype(np.uint8)):
        save(pixels, tmp_path / "photos" / f"{number}.png")
    document = (Path(__file__).parents[2] / "docs" / "learning.md").read_text()
    example = next(
        code for code in re.findall(r"^```python\n(.*?)^```", document, re.MULTILINE | re.DOTALL) if "photos" in code
    )
    exec(compile(example, "learning.md", "exec"), {})
    assert (tmp_path / "photos.png").stat().st_size > 5_000


# -- folders for what learns trees


def test_hcrl_takes_a_folder(colored, tmp_path):
    made = sources.hcrl(id="it", data=colored, size="4x4", pca=3, depth=1, branching=2, points=True)
    assert made.point_names == tuple(sorted(f"{name}{number}.png" for name in COLORED for number in range(3)))
    assert groups(made) == {frozenset({"warm"}), frozenset({"cold"})}
    assert apply(made, data=colored) == [made.cells.addresses[cell] for cell in made.cell_of_point.tolist()]
    assert reconstruct(made, addresses=["/"]).shape == (1, 48)
    with pytest.raises(InputError, match="leave --svd out"):
        sources.hcrl(id="it", data=colored, svd=2)
    with pytest.raises(InputError, match="are about folders of images"):
        sources.hcrl(id="it", data=np.ones((4, 4)), size="4x4")
    (colored / "broken.png").write_bytes(b"")
    with pytest.raises(InputError, match="1 of 13 images"):
        sources.hcrl(id="it", data=colored)


def test_infohier_takes_a_folder_whose_leaves_get_thumbnails(colored):
    pytest.importorskip("torch")
    from cfgraph.plots.disk import pictures_of

    made = sources.infohier(id="it", data=colored, size="8x8", epochs=2, batch=8, starts=1)
    leaves = {name for name in made.cells.names if name is not None}
    assert leaves == set(made.point_names)
    assert made.recipe["encoder"] == "convolutions"
    assert {path.relative_to(colored).as_posix() for path in pictures_of(made.cells, colored).values()} == leaves
    assert len(apply(made, data=colored)) == 12
    flat = sources.infohier(id="it", data=colored, views="vectors", epochs=2, batch=8, starts=1)
    assert flat.recipe["encoder"] == "mlp"
