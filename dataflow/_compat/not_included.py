"""The part of tensorpack that is not here: names that say so when they are used.

This module uses nothing of the library.
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["NAMES", "NotIncluded", "why_not"]

_NAMES = """
AccumGradOptimizer AutoResumeTrainConfig AvgPooling BNReLU BatchNorm BatchQueueInput Callback Callbacks
ClassificationError ClassificationErrorRate Conv2D Conv2DTranspose DEFAULT_CALLBACKS DEFAULT_MONITORS
DataParallelInferenceRunner Deconv2D Dropout DumpParamAsImage DumpTensors EnqueueInput EstimatedTimeLeft
FeedInput FeedfreePredictor FixedUnPooling FullyConnected GPUMemoryTracker GPUUtilizationTracker
GlobalAvgPooling GraphProfiler GraphVarParam HorovodTrainer HostMemoryTracker HumanHyperParamSetter
HyperParam HyperParamSetter HyperParamSetterWithFunc ImageSample InferenceRunner Inferencer InputDesc
InputSource InstanceNorm JSONWriter LayerNorm LeakyReLU LinearWrap Loss MaxPooling MaxSaver
MergeAllSummaries MinSaver ModelDesc ModelDescBase ModelExporter ModelSaver MovingAverageSummary
MultiGPUTrainer MultiThreadAsyncPredictor NewSessionCreator ObjAttrParam OfflinePredictor
OnlinePredictor PReLU PeakMemoryTracker PeriodicCallback PeriodicRunHooks PeriodicTrigger
PlaceholderInput PredictConfig ProgressBar QueueInput ReuseSessionCreator RunOp RunUpdateOps
SaverRestore SaverRestoreRelaxed ScalarPrinter ScalarStats ScheduledHyperParamSetter SendMonitorData
SendStat SessionInit SessionRunTimeout SessionUpdate SimpleDatasetPredictor SimpleTrainer
SingleCostTrainer SmartInit SoftMax SparseLabelToDense StagingInput StartProcOrThread
StatMonitorParamSetter StatPrinter SyncMultiGPUTrainer SyncMultiGPUTrainerParameterServer
SyncMultiGPUTrainerReplicated TFDatasetInput TFEventWriter TFLocalCLIArgsSetter TensorInput
TensorPrinter ThrowExceptionWhenError TowerContext TowerTrainer TrainConfig TrainLoop Trainer
TrainingMonitor TransformFlowOutput ZMQInput add_moving_summary add_param_summary apply_default_prefetch
apply_grad_processors argscope auto_reuse_variable_scope batch_norm callbacks dump_chkpt_vars
get_arg_scope get_checkpoint_path get_current_tower_context get_default_sess_config get_global_step_var
get_model_loader get_nr_gpu_for_training graph_builder input_source l2_regularizer
launch_train_with_config layer_register load_chkpt_vars models monitor optimizer predict regularize_cost
regularize_cost_from_collection save_chkpt_vars summary tfutils tfv1 train
"""
NAMES = frozenset(_NAMES.split())
"""Names that scripts use after ``from tensorpack import *``."""


def why_not(name: str) -> str:
    """Return why tensorpack has no ``name`` here, and what to do."""
    return (
        f"tensorpack.{name} is not included: what is called tensorpack here is the library dataflow, which "
        "has the data loading of tensorpack and nothing that needs TensorFlow. Install the real tensorpack "
        "for models and training, or use only the dataflow in your own training loop"
    )


class NotIncluded:
    """Stands for a name that is not included, and raises ``ImportError`` whatever is done with it.

    Args:
        name: the name.
    """

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ImportError(why_not(self.__dict__["_name"]))

    def __getattr__(self, name: str) -> NoReturn:
        """Raise; ``AttributeError`` where Python itself asks."""
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse()

    def __repr__(self) -> str:
        """Return that it is not included."""
        return f"<tensorpack.{self.__dict__['_name']}, which is not included>"

    # __mro_entries__: as a base class
    __call__ = __mro_entries__ = __getitem__ = __enter__ = __instancecheck__ = __subclasscheck__ = _refuse
