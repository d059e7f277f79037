"""What the package exports, and what it loads."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

from dataflow import imgaug

# name -> arguments with their defaults, as documented
SIGNATURES = {
    "Affine": (
        "scale=None, translate_frac=None, rotate_max_deg=0.0, shear=0.0, interp=1, border=1, border_value=0"
    ),
    "Albumentations": "augmentor",
    "Augmentor": "",
    "AugmentorList": "augmentors",
    "BackgroundFiller": "*args, **kwargs",
    "Brightness": "delta, clip=True",
    "BrightnessScale": "range, clip=True",
    "CenterCrop": "crop_shape",
    "CenterPaste": "background_shape, background_filler=None",
    "Clip": "min=0, max=255",
    "ColorSpace": "mode, keepdims=True",
    "ConstantBackgroundFiller": "value",
    "Contrast": "factor_range, rgb=None, clip=True",
    "CropTransform": "y0, x0, h, w",
    "Flip": "horiz=False, vert=False, prob=0.5",
    "FlipTransform": "h, w, horiz=True",
    "Gamma": "range=(-0.5, 0.5)",
    "GaussianBlur": "size_range=(0, 3), sigma_range=(0, 0), symmetric=True, max_size=None",
    "GaussianNoise": "sigma=1, clip=True",
    "GoogleNetRandomCropAndResize": (
        "crop_area_fraction=(0.08, 1.0), aspect_ratio_range=(0.75, 1.333), target_shape=224, interp=1"
    ),
    "Grayscale": "keepdims=True, rgb=False, keepshape=False",
    "Hue": "range=(0, 180), rgb=True",
    "IAAugmentor": "augmentor",
    "Identity": "",
    "ImageAugmentor": "",
    "JpegNoise": "quality_range=(40, 100)",
    "Lighting": "std, eigval, eigvec, clip=True",
    "MapImage": "func, coord_func=None",
    "MeanVarianceNormalize": "all_channel=True",
    "MinMaxNormalize": "min=0, max=255, all_channel=True",
    "PhotometricAugmentor": "",
    "RandomApplyAug": "aug, prob",
    "RandomChooseAug": "aug_lists",
    "RandomCrop": "crop_shape",
    "RandomCropRandomShape": "wmin, hmin, wmax=None, hmax=None, max_aspect_ratio=None",
    "RandomCutout": "h_range, w_range, fill=0.0",
    "RandomOrderAug": "aug_lists",
    "RandomPaste": "background_shape, background_filler=None",
    "RandomResize": "xrange, yrange=None, minimum=(0, 0), aspect_ratio_thres=0.15, interp=1",
    "Resize": "shape, interp=1",
    "ResizeShortestEdge": "size, interp=1",
    "ResizeTransform": "h, w, new_h, new_w, interp",
    "Rotation": "max_deg, center_range=(0, 1), interp=1, border=1, step_deg=None, border_value=0",
    "RotationAndCropValid": "max_deg, interp=1, step_deg=None",
    "SaltPepperNoise": "white_prob=0.05, black_prob=0.05",
    "Saturation": "alpha=0.4, rgb=True, clip=True",
    "Shift": "horiz_frac=0, vert_frac=0, border=1, border_value=0",
    "ToFloat32": "",
    "ToUint8": "",
    "Transform": "",
    "TransformFactory": "name=None, **apply_xxx",
    "TransformList": "tfms",
    "Transpose": "prob=0.5",
}


def test_exported_names() -> None:
    assert imgaug.__all__ == sorted(SIGNATURES)
    assert len(imgaug.__all__) == 53
    assert imgaug.Augmentor is imgaug.ImageAugmentor


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    cls = getattr(imgaug, name)
    if sys.version_info < (3, 11) and "__init__" not in vars(cls):
        pytest.skip("this Python shows the arguments of an inherited __new__")
    parameters = inspect.signature(cls).parameters.values()
    assert ", ".join(str(p.replace(annotation=p.empty)) for p in parameters) == SIGNATURES[name]


MODULES = "base convert crop deform external geometry imgproc meta misc noise paste transform"


@pytest.mark.parametrize("module", MODULES.split())
def test_modules(module: str) -> None:
    assert importlib.import_module(f"dataflow.imgaug.{module}").__doc__


def run(code: str) -> str:
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert not process.stderr
    return process.stdout


def test_opencv_is_loaded_at_first_use() -> None:
    run(
        "import sys, numpy as np; from dataflow import imgaug, image; assert 'cv2' not in sys.modules\n"
        "a = imgaug.AugmentorList([imgaug.Resize(5), imgaug.Rotation(3)]); assert 'cv2' not in sys.modules\n"
        "a.augment(np.zeros((4, 4), np.uint8)); assert 'cv2' in sys.modules"
    )


def test_without_opencv_the_error_says_what_to_install() -> None:
    out = run(
        "import sys; sys.modules['cv2'] = None\n"
        "import numpy as np; from dataflow import imgaug\n"
        "print(imgaug.CenterCrop(2).augment(np.zeros((4, 4))).shape)\n"
        "try: imgaug.Resize(5).augment(np.zeros((4, 4)))\n"
        "except ImportError as e: print(e)"
    )
    assert out.startswith("(2, 2)\n")
    assert "pip install opencv-python-headless" in out
