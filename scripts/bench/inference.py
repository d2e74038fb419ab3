"""The networks of inference.lua in onnxruntime: inference.py FILE BATCH prints one line of JSON.

FILE is what inference.lua wrote. The answer is {"version": ..., "seconds_per_step": [one a repeat]}; without a FILE only the version.
"""
import json
import os
import sys
import time

import numpy as np
import onnxruntime


def session_of(path):
    options = onnxruntime.SessionOptions()
    if os.environ.get("OMP_NUM_THREADS"):
        options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def measure(run):
    for _ in range(3):
        run()
    start = time.perf_counter()
    run()
    count = max(int(np.ceil(0.02 / (time.perf_counter() - start))), 1)
    samples = []
    for _ in range(11):
        start = time.perf_counter()
        for _ in range(count):
            run()
        samples.append((time.perf_counter() - start) / count)
    return samples


def main(path, batch):
    session = session_of(path)
    given = session.get_inputs()[0]
    x = np.random.default_rng(1).random((batch, *given.shape[1:]), dtype=np.float32)
    return measure(lambda: session.run(None, {given.name: x}))


if __name__ == "__main__":
    answer = dict(version="onnxruntime " + onnxruntime.__version__)
    if len(sys.argv) > 2:
        answer["seconds_per_step"] = main(sys.argv[1], int(sys.argv[2]))
    print(json.dumps(answer))
