"""Files as Keras writes them: `python make_keras.py`, with tensorflow, keras and tf2onnx installed."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers as L

HERE = Path(__file__).parent
keras.utils.set_random_seed(0)


def save(name: str, model: Any, x: Any) -> None:
    """With arrays that are none of those that leave everything as it is."""
    for layer in model.layers:
        if isinstance(layer, L.BatchNormalization | L.LayerNormalization):
            layer.set_weights([np.random.rand(*w.shape) + 0.5 for w in layer.get_weights()])
        if isinstance(layer, L.Dense):
            W, b = layer.get_weights()
            layer.set_weights([W, 0.3 * np.random.randn(*b.shape)])
    np.savez(HERE / f"keras-{name}.npz", x=x, y=model.predict(x, verbose=0))
    model.export(HERE / f"keras-{name}.onnx", format="onnx", verbose=False)


x = np.random.randn(3, 4).astype(np.float32)
mlp = [
    L.Dense(6), L.BatchNormalization(), L.ReLU(), L.Dropout(0.3), L.Dense(5, activation="tanh"),
    L.LayerNormalization(), L.Dense(3, activation="softmax"),
]  # fmt: skip
save("mlp", keras.Sequential([keras.Input((4,), name="x"), *mlp]), x)
kinds = ("sigmoid", "elu", "selu", "silu", "softplus", "leaky_relu", "mish")
layers = [L.Dense(5, activation=kind) for kind in kinds]
save("activations", keras.Sequential([keras.Input((4,), name="x"), *layers, L.Dense(2)]), x)
layers = [L.Embedding(6, 3), L.Flatten(), L.Dense(2)]
ids = keras.Input((2,), dtype="int32", name="ids")
save("embedding", keras.Sequential([ids, *layers]), np.array([[0, 1], [2, 5]]))
entry = keras.Input((4,), name="x")
h = L.Add()([L.Dense(4, activation="relu")(entry), entry])
save("skip", keras.Model(entry, L.Dense(3)(L.Concatenate()([h, entry]))), x)
