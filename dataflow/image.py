"""Read image files, and augment images in datapoints with their coordinates, boxes and label maps."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._compat.old_names import old_names
from ._core.describe import type_in_words
from ._core.optional import require
from ._flows.map import OnComponent
from ._images.decode import decode_image, image_shape
from .base import ProxyDataFlow, RNGDataFlow
from .common import MapData, MapDataComponent
from .imgaug import AugmentorList, ImageAugmentor
from .imgaug.base import check_dtype
from .utils import logger
from .utils.argtools import shape2d

__all__ = [
    "AugmentImageComponent",
    "AugmentImageComponents",
    "AugmentImageCoordinates",
    "ExceptionHandler",
    "ImageFromFile",
    "MapDataComponent",
    "check_dtype",
    "decode_image",
    "image_shape",
]

__getattr__ = old_names(__name__)


class ImageFromFile(RNGDataFlow[list[Any]]):
    """Read images from files. Each datapoint is ``[image]``: h x w x channels, uint8, in RGB.

    OpenCV itself, and the datasets of this package, use BGR.

    Args:
        files: paths of image files.
        channel: 3 to read in colour (a gray image gets three equal channels); 1 to read in gray.
        resize: resize to (h, w), or to a square of this size.
        shuffle: whether each pass has a new random order. The list itself keeps its order.

    Raises:
        TypeError: ``files`` is a single path, or has an item that is no path.
        ValueError: there are no files, ``channel`` is neither 1 nor 3, or ``resize`` is less than 1; while
            iterating: a file holds no image.
        OSError: while iterating: a file can't be read; ``FileNotFoundError`` if there is none.
    """

    def __init__(
        self,
        files: Sequence[str | os.PathLike[str]],
        channel: int = 3,
        resize: int | Sequence[int] | None = None,
        shuffle: bool = False,
    ) -> None:
        if isinstance(files, str | bytes | os.PathLike):
            raise TypeError(f"ImageFromFile: expected a list of paths, got {files!r}")
        self.files = list(files)
        for file in self.files:
            if not isinstance(file, str | bytes | os.PathLike):  # open() takes a number for a descriptor
                raise TypeError(f"ImageFromFile: expected a list of paths, got the item {file!r}")
        if not self.files:
            raise ValueError("ImageFromFile: got an empty list of files")
        if channel not in (1, 3):
            raise ValueError(f"ImageFromFile: channel: expected 1 or 3, got {channel!r}")
        self.channel, self.shuffle = int(channel), shuffle
        self.imread_mode = 1 if channel == 3 else 0  # cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE
        self.resize = None if resize is None else tuple(shape2d(resize))
        if self.resize is not None and min(self.resize) < 1:
            raise ValueError(f"ImageFromFile: resize: expected at least 1 x 1, got {resize!r}")

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.files)

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield the images."""
        order = np.arange(len(self.files))
        if self.shuffle:
            self.rng.shuffle(order)
        for k in order:
            yield [self._read(self.files[k])]

    def _read(self, path: str | os.PathLike[str]) -> NDArray[np.uint8]:
        cv2 = require("cv2", None)
        with open(path, "rb") as file:
            encoded = np.frombuffer(file.read(), dtype=np.uint8)
        # read here, decode with OpenCV: cv2.imread does not say why it failed
        img = cv2.imdecode(encoded, self.imread_mode) if encoded.size else None
        if img is None:
            raise ValueError(f"ImageFromFile: {os.fspath(path)!r} holds no image that OpenCV can read")
        if self.channel == 3 and img.ndim == 3:  # a program may have set another imread_mode
            img = cv2.cvtColor(img, cv2.COLOR_BGR2RGB, dst=img) if img.shape[2] == 3 else img[:, :, ::-1]
        if self.resize is not None:
            h, w = self.resize
            img = cv2.resize(img, (w, h))
        return img if img.ndim == 3 else img[:, :, np.newaxis]  # type: ignore[no-any-return]


class ExceptionHandler:
    """Catches exceptions if asked to, counts them, and logs the 101st and then every 100th.

    Args:
        catch_exceptions: whether to catch exceptions. If not, they pass.
    """

    def __init__(self, catch_exceptions: bool = False) -> None:
        self.catch_exceptions, self.count = catch_exceptions, 0

    @contextlib.contextmanager
    def catch(self) -> Iterator[None]:
        """Return a context manager for the code that may raise."""
        try:
            yield
        except Exception:
            if not self.catch_exceptions:
                raise
            self.count += 1
            if self.count > 100 and self.count % 100 == 1:
                logger.exception(
                    f"Got {self.count} exceptions so far, whose datapoints are dropped; the last:"
                )


class _Augmenting:
    """Base class of the dataflows that apply augmentors.

    Their ``func`` is a method. As an attribute it would refer back to its dataflow, and the workers below a
    dropped dataflow would live until the garbage collector runs.
    """

    def _set_up(self, augmentors: Any, copy: bool, catch_exceptions: bool) -> None:
        if isinstance(augmentors, list | tuple):
            augmentors = AugmentorList(augmentors)
        elif not isinstance(augmentors, AugmentorList):
            augmentors = AugmentorList([augmentors])
        self.augs: AugmentorList = augmentors
        self.copy, self.catch_exceptions = copy, catch_exceptions
        self.exception_handler = ExceptionHandler(catch_exceptions)

    @property
    def augmentors(self) -> AugmentorList:
        """The augmentors, under the name of the argument."""
        return self.augs

    def _image(self, img: Any) -> NDArray[Any]:
        """Return the image, or a copy of it, checked."""
        check_dtype(img)
        return img.copy() if self.copy else img  # type: ignore[no-any-return]


class AugmentImageComponent(_Augmenting, MapDataComponent):
    """Apply image augmentors to one component of each datapoint.

    >>> from dataflow import FakeData, imgaug
    >>> df = FakeData([[8, 8, 3], []], 2, dtype="uint8")
    >>> df = AugmentImageComponent(df, [imgaug.Resize((4, 6)), imgaug.Flip(horiz=True)])
    >>> [dp[0].shape for dp in df]
    [(4, 6, 3), (4, 6, 3)]

    Args:
        ds: the dataflow, which yields lists, tuples or dicts.
        augmentors: a list of augmentors to be applied in order, an ``AugmentorList``, or one augmentor.
        index: position or key of the image.
        copy: whether to copy the image first. No augmentor of this package modifies its input, but your
            functions may. Turn it off to save time if nothing modifies its input.
        catch_exceptions: drop the datapoints that can't be augmented, and warn only when there are more than
            100, and then at every 100th. Meant for occasional errors in the data.
    """

    def __init__(
        self,
        ds: Iterable[Any],
        augmentors: AugmentorList | Sequence[ImageAugmentor] | ImageAugmentor,
        index: Any = 0,
        copy: bool = True,
        catch_exceptions: bool = False,
    ) -> None:
        self._set_up(augmentors, copy, catch_exceptions)
        ProxyDataFlow.__init__(self, ds)  # func is a method here
        self.index = index

    def reset_state(self) -> None:
        """Reset the source, then the augmentors."""
        super().reset_state()
        self.augs.reset_state()

    def func(self, dp: Any) -> Any:
        """Return the datapoint with the image augmented, or None to drop it."""
        return OnComponent(self._aug_mapper, self.index)(dp)

    def _aug_mapper(self, x: Any) -> Any:
        """Return the image augmented, or None to drop the datapoint. Subclasses override it."""
        with self.exception_handler.catch():
            return self.augs.augment(self._image(x))
        return None


class _AugmentTogether(_Augmenting, MapData):
    """Augments several components of each datapoint with the same random numbers.

    Args:
        ds: the dataflow.
        augmentors: as given by the user.
        images: positions or keys of the images. The random numbers are drawn for the first image.
        points: positions or keys of the coordinates.
        labels: positions or keys of the label maps.
        boxes: positions or keys of the boxes.
        copy: whether to copy these components first.
        catch_exceptions: drop the datapoints that can't be augmented.
    """

    def __init__(
        self,
        ds: Iterable[Any],
        augmentors: Any,
        *,
        images: Sequence[Any],
        points: Sequence[Any] = (),
        labels: Sequence[Any] = (),
        boxes: Sequence[Any] = (),
        copy: bool,
        catch_exceptions: bool,
    ) -> None:
        self._images, self._points, self._labels, self._boxes = images, points, labels, boxes
        self._set_up(augmentors, copy, catch_exceptions)
        ProxyDataFlow.__init__(self, ds)  # func is a method here

    def reset_state(self) -> None:
        """Reset the source, then the augmentors."""
        super().reset_state()
        self.augs.reset_state()

    def func(self, dp: Any) -> Any:
        """Return the datapoint augmented, or None to drop it."""
        return self._aug_mapper(dp)

    def _aug_mapper(self, dp: Any) -> Any:
        """Return the datapoint augmented, or None to drop it. Subclasses override it."""
        with self.exception_handler.catch():
            if isinstance(dp, tuple):
                dp = list(dp)
            main, *others = self._images
            img = self._image(dp[main])
            transform = self.augs.get_transform(img)
            dp[main] = transform.apply_image(img)  # first: this settles the transform
            for k in others:
                img = self._image(dp[k])
                is_image = img.dtype == np.uint8 or img.dtype.kind == "f"
                dp[k] = transform.apply_image(img) if is_image else transform.apply_segmentation(img)
            for k in self._labels:
                dp[k] = transform.apply_segmentation(self._image(dp[k]))
            for k in self._points:
                dp[k] = transform.apply_coords(self._rows(dp[k], 2))
            for k in self._boxes:
                dp[k] = transform.apply_box(self._rows(dp[k], 4))
            return dp
        return None

    def _rows(self, rows: Any, width: int) -> NDArray[Any]:
        """Return the coordinates or boxes, or a copy of them, checked."""
        if not isinstance(rows, np.ndarray) or rows.dtype.kind != "f":
            got = rows.dtype if isinstance(rows, np.ndarray) else type_in_words(rows)
            raise TypeError(f"{type(self).__name__}: expected a floating-point N x {width} array, got {got}")
        if rows.ndim != 2 or rows.shape[1] != width:
            raise ValueError(f"{type(self).__name__}: expected an N x {width} array, got shape {rows.shape}")
        return rows.copy() if self.copy else rows


def _positions(index: Iterable[Any]) -> Sequence[Any]:
    """Return positions or keys as a list, or as they are if they are a list or tuple."""
    if isinstance(index, str | bytes) or not isinstance(index, Iterable):
        raise TypeError(f"AugmentImageComponents: expected a list of positions or keys, got {index!r}")
    return index if isinstance(index, list | tuple) else list(index)


class AugmentImageComponents(_AugmentTogether):
    """Apply image augmentors to several components of each datapoint, with the same random numbers.

    ::

        ds = MyDataFlow()  # yields [image (HWC), another image of its size, label map (HW), points (N x 2)]
        ds = AugmentImageComponents(ds, augs, index=(0, 1), coords_index=(3,), segmentation_index=(2,))

    The random numbers are drawn for the first image of ``index``. The other components of ``index`` are
    augmented as images too. Only arrays of bools, or of integers other than uint8, are treated as label
    maps, because they can't be images. Name label maps of uint8 in ``segmentation_index``.

    Args:
        ds: the dataflow, which yields lists, tuples or dicts.
        augmentors: a list of augmentors to be applied in order, an ``AugmentorList``, or one augmentor.
        index: positions or keys of the images.
        coords_index: positions or keys of coordinates: N x 2 floating-point arrays with rows (x, y).
        copy: whether to copy images and coordinates first. No augmentor of this package modifies its input,
            but your functions may. Turn it off to save time if nothing modifies its input.
        catch_exceptions: drop the datapoints that can't be augmented, and warn only when there are more than
            100, and then at every 100th.
        segmentation_index: positions or keys of label maps. Their values are moved, never mixed or changed.
        box_index: positions or keys of boxes: N x 4 floating-point arrays with rows (x0, y0, x1, y1).

    Raises:
        TypeError: an index is not a list or tuple.
        ValueError: ``index`` is empty.
    """

    def __init__(
        self,
        ds: Iterable[Any],
        augmentors: AugmentorList | Sequence[ImageAugmentor] | ImageAugmentor,
        index: Iterable[Any] = (0, 1),
        coords_index: Iterable[Any] = (),
        copy: bool = True,
        catch_exceptions: bool = False,
        *,
        segmentation_index: Iterable[Any] = (),
        box_index: Iterable[Any] = (),
    ) -> None:
        index, coords_index, segmentation_index, box_index = map(
            _positions, (index, coords_index, segmentation_index, box_index)
        )
        if not index:
            raise ValueError("AugmentImageComponents: expected at least one image in index")
        self.index, self.coords_index = index, coords_index
        self.segmentation_index, self.box_index = segmentation_index, box_index
        super().__init__(
            ds,
            augmentors,
            images=index,
            points=coords_index,
            labels=segmentation_index,
            boxes=box_index,
            copy=copy,
            catch_exceptions=catch_exceptions,
        )


class AugmentImageCoordinates(_AugmentTogether):
    """Apply image augmentors to an image and to coordinates in it, with the same random numbers.

    Args:
        ds: the dataflow, which yields lists, tuples or dicts.
        augmentors: a list of augmentors to be applied in order, an ``AugmentorList``, or one augmentor.
        img_index: position or key of the image.
        coords_index: position or key of the coordinates: an N x 2 floating-point array with rows (x, y).
        copy: whether to copy both first. No augmentor of this package modifies its input, but your functions
            may. Turn it off to save time if nothing modifies its input.
        catch_exceptions: drop the datapoints that can't be augmented, and warn only when there are more than
            100, and then at every 100th.
    """

    def __init__(
        self,
        ds: Iterable[Any],
        augmentors: AugmentorList | Sequence[ImageAugmentor] | ImageAugmentor,
        img_index: Any = 0,
        coords_index: Any = 1,
        copy: bool = True,
        catch_exceptions: bool = False,
    ) -> None:
        self.img_index, self.coords_index = img_index, coords_index
        super().__init__(
            ds,
            augmentors,
            images=(img_index,),
            points=(coords_index,),
            copy=copy,
            catch_exceptions=catch_exceptions,
        )
