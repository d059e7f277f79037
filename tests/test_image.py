"""Image files, and augmentation in dataflows."""

from __future__ import annotations

import copy
import inspect
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dataflow import (
    AugmentImageComponent,
    AugmentImageComponents,
    AugmentImageCoordinates,
    DataFromList,
    ImageFromFile,
    MapData,
    MapDataComponent,
    RNGDataFlow,
    image,
    imgaug,
)
from dataflow.imgaug import AugmentorList
from dataflow.utils import fix_rng_seed

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 99, 199)]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return paths of four images, whose first pixel is one of COLOURS in RGB."""
    paths = []
    for k, colour in enumerate(COLOURS):
        img = np.zeros((6, 8, 3), np.uint8)
        img[0, 0] = colour[::-1]
        paths.append(tmp_path / f"{k} ä.png")
        paths[-1].write_bytes(cv2.imencode(".png", img)[1].tobytes())
    return paths


def run(df: Any) -> list[Any]:
    df.reset_state()
    return list(df)


def test_files_in_rgb(files: list[Path]) -> None:
    for paths in (files, [str(f) for f in files], tuple(files)):
        df = ImageFromFile(paths)
        assert len(df) == 4
        images = [img for [img] in run(df)]
        assert [tuple(img[0, 0]) for img in images] == COLOURS
        assert all(img.shape == (6, 8, 3) and img.dtype == np.uint8 for img in images)
        assert all(img.flags.c_contiguous and img.flags.writeable for img in images)


def test_gray_files(files: list[Path], tmp_path: Path) -> None:
    images = [img for [img] in run(ImageFromFile(files, channel=1))]
    assert [img.shape for img in images] == [(6, 8, 1)] * 4
    assert images[0][0, 0, 0] == pytest.approx(0.299 * 255, abs=1)
    gray = tmp_path / "gray.png"
    gray.write_bytes(cv2.imencode(".png", np.full((2, 3), 7, np.uint8))[1].tobytes())
    assert np.array_equal(run(ImageFromFile([gray]))[0][0], np.full((2, 3, 3), 7))


@pytest.mark.parametrize("resize, size", [(3, (3, 3)), ((4, 10), (4, 10)), ([12, 16], (12, 16))])
@pytest.mark.parametrize("channel", [1, 3])
def test_resized_files(files: list[Path], resize: Any, size: tuple[int, int], channel: int) -> None:
    [plain], [resized] = (run(ImageFromFile(files[3:], channel, r))[0] for r in (None, resize))
    assert resized.shape == (*size, channel)
    expected = cv2.resize(plain, size[::-1], interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(resized, expected.reshape(resized.shape))


def test_shuffled_files(files: list[Path]) -> None:
    fix_rng_seed(42)
    mine = list(files)
    df = ImageFromFile(mine, shuffle=True)
    df.reset_state()
    rng = np.random.RandomState(42)
    for _ in range(3):
        expected = [COLOURS[k] for k in rng.permutation(4)]
        assert [tuple(img[0, 0]) for [img] in df] == expected
    assert mine == files


def test_bad_files(files: list[Path], tmp_path: Path) -> None:
    df = ImageFromFile([files[0], tmp_path / "nowhere.jpg"])
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jpg"):
        run(df)
    for content in (b"no image", b""):
        bad = tmp_path / "bad.jpg"
        bad.write_bytes(content)
        with pytest.raises(ValueError, match=r"ImageFromFile: '.*bad\.jpg' holds no image"):
            run(ImageFromFile([bad]))


@pytest.mark.parametrize(
    "args, error, text",
    [
        (([],), ValueError, "ImageFromFile: got an empty list of files"),
        (("a.png",), TypeError, "ImageFromFile: expected a list of paths, got 'a.png'"),
        ((["a.png"], 4), ValueError, "ImageFromFile: channel: expected 1 or 3, got 4"),
        ((["a.png"], 3, (4, 0)), ValueError, r"ImageFromFile: resize: expected at least 1 x 1, got \(4, 0\)"),
        ((["a.png"], 3, "big"), RuntimeError, "2-D shape; got 'big'"),
    ],
)
def test_wrong_arguments_of_files(args: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        ImageFromFile(*args)


def picture(seed: int = 0, shape: tuple[int, ...] = (8, 10, 3)) -> Any:
    return np.random.RandomState(seed).randint(0, 256, shape, dtype=np.uint8)


def source(kind: type, number: int = 3) -> DataFromList[Any]:
    """Return a dataflow of lists, tuples or dicts of an image, a label map and points."""

    def datapoint(k: int) -> Any:
        parts = picture(k), picture(k, (8, 10)) % 4, np.array([[1.0, 2.0]])
        return dict(zip("ilp", parts, strict=True)) if kind is dict else kind(parts)

    return DataFromList([datapoint(k) for k in range(number)], shuffle=False)


FLIP = [imgaug.Flip(horiz=True, prob=1)]
KINDS = pytest.mark.parametrize("kind", [list, tuple, dict])


@KINDS
@pytest.mark.parametrize("augmentors", [FLIP, tuple(FLIP), FLIP[0], AugmentorList(FLIP)])
def test_component(kind: type, augmentors: Any) -> None:
    first, second, third = "ilp" if kind is dict else (0, 1, 2)
    df = AugmentImageComponent(source(kind), augmentors, index=first)
    assert isinstance(df, MapDataComponent)
    assert isinstance(df.augs, AugmentorList)
    assert augmentors is df.augs or not isinstance(augmentors, AugmentorList)
    assert len(df) == 3
    for k, dp in enumerate(run(df)):
        assert type(dp) is (dict if kind is dict else list)
        assert np.array_equal(dp[first], picture(k)[:, ::-1])
        assert np.array_equal(dp[second], picture(k, (8, 10)) % 4)
        assert np.array_equal(dp[third], [[1, 2]])


@KINDS
def test_coordinates(kind: type) -> None:
    first, third = ("i", "p") if kind is dict else (0, 2)
    df = AugmentImageCoordinates(source(kind), FLIP, first, third)
    assert isinstance(df, MapData)
    assert len(df) == 3
    for k, dp in enumerate(run(df)):
        assert np.array_equal(dp[first], picture(k)[:, ::-1])
        assert np.array_equal(dp[third], [[9, 2]])
    assert np.array_equal(next(iter(source(kind)))[third], [[1, 2]])


@KINDS
def test_components(kind: type) -> None:
    first, second, third = "ilp" if kind is dict else (0, 1, 2)
    df = AugmentImageComponents(source(kind), FLIP, (first, second), (third,))
    for k, dp in enumerate(run(df)):
        assert np.array_equal(dp[first], picture(k)[:, ::-1])
        assert np.array_equal(dp[second], (picture(k, (8, 10)) % 4)[:, ::-1])
        assert np.array_equal(dp[third], [[9, 2]])


def test_components_share_what_is_drawn() -> None:
    pairs = DataFromList([[picture(k), picture(k)] for k in range(10)], shuffle=False)
    augmentors = [imgaug.RandomCrop(5), imgaug.Flip(horiz=True), imgaug.Brightness(50), imgaug.Rotation(30)]
    outputs = run(AugmentImageComponents(pairs, augmentors))
    assert all(np.array_equal(a, b) for a, b in outputs)
    assert len({a.tobytes() for a, _ in outputs}) == 10


def test_label_maps_are_moved_and_not_changed() -> None:
    fix_rng_seed(1)
    labels = (picture(1, (8, 10)) // 64).astype(np.int32) * 1000
    small = (labels // 1000).astype(np.uint8)
    data = DataFromList([[picture(), labels, small, np.array([[1.0, 1, 3, 4]])]], shuffle=False)
    augmentors = [imgaug.Resize((21, 17)), imgaug.Brightness(100), imgaug.Rotation(40)]
    df = AugmentImageComponents(data, augmentors, (0, 1), segmentation_index=(2,), box_index=[3])
    [[img, big, little, boxes]] = run(df)
    assert img.shape == (21, 17, 3)
    assert big.dtype == np.int32
    assert set(np.unique(big)) <= {0, 1000, 2000, 3000}
    # OpenCV's nearest neighbours differ a little between types
    assert (big == little.astype(np.int32) * 1000).mean() > 0.95
    assert boxes.shape == (1, 4)


@pytest.mark.parametrize("copy", [True, False])
def test_copies(copy: bool) -> None:
    def spoil(array: Any) -> Any:
        array[:] = 0
        return array

    data = [[picture(), picture(1), np.array([[1.0, 2.0]])]]
    df: Any = AugmentImageComponents(
        DataFromList(data), [imgaug.MapImage(spoil, spoil)], (0, 1), (2,), copy=copy
    )
    run(df)
    assert all(part.any() == copy for part in data[0])
    data = [[picture()]]
    run(AugmentImageComponent(DataFromList(data), [imgaug.MapImage(spoil)], copy=copy))
    assert data[0][0].any() == copy


class Fails(imgaug.ImageAugmentor):
    """Raises for dark images."""

    def get_transform(self, img: Any) -> Any:
        if not img.any():
            raise ZeroDivisionError("dark")
        return imgaug.Identity().get_transform(img)


def flows(data: Any, **kwargs: Any) -> list[Any]:
    return [
        AugmentImageComponent(data, [Fails()], **kwargs),
        AugmentImageComponents(data, [Fails()], (0,), (1,), **kwargs),
        AugmentImageCoordinates(data, [Fails()], **kwargs),
    ]


@pytest.mark.parametrize("which", range(3))
def test_exceptions(which: int, caplog: pytest.LogCaptureFixture, capsys: Any) -> None:
    points = np.zeros((1, 2))
    good, dark, wrong = [picture(), points], [picture() * 0, points], ["no image", points]
    data = DataFromList([good, dark, wrong, good], shuffle=False)
    with pytest.raises(ZeroDivisionError, match="dark"):
        run(flows(data)[which])
    with pytest.raises(TypeError, match="expected an image as a numpy array, got a str"):
        run(flows(DataFromList([wrong]))[which])
    assert len(run(flows(data, catch_exceptions=True)[which])) == 2
    assert caplog.text + capsys.readouterr().out == ""


def test_how_often_exceptions_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(image.logger, "exception", lambda text, *args, **kwargs: logged.append(text))
    data = DataFromList([[picture() * 0]] * 250, shuffle=False)
    assert run(AugmentImageComponent(data, [Fails()], catch_exceptions=True)) == []
    assert [int(text.split()[1]) for text in logged] == [101, 201]


@pytest.mark.parametrize(
    "points, error, text",
    [
        (np.zeros((2, 3)), ValueError, r"expected an N x 2 array, got shape \(2, 3\)"),
        (np.zeros(2), ValueError, r"got shape \(2,\)"),
        (np.zeros((2, 2), int), TypeError, "floating-point N x 2 array, got int64"),
        ([[1.0, 2.0]], TypeError, "got a list"),
    ],
)
def test_wrong_coordinates(points: Any, error: type[Exception], text: str) -> None:
    data = DataFromList([[picture(), points]])
    with pytest.raises(error, match=f"AugmentImageCoordinates: .*{text}"):
        run(AugmentImageCoordinates(data, FLIP))
    with pytest.raises(error, match=f"AugmentImageComponents: .*{text}"):
        run(AugmentImageComponents(data, FLIP, (0,), (1,)))


@pytest.mark.parametrize(
    "make, error, text",
    [
        (
            lambda: AugmentImageComponent([], [np.flip]),
            TypeError,
            "expected an augmentor, got <function flip",
        ),
        (
            lambda: AugmentImageComponents([], FLIP, 0),
            TypeError,
            "expected a list of positions or keys, got 0",
        ),
        (lambda: AugmentImageComponents([], FLIP, "ab"), TypeError, "expected a list of positions or keys"),
        (lambda: AugmentImageComponents([], FLIP, ()), ValueError, "expected at least one image"),
    ],
)
def test_wrong_arguments(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


CLASSES = [AugmentImageComponent, AugmentImageComponents, AugmentImageCoordinates]


@pytest.mark.parametrize("cls", CLASSES)
def test_reset_state_resets_source_then_augmentors(cls: Any) -> None:
    order: list[str] = []

    class Source(RNGDataFlow[Any]):
        def __iter__(self) -> Any:
            yield from ()

        def reset_state(self) -> None:
            order.append("source")

    class Counts(imgaug.Identity):
        def reset_state(self) -> None:
            order.append("augmentor")

    augmentors = [Counts()]
    df = cls(Source(), augmentors)
    order.clear()
    df.reset_state()
    assert order == ["source", "augmentor"]


@pytest.mark.parametrize("cls", CLASSES)
def test_dataflows_can_be_copied_and_printed(cls: Any) -> None:
    df = cls(source(list), FLIP)
    assert "augmentors=imgaug.AugmentorList([\n    imgaug.Flip(horiz=True, prob=1)])" in repr(df)
    for twin in (pickle.loads(pickle.dumps(df)), copy.deepcopy(df)):
        assert twin.augs is not df.augs
        assert twin.func.__self__ is twin


def test_documented_signatures() -> None:
    def names(cls: type) -> str:
        parameters = inspect.signature(cls).parameters.values()
        positional = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
        return ", ".join(str(p.replace(annotation=p.empty)) for p in positional)

    assert names(ImageFromFile) == "files, channel=3, resize=None, shuffle=False"
    assert names(AugmentImageComponent) == "ds, augmentors, index=0, copy=True, catch_exceptions=False"
    assert names(AugmentImageCoordinates) == (
        "ds, augmentors, img_index=0, coords_index=1, copy=True, catch_exceptions=False"
    )
    assert names(AugmentImageComponents) == (
        "ds, augmentors, index=(0, 1), coords_index=(), copy=True, catch_exceptions=False"
    )


def test_names_that_programs_import() -> None:
    assert image.MapDataComponent is MapDataComponent
    assert image.check_dtype is imgaug.base.check_dtype
    with pytest.raises(KeyError), image.ExceptionHandler().catch():
        raise KeyError
    handler = image.ExceptionHandler(catch_exceptions=True)
    with pytest.raises(KeyboardInterrupt), handler.catch():
        raise KeyboardInterrupt
    assert handler.count == 0


class TestWhatSubclassesOverride:
    @pytest.mark.parametrize("cls", CLASSES)
    def test_aug_mapper(self, cls: Any) -> None:
        class Own(cls):  # type: ignore[misc]
            def _aug_mapper(self, x: Any) -> Any:
                return "mine"

        first = run(Own(source(list), FLIP))[0]
        assert first == "mine" or first[0] == "mine"
        df = cls(source(list), FLIP)
        df._aug_mapper = lambda x: None
        assert run(df) == []

    def test_imread_mode(self, tmp_path: Path) -> None:
        path = str(tmp_path / "x.png")
        cv2.imwrite(path, np.full((2, 3, 4), (10, 20, 30, 40), np.uint8))
        df = ImageFromFile([path])
        assert df.imread_mode == cv2.IMREAD_COLOR and run(df)[0][0][0, 0].tolist() == [30, 20, 10]
        df.imread_mode = cv2.IMREAD_UNCHANGED
        assert run(df)[0][0][0, 0].tolist() == [40, 30, 20, 10]
        assert ImageFromFile([path], channel=1).imread_mode == cv2.IMREAD_GRAYSCALE


@pytest.mark.parametrize("files", [[3], ["a", np.int64(3)], [None], range(2)])
def test_image_files_are_paths(files: Any) -> None:
    with pytest.raises(TypeError, match="expected a list of paths, got the item"):
        ImageFromFile(files)


@pytest.mark.parametrize("index", [range(2), np.array([0, 1]), (0, 1), iter([0, 1])])
def test_any_list_of_positions(index: Any) -> None:
    df = AugmentImageComponents(source(list), FLIP, index=index, coords_index=range(0))
    assert len(run(df)) == len(run(AugmentImageComponents(source(list), FLIP, index=[0, 1])))


@pytest.mark.parametrize("index", [1, "ab", None])
def test_no_list_of_positions(index: Any) -> None:
    with pytest.raises(TypeError, match="expected a list of positions or keys"):
        AugmentImageComponents(source(list), FLIP, index=index)


def test_func_can_be_used_elsewhere_and_be_set() -> None:
    source = DataFromList([[np.full((2, 2, 3), 5, np.uint8), 7]], shuffle=False)
    brighter = imgaug.MapImage(lambda img: img + 1)
    for df in (AugmentImageComponent(source, [brighter]), AugmentImageComponents(source, [brighter], (0,))):
        df.reset_state()
        [(image, label)] = MapData(df.ds, df.func)
        assert (image == 6).all() and label == 7
        df.func = lambda dp: [dp[1]]
        assert list(df) == [[7]]
