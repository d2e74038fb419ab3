"""ONNX files both ways: onnx.py CUSP [PATTERN].

Cusp (onnx.lua) writes every layer and several models, with predictions, and reads each file back;
here onnx.checker checks the files and onnxruntime runs them.
"""

import glob
import importlib
import json
import os
import subprocess
import sys
import tempfile

# this file has the package's name
sys.path = [path for path in sys.path if os.path.abspath(path or ".") != os.path.dirname(os.path.abspath(__file__))]
sys.modules.pop("onnx", None)
onnx = importlib.import_module("onnx")
import numpy as np
import onnxruntime

TOLERANCE = 1e-5


def arrays(path, kind):
    return [np.load(name) for name in sorted(glob.glob(f"{path}.{kind}*.npy"))]


def run(path):
    model = onnx.load(path + ".onnx")
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path + ".onnx", providers=["CPUExecutionProvider"])
    given = {i.name: array for i, array in zip(session.get_inputs(), arrays(path, "in"))}
    worst = 0
    for found, expected in zip(session.run(None, given), arrays(path, "out")):
        assert found.shape == expected.shape and found.dtype == expected.dtype, (found.shape, expected.shape)
        scale = max(1, np.abs(expected).max(initial=0))
        worst = max(worst, float(np.abs(found.astype(float) - expected).max(initial=0) / scale))
    return worst


def main():
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        output = subprocess.run([sys.argv[1], "scripts/interop/onnx.lua", folder, *sys.argv[2:]],
                                capture_output=True, text=True)
        results = [json.loads(line) for line in output.stdout.splitlines() if line.startswith("{")]
        if output.returncode:
            failed.append(output.stderr)
        same, refused = 0, []
        for entry in results:
            name = entry["name"]
            if "error" in entry:
                refused.append(f"{name}: {entry['error'].splitlines()[0]}")
                continue
            try:
                worst = run(os.path.join(folder, name))
            except Exception as error:
                failed.append(f"{name}: {str(error)[:300]}")
                continue
            if worst > TOLERANCE or entry["back"] > 1e-4:
                failed.append(f"{name}: onnxruntime differs by {worst:.2g}, read back by {entry['back']:.2g}")
            else:
                same += 1
    print(f"{same} models: checked, run by onnxruntime and read back, within {TOLERANCE}")
    print(f"{len(refused)} refused:")
    for line in refused:
        print(" ", line)
    for line in failed:
        print("failed", line)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
