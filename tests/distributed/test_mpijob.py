"""The MPIJob of docs/clusters: what the operator asks of it, and that its files fit together.

There is no cluster here: whether the whole of it fits the schema, the operator says.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.distributed.launching import ROOT

yaml = pytest.importorskip("yaml")

FOLDER = ROOT / "docs" / "clusters"


@pytest.fixture(scope="module")
def spec() -> Any:
    job = yaml.safe_load((FOLDER / "mpijob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v2beta1", "MPIJob")
    assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", job["metadata"]["name"])
    return job["spec"]


def pod(spec: Any, kind: str) -> Any:
    return spec["mpiReplicaSpecs"][kind]["template"]["spec"]


def words(spec: Any, kind: str) -> list[str]:
    """What the one container of a pod runs."""
    (container,) = pod(spec, kind)["containers"]
    return [*container["command"], *container.get("args", [])]


def test_what_the_operator_allows(spec: Any) -> None:
    assert set(spec) <= {
        "slotsPerWorker", "runLauncherAsWorker", "runPolicy", "mpiReplicaSpecs",
        "sshAuthMountPath", "launcherCreationPolicy", "mpiImplementation",
    }  # fmt: skip
    assert spec["launcherCreationPolicy"] in ("AtStartup", "WaitForWorkersReady")
    assert spec["runPolicy"]["cleanPodPolicy"] in ("None", "Running", "All")
    assert set(spec["mpiReplicaSpecs"]) == {"Launcher", "Worker"}
    assert spec["mpiReplicaSpecs"]["Launcher"]["replicas"] == 1
    for each in spec["mpiReplicaSpecs"].values():
        assert set(each) == {"replicas", "restartPolicy", "template"}
        assert each["restartPolicy"] == "OnFailure"  # of a launcher and of workers that are lost


def test_as_many_ranks_as_places_and_all_of_them_in_the_workers(spec: Any) -> None:
    line = words(spec, "Launcher")
    places = spec["slotsPerWorker"] * spec["mpiReplicaSpecs"]["Worker"]["replicas"]
    assert int(line[line.index("-n") + 1]) == places
    assert line[line.index("--hostfile") + 1] == "/etc/mpi/hostfile"  # where the operator has it
    (worker,) = pod(spec, "Worker")["containers"]
    assert int(worker["resources"]["limits"]["cpu"]) == spec["slotsPerWorker"]


def test_the_checkpoints_are_in_a_folder_of_all_workers(spec: Any) -> None:
    line = words(spec, "Launcher")
    assert line[line.index("train.py") :][:3] == ["train.py", "--ranks", "/runs/digits"]
    (worker,) = pod(spec, "Worker")["containers"]
    (mounted,) = worker["volumeMounts"]
    (volume,) = pod(spec, "Worker")["volumes"]
    assert mounted == {"name": volume["name"], "mountPath": "/runs"}


def test_the_image_fits_the_pods(spec: Any) -> None:
    image = (FOLDER / "Dockerfile").read_text()
    for name, to in re.findall(r"^COPY (\S+) (\S+)$", image, re.MULTILINE):
        assert (FOLDER / name).exists(), to
    user = re.findall(r"useradd --create-home --uid (\d+) (\w+)", image)
    assert user == [(str(pod(spec, "Worker")["securityContext"]["runAsUser"]), "ranks")]
    assert pod(spec, "Launcher")["securityContext"] == pod(spec, "Worker")["securityContext"]
    server = dict(re.findall(r"^(\w+) (.*)$", (FOLDER / "sshd_config").read_text(), re.MULTILINE))
    client = dict(re.findall(r"^ +(\w+) (.*)$", (FOLDER / "ssh_config").read_text(), re.MULTILINE))
    assert server["HostKey"] == f"{spec['sshAuthMountPath']}/id_rsa"
    (worker,) = pod(spec, "Worker")["containers"]
    ports = server["Port"], client["Port"], str(worker["readinessProbe"]["tcpSocket"]["port"])
    assert set(ports) == {"2222"}
    assert worker["command"][-1] in image
