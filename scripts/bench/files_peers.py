"""Saving and loading 100 MB in other programs: files_peers.py FRAMEWORK FORMAT FOLDER prints one line of JSON.

{"version": ..., "save": [seconds, ...], "save_synced": [with fsync of what was written], "load": [...]}
FRAMEWORK: tensorflow, keras, h5py, numpy. FORMAT: as in files.lua.
"""
import json
import os
import sys
import time

REPEATS, UNITS, DEPTH = 3, 2048, 6


def arrays():
    import numpy as np

    random = np.random.default_rng(1)
    result = {}
    for i in range(DEPTH):
        result[f"kernel_{i}"] = random.random((UNITS, UNITS), dtype=np.float32)
        result[f"bias_{i}"] = np.zeros(UNITS, np.float32)
    return result


def keras_model(keras):
    layers = [keras.layers.Dense(UNITS) for _ in range(DEPTH)]
    return keras.Sequential([keras.Input(shape=(UNITS,))] + layers)


def import_keras(backend):
    if backend == "jax":
        os.environ["KERAS_BACKEND"] = "jax"
        import keras

        return keras, keras.__version__
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    return tensorflow.keras, "TensorFlow " + tensorflow.__version__


def keras_case(framework, form):
    keras, version = import_keras("jax" if framework == "keras" else "tensorflow")
    model = keras_model(keras)

    def load_weights(path):
        model.load_weights(path)

    def load_model(path):
        keras.models.load_model(path, compile=False)

    cases = {
        "checkpoint": ("weights", lambda path: model.save_weights(path), load_weights),
        "tf2_weights": ("weights.h5", lambda path: model.save_weights(path), load_weights),
        "keras3_weights": ("model.weights.h5", lambda path: model.save_weights(path), load_weights),
        "model_h5": ("model.h5", lambda path: model.save(path), load_model),
        "model_keras": ("model.keras", lambda path: model.save(path), load_model),
    }
    return (version,) + cases[form]


def h5py_case():
    import h5py

    values = arrays()

    def save(path):
        with h5py.File(path, "w") as file:
            for name, value in values.items():
                file.create_dataset(name, data=value)

    def load(path):
        with h5py.File(path, "r") as file:
            return {name: file[name][()] for name in file}

    return h5py.__version__, "arrays.h5", save, load


def numpy_case():
    import numpy as np

    values = arrays()

    def load(path):
        with np.load(path) as file:
            return {name: file[name] for name in file}

    return np.__version__, "arrays.npz", lambda path: np.savez(path, **values), load


def sync(folder):
    """What a program does that wants its files to be on disk."""
    for name in os.listdir(folder) + ["."]:
        descriptor = os.open(os.path.join(folder, name), os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def seconds(action, *arguments):
    start = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - start


def main(framework, form, folder):
    if framework in ("tensorflow", "keras"):
        version, name, save, load = keras_case(framework, form)
    else:
        version, name, save, load = h5py_case() if framework == "h5py" else numpy_case()
    path = os.path.join(folder, name)
    result = dict(version=version, save=[], save_synced=[], load=[])

    def save_synced():
        save(path)
        sync(folder)

    for i in range(REPEATS + 1):
        times = dict(save_synced=seconds(save_synced), save=seconds(save, path), load=seconds(load, path))
        sync(folder)  # the next repeat is not to wait for this one's pages
        if i > 0:
            for key, value in times.items():
                result[key].append(value)
    print(json.dumps(result))


main(*sys.argv[1:])
