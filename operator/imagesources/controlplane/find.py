"""Where a control plane comes from: one that the user names, programs at hand, kind, or our own build."""

import os
import shutil
from pathlib import Path

from imagesources.controlplane.build import ControlPlaneError, Say, built, kubernetes_version
from imagesources.controlplane.cluster import apiserver_minor, kubectl_for, kubectl_on_path
from imagesources.controlplane.foreign import Kind, Named, kind_at_hand
from imagesources.controlplane.local import Programs


def find(say: Say, kubeconfig: Path | None = None) -> Named | Programs | Kind:
    """Finds a control plane for the demo; each kind of answer has ``origin`` and ``cluster(folder)``.

    In this order: the kubeconfig given here (never the user's current context), ``KUBEBUILDER_ASSETS`` or programs
    on PATH, kind where Docker runs, our own build. A kubectl that fits is found or built with it: what comes after
    takes seconds.

    Raises:
        ControlPlaneError: The kubeconfig or the assets are not there, or a build fails.
    """
    if kubeconfig is not None:
        path = kubeconfig.expanduser().absolute()
        if not path.is_file():
            raise ControlPlaneError(f"There is no kubeconfig {path}.")
        return Named(path, kubectl_for(path, say))
    if (at_hand := programs_at_hand(say)) is not None:
        return at_hand
    return kind_at_hand(say) or _built_programs(say)


def find_programs(say: Say) -> Programs:
    """Finds programs for a control plane of one's own, whose audit log can be read: what the tests need.

    Raises:
        ControlPlaneError: The assets are not there, or a build fails.
    """
    return programs_at_hand(say) or _built_programs(say)


def programs_at_hand(say: Say) -> Programs | None:
    """The programs in ``KUBEBUILDER_ASSETS``, else on PATH; a kubectl that is missing or too old is built.

    Raises:
        ControlPlaneError: ``KUBEBUILDER_ASSETS`` names a folder without etcd or kube-apiserver.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    etcd, apiserver = (shutil.which(name, path=assets) for name in ("etcd", "kube-apiserver"))
    if etcd is None or apiserver is None:
        if assets:
            raise ControlPlaneError(f"KUBEBUILDER_ASSETS={assets} lacks etcd or kube-apiserver; unset or fix it.")
        return None
    beside = Path(apiserver).with_name("kubectl")
    kubectl = beside if beside.is_file() else kubectl_on_path(apiserver_minor(apiserver)) or built(say) / "kubectl"
    return Programs(Path(etcd), Path(apiserver), kubectl, "KUBEBUILDER_ASSETS" if assets else "PATH")


def _built_programs(say: Say) -> Programs:
    folder = built(say)
    origin = f"a build of {kubernetes_version()} in {folder}"
    return Programs(folder / "etcd", folder / "kube-apiserver", folder / "kubectl", origin)
