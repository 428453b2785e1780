"""Files as PyTorch writes them: `python make_torch.py`, with torch, onnx and onnxscript installed."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

HERE = Path(__file__).parent
torch.manual_seed(0)


class Skip(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 3, bias=False)

    def forward(self, x: Any) -> Any:
        h = torch.relu(self.a(x)) + x
        return self.b(torch.cat([h, x], 1)[:, :4])


class Ids(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.e, self.l = nn.Embedding(6, 3), nn.Linear(6, 2)

    def forward(self, ids: Any) -> Any:
        return self.l(self.e(ids).flatten(1))


def filled(network: Any) -> Any:
    """Norms whose numbers are none that leave everything as it is."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
        if isinstance(part, nn.BatchNorm1d | nn.LayerNorm):
            nn.init.normal_(part.weight, 1, 0.3)
            nn.init.normal_(part.bias)
    return network.eval()


ACTIVATIONS = [
    nn.Tanh(), nn.Sigmoid(), nn.LeakyReLU(0.2), nn.ELU(0.7), nn.SELU(), nn.SiLU(), nn.Mish(),
    nn.Softplus(), nn.GELU(approximate="tanh"), nn.Hardtanh(),
]  # fmt: skip
NETWORKS = {
    "mlp": (
        nn.Sequential(
            nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 5),
            nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 3), nn.Softmax(-1),
        ),
        torch.randn(2, 4),
    ),
    "activations": (
        nn.Sequential(
            nn.Linear(4, 5), *(p for a in ACTIVATIONS for p in (a, nn.Linear(5, 5)))
        ),
        torch.randn(2, 4),
    ),
    "skip": (Skip(), torch.randn(2, 4)),
    "embedding": (Ids(), torch.tensor([[0, 1], [2, 5]])),
    "pictures": (
        nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2)),
        torch.randn(2, 1, 3, 4),
    ),
}  # fmt: skip

for name, (network, x) in NETWORKS.items():
    network = filled(network)
    np.savez(HERE / f"torch-{name}.npz", x=x.numpy(), y=network(x).detach().numpy())
    names = {"input_names": ["x"], "output_names": ["y"]}
    axes = {"x": {0: "N"}, "y": {0: "N"}}
    for opset in (17, 13) if name == "mlp" else (17,):  # before 17, LayerNorm is in pieces
        file = HERE / f"torch-{name}-script{'' if opset == 17 else opset}.onnx"
        torch.onnx.export(
            network, (x,), file, dynamic_axes=axes, opset_version=opset, dynamo=False, **names
        )
    if name in ("mlp", "skip", "embedding"):  # the others say nothing new, in larger files
        shapes = ({0: torch.export.Dim("N")},)
        file = HERE / f"torch-{name}-dynamo.onnx"
        torch.onnx.export(
            network, (x,), file, dynamic_shapes=shapes, dynamo=True, external_data=False, **names
        )
        model = onnx.load(file)
        for node in model.graph.node:  # where in these lines it comes from: a path of the machine
            kept = [p for p in node.metadata_props if "stack_trace" not in p.key]
            del node.metadata_props[:]
            node.metadata_props.extend(kept)
        onnx.save(model, file)
