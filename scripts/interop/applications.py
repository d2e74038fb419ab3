"""Known networks both ways: applications.py CUSP.

Keras builds each network with random weights and saves it; Cusp (applications.lua) loads the weights
into its own network and the whole model, compares what they compute, and saves weights that Keras
loads here.
"""

import json
import os
import subprocess
import sys
import tempfile

import keras
import numpy as np

IS_KERAS3 = keras.__version__.startswith("3")
SMALL = {"input_shape": [64, 64, 3], "include_top": False, "pooling": "avg"}
CASES = [
    ("MobileNet", {"input_shape": [64, 64, 3], "alpha": 0.25, "classes": 10}),
    ("MobileNetV2", {"input_shape": [64, 64, 3], "alpha": 0.35, "include_top": False, "pooling": "max"}),
    ("MobileNetV3Small", {"input_shape": [64, 64, 3], "alpha": 0.75, "classes": 10}),
    ("ResNet50", SMALL), ("ResNet50V2", SMALL), ("DenseNet121", SMALL), ("EfficientNetB0", SMALL),
    ("EfficientNetV2B0", SMALL), ("InceptionV3", {**SMALL, "input_shape": [75, 75, 3]}),
    ("InceptionResNetV2", {**SMALL, "input_shape": [75, 75, 3]}),
    ("Xception", {**SMALL, "input_shape": [71, 71, 3]}),
    ("NASNetMobile", {"include_top": False, "pooling": "avg", "input_shape": [224, 224, 3]}),
    ("ConvNeXtTiny", SMALL), ("VGG16", {**SMALL, "input_shape": [32, 32, 3]}),
]


def build(function, arguments):
    keras.backend.clear_session()
    arguments = {key: tuple(v) if isinstance(v, list) else v for key, v in arguments.items()}
    return getattr(keras.applications, function)(weights=None, **arguments)


def pictures(model):
    shape = (2,) + tuple(model.input_shape[1:])
    return (np.arange(np.prod(shape)) * 40503 % 65536 / 257).reshape(shape).astype("float32")


def changed(weight, rng):
    """Near the initial weight, so that numbers stay moderate; zeros move, variances stay positive."""
    if weight.dtype.kind != "f" or weight.ndim == 0:
        return weight
    noise = rng.standard_normal(weight.shape).astype(weight.dtype)
    return weight * (1 + 0.1 * np.abs(noise)) + 0.01 * noise * (weight == 0)


def difference(found, expected):
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))


def write(path, model, rng):
    model.set_weights([changed(weight, rng) for weight in model.get_weights()])
    model.save_weights(path + (".weights.h5" if IS_KERAS3 else ".h5"))
    model.save(path + (".keras" if IS_KERAS3 else ".model.h5"))
    np.save(path + ".npy", np.asarray(model.predict(pictures(model), verbose=0)))


def main(cusp):
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for index, (function, arguments) in enumerate(CASES):
            path = os.path.join(folder, "net")
            model = build(function, arguments)
            write(path, model, np.random.default_rng(index))
            case = json.dumps({"function": function, "arguments": arguments})
            here = os.path.dirname(os.path.abspath(__file__))
            lua = subprocess.run([cusp, os.path.join(here, "applications.lua"), path, case],
                                 capture_output=True, text=True)
            if lua.returncode:
                sys.exit(f"{function}: {lua.stdout}{lua.stderr}")
            model = build(function, arguments)
            model.load_weights(path + (".cusp.weights.h5" if IS_KERAS3 else ".cusp.h5"))
            back = difference(np.asarray(model.predict(pictures(model), verbose=0)), np.load(path + ".npy"))
            print(f"{function:18} {lua.stdout.strip()}; read back by Keras {back:.1e}", flush=True)
            worst = max(worst, back, *map(float, lua.stdout.split()[1::2]))
    sys.exit(worst > 1e-4)


main(sys.argv[1])
