"""Files as skl2onnx writes them: `python make_sklearn.py`, with scikit-learn and skl2onnx installed."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent
warnings.simplefilter("ignore")  # they are not trained to the end
x, t = load_iris(return_X_y=True)
x = x.astype(np.float32)
names = np.array(["setosa", "versicolor", "virginica"])[t]
HOW: Any = {"max_iter": 50, "random_state": 0}


def save(name: str, model: Any, **options: Any) -> None:
    file = to_onnx(model, x[:1], target_opset=17, **options)
    (HERE / f"sklearn-{name}.onnx").write_bytes(file.SerializeToString())
    some = x[::30]
    y = model.predict_proba(some) if hasattr(model, "predict_proba") else model.predict(some)
    np.savez(HERE / f"sklearn-{name}.npz", x=some, y=y)


save("classifier", MLPClassifier((5,), **HOW).fit(x, names))
save("no-zipmap", MLPClassifier((5,), **HOW).fit(x, t), options={"zipmap": False})
save("binary", MLPClassifier((5,), activation="tanh", **HOW).fit(x, t == 1))
save("regressor", MLPRegressor(hidden_layer_sizes=(5, 4), activation="logistic", **HOW).fit(x, t))
save("pipeline", make_pipeline(StandardScaler(), MLPClassifier((5,), **HOW)).fit(x, t))
