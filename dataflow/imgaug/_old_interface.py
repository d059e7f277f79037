"""The interface of augmentors before transforms existed, for the subclasses that users wrote for it."""

from __future__ import annotations

import warnings
import weakref
from typing import Any, ClassVar

from .._core.describe import Described
from .transform import BaseTransform, TransformFactory

_HOOKS = ("_get_augment_params", "get_augment_params", "_augment", "_augment_coords")
_warned: weakref.WeakSet[type] = weakref.WeakSet()


class LegacyMethods(Described):
    """The methods that old subclasses override, and old callers call, instead of ``get_transform``.

    The hooks are ``_get_augment_params(img)`` or ``get_augment_params(img)``, which draw parameters of any
    kind, ``_augment(img, params)`` and ``_augment_coords(coords, params)``.
    """

    _photometric: ClassVar[bool] = False  # whether the hooks are those of ``PhotometricAugmentor``
    _inherited_transform: ClassVar[Any] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Have hooks that a class defines win over a ``get_transform`` that it inherits."""
        super().__init_subclass__(**kwargs)
        own = vars(cls)
        if "get_transform" in own or cls._photometric or not own.keys() & set(_HOOKS):
            return
        if cls.get_transform is not LegacyMethods.get_transform:
            cls._inherited_transform = cls.get_transform
            cls.get_transform = LegacyMethods.get_transform  # type: ignore[method-assign]

    def get_transform(self, img: Any) -> BaseTransform:
        """Draw random numbers and return the transform made from them.

        Subclasses override it. For a class of the old interface, its hooks are wrapped in a transform.
        """
        if not self._has_old_hooks():
            raise NotImplementedError(f"{type(self).__name__} must define get_transform(img)")
        self._warn("defines the old augmentor interface; define get_transform(img) instead")
        params = self._old_params(img)
        if isinstance(params, BaseTransform) and not hasattr(self, "_augment"):
            return params
        return TransformFactory(
            name=f"LegacyConversion -- {self!r}",
            apply_image=lambda img: self._augment(img, params),  # type: ignore[attr-defined]
            # the old interface augmented label maps as images
            apply_segmentation=lambda img: self._augment(img, params),  # type: ignore[attr-defined]
            apply_coords=lambda coords: self._old_coords(coords, params),
        )

    def augment_return_params(self, d: Any) -> tuple[Any, Any]:
        """Augment ``d``; return the result, and the parameters for ``augment_with_params``.

        Deprecated: call ``get_transform`` and ``apply_image``.
        """
        self._warn("augment_return_params is deprecated; call get_transform(img) and its apply_image(img)")
        params = self._old_params(d) if self._has_old_hooks() else self.get_transform(d)
        return self._old_augment(d, params), params

    def augment_with_params(self, d: Any, param: Any) -> Any:
        """Augment ``d`` as before. Deprecated: call ``apply_image`` of a transform."""
        self._warn("augment_with_params is deprecated; call apply_image(img) of a transform")
        return self._old_augment(d, param)

    def augment_coords(self, coords: Any, param: Any) -> Any:
        """Augment coordinates as before. Deprecated: call ``apply_coords`` of a transform."""
        self._warn("augment_coords is deprecated; call apply_coords(coords) of a transform")
        if hasattr(self, "_augment_coords"):
            return self._augment_coords(coords, param)
        return param.apply_coords(coords) if isinstance(param, BaseTransform) else coords

    def _has_old_hooks(self) -> bool:
        overridden = type(self).get_transform is not LegacyMethods.get_transform
        return not overridden and any(hasattr(self, hook) for hook in _HOOKS)

    def _old_params(self, img: Any) -> Any:
        hooks = [hook for hook in ("_get_augment_params", "get_augment_params") if hasattr(self, hook)]
        if not hooks and self._inherited_transform is not None:
            return self._inherited_transform(img)  # of a class that has transforms of its own
        params = None
        for hook in hooks:
            params = getattr(self, hook)(img)
        return params

    def _old_augment(self, img: Any, params: Any) -> Any:
        own = self._has_old_hooks() and hasattr(self, "_augment")
        if isinstance(params, BaseTransform) and not own:
            return params.apply_image(img)
        return self._augment(img, params)  # type: ignore[attr-defined]

    def _old_coords(self, coords: Any, params: Any) -> Any:
        if hasattr(self, "_augment_coords"):
            return self._augment_coords(coords, params)
        if type(self).augment_coords is not LegacyMethods.augment_coords:
            return self.augment_coords(coords, params)
        return coords

    def _warn(self, text: str) -> None:
        """Warn once for each class."""
        cls = type(self)
        if cls not in _warned:
            _warned.add(cls)
            warnings.warn(f"{cls.__module__}.{cls.__qualname__}: {text}", DeprecationWarning, stacklevel=3)
