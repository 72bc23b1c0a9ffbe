"""Networks that learned a function from 200 samples, for `advisor-bench truth`.

    advisor-bench samples DIRECTORY; python trained.py DIRECTORY; advisor-bench truth DIRECTORY

A multilayer perceptron of two hidden layers of 64 on standardized values, as scikit-learn trains it with early stopping off
and otherwise its defaults; the file it becomes gives values in their own units.
"""

import json
import pathlib
import sys
import warnings

import numpy as np
import torch
from sklearn.neural_network import MLPRegressor
from torch import nn

warnings.filterwarnings("ignore")


class Scaled(nn.Module):
    def __init__(self, model, centre, spread):
        super().__init__()
        layers = []
        for w, b in zip(model.coefs_, model.intercepts_):
            linear = nn.Linear(*w.shape)
            linear.weight.data, linear.bias.data = torch.tensor(w.T).float(), torch.tensor(b).float()
            layers += [linear, nn.Tanh()]
        self.body, self.centre, self.spread = nn.Sequential(*layers[:-1]), centre, spread

    def forward(self, x):
        return self.body(2.0 * x - 1.0) * self.spread + self.centre


def main(directory):
    for path in sorted(pathlib.Path(directory).glob("*.json")):
        samples = json.loads(path.read_text())
        x, y = np.array(samples["points"]), np.array(samples["values"])
        centre, spread = y.mean(), y.std()
        model = MLPRegressor(hidden_layer_sizes=(64, 64), activation="tanh", solver="lbfgs", alpha=1e-2, max_iter=2000, random_state=0)
        model.fit(2.0 * x - 1.0, (y - centre) / spread)
        net = Scaled(model, float(centre), float(spread)).eval()
        torch.onnx.export(net, (torch.zeros(1, x.shape[1]),), str(path.with_suffix(".onnx")), input_names=["x"], output_names=["y"],
                          opset_version=17, dynamo=False)


if __name__ == "__main__":
    main(sys.argv[1])
