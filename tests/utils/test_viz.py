"""dataflow.utils.viz and dataflow.utils.palette."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from dataflow.utils import viz
from dataflow.utils.palette import PALETTE_RGB
from dataflow.utils.viz import (
    draw_boxes,
    draw_text,
    dump_dataflow_images,
    gen_stack_patches,
    intensity_to_rgb,
    interactive_imshow,
    stack_patches,
)


def gray(n, h=4, w=5):
    return [np.full((h, w), k + 1, np.uint8) for k in range(n)]


def test_stack_gray():
    canvas = stack_patches(gray(3), 2, 2, border=1, bgcolor=9)
    assert canvas.shape == (9, 11, 1) and canvas.dtype == np.uint8
    expected = np.full((9, 11), 9)
    expected[:4, :5], expected[:4, 6:], expected[5:, :5] = 1, 2, 3
    assert (canvas[:, :, 0] == expected).all()


def test_stack_colour():
    patches = np.arange(2 * 3 * 4 * 3).reshape(2, 3, 4, 3)
    canvas = stack_patches(patches, 1, 2, border=0)
    assert (canvas == np.concatenate(patches, axis=1)).all()
    canvas = stack_patches(gray(1), 1, 2, border=0, bgcolor=(1, 2, 3))
    assert canvas.shape == (4, 10, 3) and canvas[0, -1].tolist() == [1, 2, 3]


def test_default_border_is_a_twentieth():
    assert stack_patches(gray(2, 59, 100), 1, 2).shape == (59, 2 * 100 + 2, 1)
    assert stack_patches(gray(2, 19, 100), 1, 2).shape == (19, 200, 1)


def test_stack_pads():
    canvas = stack_patches([np.full((2, 2), 7), np.full((4, 6, 3), 8)], 1, 2, border=0, pad=True)
    assert canvas.shape == (4, 12, 3)
    expected = np.full((4, 12), 255)
    expected[1:3, 2:4] = 7
    expected[:, 6:] = 8
    assert (canvas == expected[:, :, None]).all()


@pytest.mark.parametrize(
    ("patches", "text"),
    [
        ([], "at least one"),
        (gray(5), "5 patches"),
        ([np.zeros(3)], "expected patches"),
        ([np.zeros((3, 3, 2))], "expected patches"),
        ([np.zeros((3, 3)), np.zeros((3, 4))], "pad=True"),
    ],
)
def test_stack_checks(patches, text):
    with pytest.raises(ValueError, match=text):
        stack_patches(patches, 2, 2)


def test_gen_stack_patches():
    grids = list(gen_stack_patches(gray(5), nr_row=1, nr_col=2, border=0))
    assert [g.shape for g in grids] == [(4, 10, 1)] * 3
    assert [g[0, [0, -1], 0].tolist() for g in grids] == [[1, 2], [3, 4], [5, 255]]  # each its own array


def test_gen_stack_patches_fits_the_maximum():
    # 3 x 4 + 2 borders = 14 high; 2 x 5 + 1 border = 11 wide
    (first, *rest) = gen_stack_patches(gray(7), border=1, max_height=14, max_width=15)
    assert first.shape == (14, 11, 1) and len(rest) == 1
    assert next(gen_stack_patches(gray(1), max_height=1, max_width=1)).shape == (4, 5, 1)


class Window:
    """Stands for OpenCV's windows."""

    def __init__(self, monkeypatch, keys=""):
        self.shown, self.keys, self.destroyed = [], list(keys), 0
        monkeypatch.setattr(cv2, "imshow", lambda name, img: self.shown.append(img))
        monkeypatch.setattr(cv2, "setMouseCallback", self.set_callback)
        monkeypatch.setattr(cv2, "waitKey", self.wait)
        monkeypatch.setattr(cv2, "destroyAllWindows", self.destroy)
        self.clicks = []

    def set_callback(self, name, callback):
        for click in self.clicks:
            callback(*click, 0, None)

    def wait(self, delay):
        return ord(self.keys.pop(0))

    def destroy(self):
        self.destroyed += 1


def test_imshow_keys(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    img = np.full((10, 20, 3), 50, np.uint8)
    window = Window(monkeypatch, "+=-q")
    interactive_imshow(img)
    assert [i.shape[:2] for i in window.shown] == [(10, 20), (13, 26), (17, 34), (12, 24)]
    assert window.destroyed == 1
    Window(monkeypatch, "s")
    interactive_imshow(img)
    assert (cv2.imread("out.png") == img).all()
    Window(monkeypatch, "x")
    with pytest.raises(SystemExit):
        interactive_imshow(img)
    Window(monkeypatch, "a")
    seen = []
    interactive_imshow(img, key_cb_a=seen.append)
    assert seen[0] is img
    with pytest.raises(TypeError, match="key_cb_"):
        interactive_imshow(img, title="x")


def test_imshow_clicks(monkeypatch):
    window = Window(monkeypatch, "q")
    window.clicks = [(cv2.EVENT_LBUTTONUP, 3, 4), (cv2.EVENT_RBUTTONUP, 5, 6), (cv2.EVENT_MOUSEMOVE, 0, 0)]
    seen = []
    interactive_imshow(
        np.zeros((9, 9), np.uint8), lambda img, x, y: seen.append(("l", x, y)), lambda *a: seen.append(a[1:])
    )
    assert seen == [("l", 3, 4), (5, 6)]


def test_imshow_without_windows(monkeypatch):
    def fail(*args):
        raise cv2.error("no window")

    monkeypatch.setattr(cv2, "imshow", fail)
    with pytest.raises(RuntimeError, match="opencv-python"):
        interactive_imshow(np.zeros((3, 3), np.uint8))


def test_click_on_a_patch(monkeypatch):
    # patches are 4 high and 6 wide: rows and columns must not be mixed up
    window = Window(monkeypatch, "qq")
    window.clicks = [
        (cv2.EVENT_LBUTTONUP, 8, 1),  # second column
        (cv2.EVENT_LBUTTONUP, 1, 6),  # second row
        (cv2.EVENT_LBUTTONUP, 6, 1),  # border
        (cv2.EVENT_LBUTTONUP, 8, 6),  # empty place, in the second grid
    ]
    seen = []
    list(
        gen_stack_patches(
            gray(7, 4, 6), 2, 2, border=1, viz=True, lclick_cb=lambda p, i: seen.append((int(p[0, 0, 0]), i))
        )
    )
    assert seen == [(2, 1), (3, 2), (4, 3), (6, 5), (7, 6)]


class Images:
    """A dataflow of two batches of two images, one row of different pixels each."""

    resets = 0

    def reset_state(self):
        self.resets += 1

    def __iter__(self):
        for k in range(2):
            yield ["label", np.full((2, 8, 16, 3), (10 + k, 100, 200), np.float32)]


def test_dump_images(tmp_path):
    df = Images()
    dump_dataflow_images(df, index=1, number=5, output_dir=str(tmp_path / "out"))
    assert df.resets == 1
    assert sorted(os.listdir(tmp_path / "out")) == [f"00{k}.jpg" for k in range(1, 6)]
    third, fifth = (cv2.imread(str(tmp_path / "out" / f"00{k}.jpg")) for k in (3, 5))
    assert abs(third.astype(int) - (11, 100, 200)).max() <= 3
    assert abs(fifth.astype(int) - (10, 100, 200)).max() <= 3  # the second pass


def test_dump_images_options(tmp_path):
    dump_dataflow_images(
        Single(),
        index="img",
        batched=False,
        number=1,
        output_dir=str(tmp_path),
        scale=100,
        resize=(32, 24),
        flipRGB=True,
    )
    img = cv2.imread(str(tmp_path / "001.jpg"))
    assert img.shape == (32, 24, 3)
    assert abs(img.astype(int) - (90, 20, 10)).max() <= 3


class Single:
    def reset_state(self):
        pass

    def __iter__(self):
        yield {"img": np.full((8, 16, 3), (0.1, 0.2, 0.9))}


def test_dump_images_shows(monkeypatch):
    shown = []
    monkeypatch.setattr(viz, "interactive_imshow", lambda img, **kwargs: shown.append(img.shape))
    dump_dataflow_images(Images(), index=1, number=5, viz=(1, 2))
    assert shown == [(8, 32, 3)] * 2
    dump_dataflow_images(Images(), index=1, number=4, viz=2)
    assert shown[2:] == [(16, 32, 3)]


def test_dump_images_of_nothing():
    class Empty:
        def reset_state(self):
            pass

        def __iter__(self):
            return iter([])

    with pytest.raises(ValueError, match="no images"):
        dump_dataflow_images(Empty())


def test_intensity_to_rgb():
    pytest.importorskip("matplotlib")
    rgb = intensity_to_rgb(np.array([[0, 0.5, 1.0]]), cmap="gray")
    assert rgb.shape == (1, 3, 3) and rgb.dtype == np.float32
    assert rgb[0, 0].tolist() == [0, 0, 0] and rgb[0, 2].tolist() == [255, 255, 255]
    assert (intensity_to_rgb([[0, 8]], "gray", normalize=True) == intensity_to_rgb([[0, 1.0]], "gray")).all()
    with pytest.raises(ValueError, match="shape"):
        intensity_to_rgb(np.zeros(3))


def test_draw_boxes():
    im = np.zeros((20, 30), np.uint8)
    out = draw_boxes(im, [[1, 2, 10, 8], [0, 0, 30, 20]])
    assert out.shape == (20, 30, 3) and not im.any()
    for y, x in ((2, 1), (8, 10), (2, 5), (0, 0)):
        assert out[y, x].tolist() == [15, 128, 15]
    assert out[5, 5].tolist() == [0, 0, 0]
    out = draw_boxes(np.zeros((20, 30, 3), np.uint8), np.array([[1, 2, 10, 8]], np.float32), color=(1, 2, 3))
    assert out[2, 1].tolist() == [1, 2, 3]
    assert draw_boxes(im, np.zeros((0, 4))).sum() == 0


def test_larger_boxes_are_drawn_first(monkeypatch):
    drawn = []
    monkeypatch.setattr(cv2, "rectangle", lambda img, a, b, *args, **kwargs: drawn.append(a))
    draw_boxes(np.zeros((20, 20), np.uint8), [[1, 1, 2, 2], [3, 3, 9, 9], [5, 5, 7, 7]])
    assert drawn == [(3, 3), (5, 5), (1, 1)]


def test_draw_labels():
    im = np.zeros((60, 120, 3), np.uint8)
    plain, labelled = draw_boxes(im, [[20, 30, 80, 50]]), draw_boxes(im, [[20, 30, 80, 50]], ["cat"])
    changed = np.nonzero((plain != labelled).any(axis=2))
    assert changed[0].size and changed[0].max() <= 30  # above the box
    with pytest.raises(ValueError, match="2 labels"):
        draw_boxes(im, [[20, 30, 80, 50]], ["a", "b"])
    assert draw_text(im, (0, 20), "x", (1, 2, 3)).any() and not im.any()


@pytest.mark.parametrize("box", [[-1, 0, 5, 5], [0, 0, 31, 5], [0, 0, 5, 21], [5, 5, 5, 8], [5, 5, 8, 4]])
def test_draw_boxes_checks(box):
    with pytest.raises(ValueError, match="30 x 20"):
        draw_boxes(np.zeros((20, 30), np.uint8), [[1, 1, 4, 4], box])


def test_palette():
    assert PALETTE_RGB.dtype == np.float32 and PALETTE_RGB.ndim == 2 and PALETTE_RGB.shape[1] == 3
    assert PALETTE_RGB.min() >= 0 and PALETTE_RGB.max() <= 255 and PALETTE_RGB.max() > 1
    assert len(np.unique(PALETTE_RGB, axis=0)) == len(PALETTE_RGB)
