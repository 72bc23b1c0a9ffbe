"""Multilayer perceptrons of about 10^4 and 10^6 weights, and onnxruntime's time for a value on one thread.

    python speed.py DIRECTORY; attack-speed DIRECTORY/*.onnx
"""

import pathlib
import sys
import time

import numpy as np
import onnxruntime as ort
import torch
from torch import nn

directory = pathlib.Path(sys.argv[1])
directory.mkdir(parents=True, exist_ok=True)
for name, sizes in {"mlp_1e4": (20, 90, 80, 10), "mlp_1e6": (200, 800, 800, 240, 10)}.items():
    layers = [layer for a, b in zip(sizes, sizes[1:]) for layer in (nn.Linear(a, b), nn.ReLU())][:-1]
    path = directory / f"{name}.onnx"
    torch.onnx.export(nn.Sequential(*layers), (torch.zeros(1, sizes[0]),), str(path), input_names=["x"], output_names=["y"], dynamo=False)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    x, best, began = np.zeros((1, sizes[0]), dtype=np.float32), 1e9, time.time()
    while time.time() - began < 2:
        start = time.perf_counter()
        session.run(None, {"x": x})
        best = min(best, time.perf_counter() - start)
    print(f"{name}: onnxruntime {best * 1e6:.1f} us")
