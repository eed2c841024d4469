"""Finds, builds and starts a Kubernetes control plane for the demo and the tests; the operator never uses it."""

from imagesources.controlplane.build import ControlPlaneError, Recipe, Say, built
from imagesources.controlplane.cluster import Cluster
from imagesources.controlplane.find import find, find_programs
from imagesources.controlplane.local import OPERATOR, ControlPlane, Programs
from imagesources.controlplane.ports import free_ports
from imagesources.controlplane.processes import Process

__all__ = [
    "OPERATOR",
    "Cluster",
    "ControlPlane",
    "ControlPlaneError",
    "Process",
    "Programs",
    "Recipe",
    "Say",
    "built",
    "find",
    "find_programs",
    "free_ports",
]
