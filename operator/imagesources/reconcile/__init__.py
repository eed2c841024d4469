"""The engine: one level-triggered function for create, update, delete, drift, retry and "now"."""

from imagesources.reconcile.engine import Engine

__all__ = ["Engine"]
