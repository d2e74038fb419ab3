"""Known networks both ways: run by scripts/interop/applications.lua, which says how.

python applications.py write FOLDER   networks with random weights, in files, and what they compute
python applications.py read FOLDER    the files that Cusp wrote, loaded into Keras's networks
"""

import json
import os
import sys

import keras
import numpy as np

applications = keras.applications
IS_KERAS3 = keras.__version__.startswith("3")
CASES = json.load(open(os.path.join(sys.argv[2], "cases.json")))


def build(case):
    keras.backend.clear_session()
    arguments = {key: tuple(v) if isinstance(v, list) else v for key, v in case["arguments"].items()}
    return getattr(applications, case["function"])(weights=None, **arguments)


def pictures(model):
    shape = (2,) + tuple(model.input_shape[1:])
    return (np.arange(np.prod(shape)) * 40503 % 65536 / 257).reshape(shape).astype("float32")


def write(folder):
    for index, case in enumerate(CASES):
        model = build(case)
        rng = np.random.default_rng(index)
        weights = [w + 0.1 * np.abs(rng.standard_normal(w.shape)).astype(w.dtype) * (w.size > 1)
                   if w.dtype.kind == "f" else w for w in model.get_weights()]
        model.set_weights(weights)
        path = os.path.join(folder, str(index))
        if IS_KERAS3:
            model.save_weights(path + ".weights.h5")
            model.save(path + ".keras")
        else:
            model.save_weights(path + ".h5")
            model.save(path + ".model.h5")
        np.save(path + ".npy", np.asarray(model.predict(pictures(model), verbose=0)))


def read(folder):
    worst = 0.0
    for index, case in enumerate(CASES):
        model = build(case)
        path = os.path.join(folder, str(index))
        model.load_weights(path + (".cusp.weights.h5" if IS_KERAS3 else ".cusp.h5"))
        expected = np.load(path + ".npy")
        found = np.asarray(model.predict(pictures(model), verbose=0))
        worst = max(worst, np.max(np.abs(found - expected) / (1e-3 + np.abs(expected))))
        print(case["function"], "read by", keras.__version__, worst)


{"write": write, "read": read}[sys.argv[1]](sys.argv[2])
