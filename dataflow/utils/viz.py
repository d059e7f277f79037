"""Look at images: grids of patches, boxes, windows."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._core.optional import require
from .fs import mkdir_p

__all__ = [
    "draw_boxes",
    "draw_text",
    "dump_dataflow_images",
    "gen_stack_patches",
    "intensity_to_rgb",
    "interactive_imshow",
    "stack_patches",
]

Image = NDArray[Any]
ClickOnPatch = Callable[[Image, int], Any]
ClickOnImage = Callable[[Image, int, int], Any]


def interactive_imshow(
    img: Image,
    lclick_cb: ClickOnImage | None = None,
    rclick_cb: ClickOnImage | None = None,
    **kwargs: Callable[[Image], Any],
) -> None:
    """Show an image in a window until a key is pressed.

    Keys: ``q`` closes all windows, ``x`` ends the program, ``s`` saves ``out.png``, ``+`` or ``=`` and
    ``-`` zoom. Any other key closes nothing and returns.

    Args:
        img: uint8 (h, w) or (h, w, 3), BGR.
        lclick_cb: called as ``f(img, x, y)`` at a left click.
        rclick_cb: the same for a right click.
        **kwargs: ``key_cb_<c>=f``: called as ``f(img)`` when the key c is pressed.

    Raises:
        TypeError: a keyword does not begin with ``key_cb_``.
        RuntimeError: OpenCV can't open windows.
    """
    unknown = [name for name in kwargs if not name.startswith("key_cb_")]
    if unknown:
        raise TypeError(f"interactive_imshow() got {unknown[0]!r}; keys are given as key_cb_<c>=function")
    cv2 = require("cv2", None)
    window = "viz_window_name"

    def on_mouse(event: int, x: int, y: int, *unused: Any) -> None:
        if event == cv2.EVENT_LBUTTONUP and lclick_cb is not None:
            lclick_cb(img, x, y)
        elif event == cv2.EVENT_RBUTTONUP and rclick_cb is not None:
            rclick_cb(img, x, y)

    try:
        cv2.imshow(window, img)
    except cv2.error as e:
        raise RuntimeError(
            "OpenCV can't open a window: there is no display, or it is built without windows; for those "
            "replace opencv-python-headless by opencv-python"
        ) from e
    cv2.setMouseCallback(window, on_mouse)
    key = chr(cv2.waitKey(-1) & 0xFF)
    if f"key_cb_{key}" in kwargs:
        kwargs[f"key_cb_{key}"](img)
    elif key == "q":
        cv2.destroyAllWindows()
    elif key == "x":
        sys.exit()
    elif key == "s":
        cv2.imwrite("out.png", img)
    elif key in "+=-":
        scale = 0.7 if key == "-" else 1.3
        resized = cv2.resize(img, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        interactive_imshow(resized, lclick_cb, rclick_cb, **kwargs)


def stack_patches(
    patch_list: Sequence[Image] | Image,
    nr_row: int,
    nr_col: int,
    border: int | None = None,
    pad: bool = False,
    bgcolor: ArrayLike = 255,
    viz: bool = False,
    lclick_cb: ClickOnPatch | None = None,
) -> NDArray[np.uint8]:
    """Put patches into a grid, row by row.

    Args:
        patch_list: at most ``nr_row * nr_col`` images (h, w) or (h, w, 1 or 3), values 0 to 255.
        nr_row: rows of the grid.
        nr_col: columns of the grid.
        border: pixels between two patches; by default a twentieth of the shorter side.
        pad: centre each patch, made 3-channel, in the largest size; else all must have one size.
        bgcolor: what is between and beside them: a number or three.
        viz: show it in a window.
        lclick_cb: called as ``f(patch, index)`` when a patch is clicked in that window.

    Returns:
        uint8 (H, W, 3), or (H, W, 1) if neither patches nor background have colour, where
        ``H = nr_row * (h + border) - border``, and W likewise.

    Raises:
        ValueError: there are no patches, too many, or their shapes do not fit.
    """
    patches = _same_size(patch_list, pad, bgcolor)
    if len(patches) > nr_row * nr_col:
        raise ValueError(f"{len(patches)} patches do not fit into a grid of {nr_row} rows x {nr_col} columns")
    border = _default_border(patches) if border is None else border
    return _draw_grid(patches, nr_row, nr_col, border, bgcolor, viz, lclick_cb, first=0)


def gen_stack_patches(
    patch_list: Sequence[Image] | Image,
    nr_row: int | None = None,
    nr_col: int | None = None,
    border: int | None = None,
    max_width: int = 1000,
    max_height: int = 1000,
    bgcolor: ArrayLike = 255,
    viz: bool = False,
    lclick_cb: ClickOnPatch | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Yield one grid after another until all patches have been in one.

    Args:
        patch_list: images of one size, as for ``stack_patches``, any number.
        nr_row: rows of a grid; by default as many as fit into ``max_height``.
        nr_col: columns of a grid; by default as many as fit into ``max_width``.
        border: see ``stack_patches``.
        max_width: pixels.
        max_height: pixels.
        bgcolor: see ``stack_patches``.
        viz: see ``stack_patches``.
        lclick_cb: see ``stack_patches``; the index is that in ``patch_list``.

    Yields:
        Grids as of ``stack_patches``, each an array of its own.

    Raises:
        ValueError: there are no patches, or their shapes do not fit.
    """
    patches = _same_size(patch_list, False, bgcolor)
    border = _default_border(patches) if border is None else border
    if nr_row is None:
        nr_row = max(1, (max_height + border) // (patches.shape[1] + border))
    if nr_col is None:
        nr_col = max(1, (max_width + border) // (patches.shape[2] + border))
    size = nr_row * nr_col
    for start in range(0, len(patches), size):
        part = patches[start : start + size]
        yield _draw_grid(part, nr_row, nr_col, border, bgcolor, viz, lclick_cb, first=start)


def _same_size(patch_list: Sequence[Image] | Image, pad: bool, bgcolor: ArrayLike) -> Image:
    """Return patches as one array (n, h, w, 1 or 3)."""
    patches = [p[:, :, None] if np.ndim(p) == 2 else np.asarray(p) for p in patch_list]
    if not patches:
        raise ValueError("expected at least one patch, got none")
    if any(p.ndim != 3 or p.shape[2] not in (1, 3) for p in patches):
        shapes = sorted({np.shape(p) for p in patch_list})
        raise ValueError(f"expected patches (h, w), (h, w, 1) or (h, w, 3), got shapes {shapes}")
    if pad:
        height, width = (max(p.shape[axis] for p in patches) for axis in (0, 1))
        patches = [_centre(p, height, width, bgcolor) for p in patches]
    if len({p.shape for p in patches}) > 1:
        raise ValueError(f"patches have shapes {sorted({p.shape for p in patches})}: pass pad=True")
    return np.stack(patches)


def _centre(patch: Image, height: int, width: int, bgcolor: ArrayLike) -> Image:
    canvas = np.empty((height, width, 3), dtype=patch.dtype)
    canvas[:] = bgcolor
    top, left = (height - patch.shape[0]) // 2, (width - patch.shape[1]) // 2
    canvas[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
    return canvas


def _default_border(patches: Image) -> int:
    return int(0.05 * min(patches.shape[1:3]))


def _draw_grid(
    patches: Image,
    nr_row: int,
    nr_col: int,
    border: int,
    bgcolor: ArrayLike,
    viz: bool,
    lclick_cb: ClickOnPatch | None,
    first: int,
) -> NDArray[np.uint8]:
    """Draw patches (n, h, w, c) into a new canvas; ``first`` is the index of the first one."""
    step_y, step_x = patches.shape[1] + border, patches.shape[2] + border
    channels = 3 if patches.shape[3] == 3 or np.size(bgcolor) == 3 else 1
    canvas = np.empty((nr_row * step_y - border, nr_col * step_x - border, channels), dtype=np.uint8)
    canvas[:] = bgcolor
    for i, patch in enumerate(patches):
        top, left = i // nr_col * step_y, i % nr_col * step_x
        canvas[top : top + patch.shape[0], left : left + patch.shape[1]] = patch

    def on_click(img: Image, x: int, y: int) -> None:
        # the window may show the canvas zoomed
        row, col = y * canvas.shape[0] // img.shape[0], x * canvas.shape[1] // img.shape[1]
        i = row // step_y * nr_col + col // step_x
        on_patch = row % step_y < patches.shape[1] and col % step_x < patches.shape[2]
        if lclick_cb is not None and on_patch and i < len(patches):
            lclick_cb(patches[i], first + i)

    if viz:
        interactive_imshow(canvas, lclick_cb=None if lclick_cb is None else on_click)
    return canvas


def dump_dataflow_images(
    df: Any,
    index: Any = 0,
    batched: bool = True,
    number: int = 1000,
    output_dir: str | None = None,
    scale: float = 1,
    resize: tuple[int, int] | None = None,
    viz: int | tuple[int, int] | None = None,
    flipRGB: bool = False,
) -> None:
    """Write or show images of a dataflow, starting it anew when it ends.

    Args:
        df: the dataflow; it is reset.
        index: which component of a datapoint is the image (or images).
        batched: whether that component is a batch of images.
        number: how many images.
        output_dir: where to write ``001.jpg``, ``002.jpg``, ...; created when missing.
        scale: factor for the values, which should become 0 to 255.
        resize: (height, width) to bring them to.
        viz: show grids of (rows, columns), or of as many rows as columns.
        flipRGB: reverse the channels (OpenCV's order is BGR).

    Raises:
        ValueError: the dataflow is empty.
    """
    cv2 = require("cv2", None)
    if output_dir is not None:
        mkdir_p(output_dir)
    grid = (viz, viz) if isinstance(viz, int) else viz
    waiting: list[Image] = []
    df.reset_state()
    for i, img in enumerate(itertools.islice(_images(df, index, batched), number), start=1):
        img = np.asarray(img) * scale
        if resize is not None:
            img = cv2.resize(img.astype(np.float32), (resize[1], resize[0]))
        if flipRGB:
            img = img[:, :, ::-1]
        img = np.clip(img, 0, 255).astype(np.uint8)
        if output_dir is not None:
            path = os.path.join(output_dir, f"{i:03d}.jpg")
            if not cv2.imwrite(path, img):
                raise OSError(f"OpenCV could not write {path!r}")
        if grid is not None:
            waiting.append(img)
            if len(waiting) == grid[0] * grid[1]:
                stack_patches(waiting, *grid, viz=True)
                waiting.clear()


def _images(df: Any, index: Any, batched: bool) -> Iterator[Image]:
    while True:
        found = False
        for dp in df:
            for img in dp[index] if batched else [dp[index]]:
                found = True
                yield img
        if not found:
            raise ValueError(f"dump_dataflow_images: no images in {df!r}")


def intensity_to_rgb(
    intensity: ArrayLike, cmap: str = "cubehelix", normalize: bool = False
) -> NDArray[np.float32]:
    """Paint a heat map.

    Args:
        intensity: (h, w), values from 0 to 1, or any if ``normalize``.
        cmap: name of a colormap of matplotlib, which this needs.
        normalize: divide by the maximum first.

    Returns:
        float32 (h, w, 3), RGB from 0 to 255.

    Raises:
        ValueError: ``intensity`` is not 2-D.
    """
    values = np.asarray(intensity, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"intensity_to_rgb: expected an array (h, w), got shape {values.shape}")
    if normalize and values.size and values.max() > 0:
        values = values / values.max()
    colors = require("matplotlib", "viz").colormaps[cmap](values)
    return np.asarray(colors[:, :, :3] * 255, dtype=np.float32)


def draw_text(
    img: Image, pos: tuple[int, int], text: str, color: tuple[int, int, int], font_scale: float = 0.4
) -> NDArray[np.uint8]:
    """Return a copy of an image with a text on a filled background.

    Args:
        img: uint8 (h, w, 3).
        pos: (x, y) of the lower left corner of the text.
        text: one line.
        color: of the background; the text is light or dark, whichever shows.
        font_scale: OpenCV's.
    """
    cv2 = require("cv2", None)
    out = np.array(img, dtype=np.uint8, copy=True)
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, height), _ = cv2.getTextSize(text, font, font_scale, 1)
    x = max(0, min(int(pos[0]), out.shape[1] - width))  # inside the image, where possible
    y = max(int(1.05 * height), int(pos[1]))
    cv2.rectangle(out, (x, y - int(1.3 * height)), (x + width, y), color, cv2.FILLED)
    bright = sum(color) > 3 * 127
    ink = (0, 0, 0) if bright else (255, 255, 255)
    cv2.putText(out, text, (x, y - int(0.2 * height)), font, font_scale, ink, lineType=cv2.LINE_AA)
    return out


def draw_boxes(
    im: Image,
    boxes: ArrayLike,
    labels: Sequence[str] | None = None,
    color: tuple[int, int, int] | None = None,
) -> NDArray[np.uint8]:
    """Return a copy of an image with boxes, larger ones first.

    Args:
        im: uint8 BGR (h, w, 3), or (h, w), which becomes BGR.
        boxes: (n, 4), rows x1 y1 x2 y2 in pixels; the far edges may lie on the image's.
        labels: a text above each box.
        color: BGR; by default a green.

    Raises:
        ValueError: a box is empty or leaves the image, or there are not as many labels as boxes.
    """
    cv2 = require("cv2", None)
    corners = np.asarray(boxes, dtype=np.int32).reshape(-1, 4)
    if labels is not None and len(labels) != len(corners):
        raise ValueError(f"draw_boxes: {len(labels)} labels for {len(corners)} boxes")
    out = np.array(im, dtype=np.uint8, copy=True)
    if out.ndim == 2 or out.shape[2] == 1:
        out = cv2.cvtColor(out, cv2.COLOR_GRAY2BGR)
    height, width = out.shape[:2]
    sizes = corners[:, 2:] - corners[:, :2]
    inside = (corners[:, :2] >= 0).all(axis=1) & (corners[:, 2:] <= (width, height)).all(axis=1)
    bad = ~(inside & (sizes > 0).all(axis=1))
    if bad.any():
        raise ValueError(
            f"draw_boxes: box {corners[bad][0].tolist()} is empty or leaves the image of {width} x {height}"
        )
    color = (15, 128, 15) if color is None else color
    for i in np.argsort(-sizes.astype(np.int64).prod(axis=1), kind="stable"):
        x1, y1, x2, y2 = corners[i].tolist()
        if labels is not None:
            out = draw_text(out, (x1, y1), labels[i], color)
        cv2.rectangle(out, (x1, y1), (x2, y2), color, thickness=1)
    return out
