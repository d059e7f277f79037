"""Every import path that programs use: the documented modules and names, by each name of the package."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import dataflow
from dataflow import imgaug

ROOT = Path(dataflow.__file__).parents[1]
# The documented names of each module; those of the package itself are in tests/test_init.py.
NAMES = {
    "base": "DataFlow DataFlowReentrantGuard DataFlowTerminated ProxyDataFlow RNGDataFlow",
    "common": (
        "BatchData BatchDataByShape CacheData ConcatData FixedSizeData JoinData LocallyShuffleData "
        "MapData MapDataComponent PrintData RandomChooseData RandomMixData RepeatedData "
        "RepeatedDataPoint SelectComponent TestDataSpeed"
    ),
    "dataset": (
        "BSDS500 Caltech101Silhouettes Cifar10 Cifar100 CifarBase FashionMnist ILSVRC12 ILSVRC12Files "
        "ILSVRCMeta Mnist Places365Standard SVHNDigit TinyImageNet"
    ),
    "dataset.bsds500": "BSDS500",
    "dataset.caltech101": "Caltech101Silhouettes",
    "dataset.cifar": "Cifar10 Cifar100 CifarBase",
    "dataset.ilsvrc": "ILSVRC12 ILSVRC12Files ILSVRCMeta",
    "dataset.mnist": "FashionMnist Mnist",
    "dataset.places": "Places365Standard",
    "dataset.svhn": "SVHNDigit",
    "dataset.tiny_imagenet": "TinyImageNet",
    "tf_func": "TFFuncMapper tf_aug",
    "utils.compatible_serialize": "dumps loads",
    "dftools": (
        "dataflow_to_process_queue dump_dataflow_to_lmdb dump_dataflow_to_process_queue "
        "dump_dataflow_to_tfrecord"
    ),
    "format": "CaffeLMDB HDF5Data LMDBData LMDBDataDecoder LMDBDataPoint SVMLightData TFRecordData",
    # programs take the last three from here as well
    "image": (
        "AugmentImageComponent AugmentImageComponents AugmentImageCoordinates AugmentImagesTogether "
        "ImageFromFile ExceptionHandler MapDataComponent check_dtype"
    ),
    "imgaug": " ".join(imgaug.__all__),
    "imgaug.base": "Augmentor AugmentorList ImageAugmentor PhotometricAugmentor",
    "imgaug.convert": "ColorSpace Grayscale ToFloat32 ToUint8",
    "imgaug.crop": "CenterCrop GoogleNetRandomCropAndResize RandomCrop RandomCropRandomShape RandomCutout",
    "imgaug.deform": "GaussianDeform",
    "imgaug.external": "Albumentations IAAugmentor",
    "imgaug.geometry": (
        "Affine Rotation RotationAndCropValid Shift CropTransform TransformAugmentorBase WarpAffineTransform"
    ),
    "imgaug.imgproc": (
        "Brightness BrightnessScale Clip Contrast Gamma GaussianBlur Hue Lighting MeanVarianceNormalize "
        "MinMaxNormalize Saturation"
    ),
    "imgaug.meta": "Identity MapImage RandomApplyAug RandomChooseAug RandomOrderAug",
    "imgaug.misc": "Flip RandomResize Resize ResizeShortestEdge Transpose",
    "imgaug.noise": "GaussianNoise JpegNoise SaltPepperNoise",
    "imgaug.paste": "BackgroundFiller CenterPaste ConstantBackgroundFiller RandomPaste",
    "imgaug.transform": (
        "CropTransform FlipTransform ResizeTransform Transform TransformAugmentorBase TransformFactory "
        "TransformList WarpAffineTransform"
    ),
    "parallel": (
        "MultiProcessPrefetchData MultiProcessRunner MultiProcessRunnerZMQ MultiThreadPrefetchData "
        "MultiThreadRunner PrefetchData PrefetchDataZMQ PrefetchOnGPUs"
    ),
    "parallel_map": (
        "MultiProcessMapAndBatchData MultiProcessMapAndBatchDataZMQ MultiProcessMapData "
        "MultiProcessMapDataZMQ MultiThreadMapData ThreadedMapData"
    ),
    "prefetch": (
        "MultiProcessMapData MultiProcessPrefetchData MultiProcessRunner MultiProcessRunnerZMQ "
        "MultiThreadMapData MultiThreadPrefetchData MultiThreadRunner PrefetchData PrefetchDataZMQ "
        "PrefetchOnGPUs ThreadedMapData"
    ),
    "raw": "DataFromGenerator DataFromIterable DataFromList DataFromQueue FakeData",
    "remote": "RemoteData RemoteDataZMQ dump_dataflow_to_process_queue send_dataflow_zmq serve_data",
    "serialize": "HDF5Serializer LMDBSerializer NumpySerializer TFRecordSerializer",
    "utils": "change_env execute_only_once fix_rng_seed get_rng get_tqdm humanize_time_delta logger",
    "utils.argtools": "log_once map_arg memoized memoized_ignoreargs memoized_method shape2d shape4d",
    "utils.concurrency": "DIE LoopThread StoppableThread ensure_proc_terminate start_proc_mask_signal",
    "utils.develop": "deprecated log_deprecated",
    "utils.fs": "download get_dataset_path mkdir_p normpath recursive_walk",
    "utils.gpu": "get_nr_gpu get_num_gpu",
    "utils.loadcaffe": "get_caffe_pb load_caffe",
    "utils.logger": (
        "addFilter auto_set_dir critical debug error exception get_logger_dir info setLevel "
        "set_logger_dir warn warning"
    ),
    "utils.palette": "PALETTE_RGB",
    "utils.serialize": "dumps loads",
    "utils.stats": "Accuracy BinaryStatistics OnlineMoments RatioCounter StatCounter",
    "utils.timer": "IterSpeedCounter Timer timed_operation",
    "utils.utils": (
        "change_env execute_only_once fix_rng_seed get_rng get_tqdm get_tqdm_kwargs humanize_time_delta"
    ),
    "utils.viz": "interactive_imshow stack_patches",
}

pytestmark = pytest.mark.filterwarnings("ignore:the module dataflow.prefetch")


def test_each_public_module_is_in_the_table() -> None:
    """So that a new one gets its names here."""
    found = [m.name.removeprefix("dataflow.") for m in pkgutil.walk_packages(dataflow.__path__, "dataflow.")]
    public = {name for name in found if "_" not in {part[0] for part in name.split(".")}}
    assert public == {*NAMES, "dataflow"} | {n for n in public if n.startswith("dataflow.")}


@pytest.mark.parametrize("module", NAMES)
def test_a_documented_module_and_its_names(module: str) -> None:
    found = importlib.import_module(f"dataflow.{module}")
    assert found.__name__.removeprefix("dataflow._compat.old_modules.") in (module, f"dataflow.{module}")
    assert [name for name in NAMES[module].split() if not hasattr(found, name)] == []
    assert [name for name in getattr(found, "__all__", ()) if not hasattr(found, name)] == []


@pytest.mark.parametrize("module", NAMES)
def test_a_module_by_the_install_path_of_the_original(module: str) -> None:
    there = importlib.import_module(f"dataflow.dataflow.{module}")
    assert there is importlib.import_module(f"dataflow.{module}")


def test_all_modules_by_the_name_of_tensorpack() -> None:
    code = """
import importlib, sys
import dataflow
dataflow.install_as_tensorpack()
for name in sys.argv[1:]:
    there = [f"tensorpack.dataflow.{name}"]
    if name.partition(".")[0] == "utils":
        there.append(f"tensorpack.{name}")
    here = importlib.import_module(f"dataflow.{name}")
    for path in there:
        module = importlib.import_module(path)
        assert module is here, path
        assert module.__name__ == module.__spec__.name == f"dataflow.{name}", module.__name__
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *NAMES],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert done.returncode == 0 and not done.stdout + done.stderr, done.stderr
