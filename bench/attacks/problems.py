"""The problems of the attack benchmarks, as ONNX files and one JSON file that lists them.

    python problems.py DIRECTORY

B1: a softmax mixture of 50 digit images is to look to a classifier like a hidden mixture does (interior target). B2: the
smallest change of a digit image that a classifier takes for another digit. Both as in the notes to Bouchet & Vidal, arXiv
2510.01461, on scikit-learn's bundled digits, so that nothing is downloaded. Variants of B1: outputs rounded to multiples
of 0.25 (`quantized`), a random forest instead of the classifier (`forest`), a bound on the mixture (`constrained`), a
gradient of the wrong sign (`wrong_gradient`: the network is fed 2 round(x) - x, which has the value of x). B3: the
biodiesel problem of the paper, whose networks are in tests/fixtures/networks; its instances differ in the seed alone.
"""

import json
import pathlib
import shutil
import sys
import warnings

import numpy as np
import onnx
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from torch import nn

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
N = 50
INSTANCES = 10
FIXTURES = pathlib.Path(__file__).parents[2] / "tests/fixtures/networks"


def classifier():
    data = load_digits()
    X, y = data.data / 16.0, data.target
    Xt, Xv, yt, yv = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    model = MLPClassifier(hidden_layer_sizes=(64, 32), max_iter=400, alpha=1e-4, random_state=0)
    model.fit(Xt, yt)
    layers = []
    for w, b in zip(model.coefs_, model.intercepts_):
        linear = nn.Linear(*w.shape)
        linear.weight.data, linear.bias.data = torch.tensor(w.T).float(), torch.tensor(b).float()
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval(), model, (Xt, yt, Xv, yv)


class Mixture(nn.Module):
    def __init__(self, images, body, quantum=0.0, wrong=False, with_weights=False):
        super().__init__()
        self.register_buffer("images", torch.tensor(images).float())
        self.body, self.quantum, self.wrong, self.with_weights = body, quantum, wrong, with_weights

    def forward(self, x):
        if self.wrong:
            x = 2.0 * torch.round(x * 1e5) / 1e5 - x
        weights = torch.softmax(x, dim=1)
        y = self.body(weights @ self.images)
        if self.quantum:
            y = torch.round(y / self.quantum) * self.quantum
        return torch.cat([y, weights[:, :1]], 1) if self.with_weights else y


class Distance(nn.Module):
    def __init__(self, target):
        super().__init__()
        self.register_buffer("target", torch.tensor(target).float().reshape(1, -1))

    def forward(self, y):
        return -((y[:, : self.target.shape[1]] - self.target) ** 2).sum(1, keepdim=True)


class AtMost(nn.Module):
    """The last output may not exceed a bound."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def forward(self, y):
        return (y[:, -1:] - self.most) * 10.0


class Counterfactual(nn.Module):
    def __init__(self, body, target):
        super().__init__()
        self.body, self.target = body, target

    def forward(self, x):
        p = torch.softmax(self.body(x), dim=1)
        return torch.cat([x, p[:, self.target : self.target + 1]], 1)


class Change(nn.Module):
    def __init__(self, x0, weight=100.0):
        super().__init__()
        self.register_buffer("x0", torch.tensor(x0).float().reshape(1, -1))
        self.weight = weight

    def forward(self, y):
        far = ((y[:, :-1] - self.x0) ** 2).sum(1, keepdim=True)
        return -far - self.weight * torch.relu(0.9 - y[:, -1:]) ** 2


def export(net, n, name, path):
    torch.onnx.export(net, (torch.zeros(1, n),), str(path), input_names=[name], output_names=["out"], opset_version=17, dynamo=False)


def mixed_forest(images, forest, path):
    """The mixture in front of a forest, as one graph."""
    from skl2onnx import to_onnx
    from onnx import helper, numpy_helper

    trees = to_onnx(forest, np.zeros((1, 64), dtype=np.float32), target_opset=17)
    node = next(n for n in trees.graph.node if n.op_type.startswith("TreeEnsemble"))
    node.input[0], node.output[0] = "image", "out"
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["weights"], axis=1), helper.make_node("MatMul", ["weights", "images"], ["image"]), node],
        "mixed", [helper.make_tensor_value_info("x", 1, [1, N])], [helper.make_tensor_value_info("out", 1, [1, 10])],
        [numpy_helper.from_array(images.astype(np.float32), "images")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8), path)


def main(directory):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    body, model, (Xt, yt, Xv, yv) = classifier()
    forest = RandomForestRegressor(n_estimators=30, max_depth=8, random_state=0).fit(Xt, np.eye(10)[yt])
    problems = []

    def add(name, phi, goal, low, high, start, constraints=None):
        problems.append({"name": name, "phi": phi, "goal": goal, "constraints": constraints, "low": low, "high": high, "start": list(map(float, start))})

    for k in range(INSTANCES):
        rng = np.random.default_rng(k)
        images = Xv[rng.choice(len(Xv), N, replace=False)]
        hidden = rng.uniform(-4, 4, size=(1, N))
        variants = {"": {}, "_quantized": {"quantum": 0.25}, "_wrong_gradient": {"wrong": True}, "_constrained": {"with_weights": True}}
        with torch.no_grad():
            target = Mixture(images, body)(torch.tensor(hidden).float()).numpy()
            share = float(torch.softmax(torch.tensor(hidden).float(), 1)[0, 0])
        export(Distance(target), 10, "y", directory / f"b1_{k}_goal.onnx")
        export(Distance(target), 11, "y", directory / f"b1_{k}_goal_constrained.onnx")
        # Active: the first image may not have more than half of what it has in the hidden mixture.
        export(AtMost(min(0.5 * share, 0.01)), 11, "y", directory / f"b1_{k}_constraints.onnx")
        for suffix, options in variants.items():
            export(Mixture(images, body, with_weights=options.pop("with_weights", False), **options), N, "x", directory / f"b1_{k}{suffix}.onnx")
            constrained = suffix == "_constrained"
            add(f"b1{suffix}_{k}", f"b1_{k}{suffix}.onnx", f"b1_{k}_goal{suffix if constrained else ''}.onnx", -10, 10, np.zeros(N),
                f"b1_{k}_constraints.onnx" if constrained else None)
        mixed_forest(images, forest, directory / f"b1_{k}_forest.onnx")
        weights = np.exp(hidden) / np.exp(hidden).sum()
        export(Distance(forest.predict(weights @ images)), 10, "y", directory / f"b1_{k}_goal_forest.onnx")
        add(f"b1_forest_{k}", f"b1_{k}_forest.onnx", f"b1_{k}_goal_forest.onnx", -10, 10, np.zeros(N))
    rng = np.random.default_rng(0)
    for k, i in enumerate(rng.choice(len(Xv), 10, replace=False)):
        x0 = Xv[i]
        target = int(np.argsort(model.predict_proba(x0[None])[0])[-2])
        export(Counterfactual(body, target), 64, "x", directory / f"b2_{k}.onnx")
        export(Change(x0), 65, "y", directory / f"b2_{k}_goal.onnx")
        add(f"b2_{k}", f"b2_{k}.onnx", f"b2_{k}_goal.onnx", 0, 1, x0)
    # The seed of a run comes from the problem's name.
    for k in range(INSTANCES):
        add(f"b3_{k}", "bio_phi.onnx", "bio_goal.onnx", 0, 1, [1 / 3, 0.3], "bio_constraints.onnx")
    for part in ["phi", "goal", "constraints"]:
        shutil.copy(FIXTURES / f"bio_{part}.onnx", directory)
    (directory / "problems.json").write_text(json.dumps(problems, indent=1))


if __name__ == "__main__":
    main(sys.argv[1])
