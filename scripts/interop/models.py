"""Has Keras read the models that Cusp writes, and Cusp those of Keras.

    python scripts/interop/models.py build/cusp

Needs Keras 3 (with any backend), or TensorFlow 2.15, whose tf.keras is then what is asked; h5py; PyYAML and the program h5diff where
they are there. For each model of models.lua and each of its files: the model predicts the same, and where the file holds the
optimizer's state the next epoch has the same loss. Then Keras saves the same model, the structure of the two HDF5 files is compared
(names, shapes, types and character sets of all attributes), h5diff compares their contents, and Cusp loads what Keras saved.
"""
import contextlib
import importlib.util
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
here = os.path.dirname(os.path.abspath(__file__))
sys.path = [path for path in sys.path if path != here]  # where a file has the name of the package tensorboard
import numpy as np  # noqa: E402

try:
    import tensorflow

    keras, three = tensorflow.keras, False
    version = f"tf.keras of TensorFlow {tensorflow.__version__}"
except ImportError:
    import keras

    three = True
    version = f"Keras {keras.__version__} on {keras.backend.backend()}"

sys.path.append(here)
from structure import compare_structure, h5diff  # noqa: E402

failures = 0


@keras.saving.register_keras_serializable("Custom")
class Residual(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        self.inner = keras.layers.Dense(self.units, activation="tanh")
        self.outer = keras.layers.Dense(self.units)
        self.inner.build(shape)
        self.outer.build(shape)
        self.gain = self.add_weight(name="gain", shape=(self.units,), initializer="ones")
        self.built = True

    def call(self, x):
        return x + self.outer(self.inner(x)) * self.gain

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("Custom")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Dense(6, activation="relu")
        self.block = Residual(6)
        self.last = keras.layers.Dense(4)

    def call(self, x):
        return self.last(self.block(self.first(x)))


custom = {"Residual": Residual, "Subclassed": Subclassed}


def cusp(*arguments):
    command = [sys.argv[1], os.path.join(here, "models.lua"), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def near(a, b, rtol=1e-4, atol=1e-5):
    return bool(np.allclose(a, b, rtol=rtol, atol=atol))


class Report:
    """One line for each model; what is wrong below it."""

    def __init__(self, name):
        self.name, self.words, self.wrong = name, [], []

    def add(self, what, problem):
        global failures
        self.words.append(f"{what}: {'NO' if problem else 'yes'}")
        if problem:
            failures += 1
            self.wrong.append(f"{what}: {problem}")

    def show(self):
        print(f"{self.name}\n    " + ", ".join(self.words))
        for problem in self.wrong:
            print("    !", problem)


def attempt(action):
    """The problem that an action returns or raises, on one line."""
    try:
        return action()
    except Exception as error:  # whatever it is, it is what the report is about
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def fit(model, case):
    return model.fit(case["x"], case["y"], batch_size=16, epochs=1, shuffle=False, verbose=0).history["loss"]


def check(model, case, trains):
    predicted = model.predict(case["x"], verbose=0)
    if not near(predicted, case["predicted"]):
        return f"predicts otherwise, by up to {np.abs(predicted - case['predicted']).max():.3g}"
    losses = fit(model, case) if trains else case["losses"]
    if not near(losses, case["losses"]):
        return f"predicts the same; the next epoch's loss is {losses[0]:.7g}, was {case['losses'][0]:.7g}"
    return None


# What Keras 3 does not read of the .h5 files that tf.keras 2.15 writes either: the attention's `query_shape`, and a Sequential
# model inside a graph.
UNREADABLE = ("attention", "nested")


def load_model(path, **options):
    return keras.models.load_model(path, custom_objects=custom, **options)


def with_weights(path, weights, compiled=None):
    """The model of a configuration (a function of the path) with the weights of a file."""
    model = path() if callable(path) else keras.models.model_from_json(open(path).read(), custom_objects=custom)
    if compiled is not None:
        model.compile(optimizer=compiled, loss="mse", metrics=["mae"])
        model.optimizer.build(model.trainable_variables)
    model.load_weights(weights)
    return model


def from_yaml(path):
    import yaml

    return keras.models.model_from_json(json.dumps(yaml.load(open(path), yaml.FullLoader)), custom_objects=custom)


def forward(report, case, path):
    """Keras reads what Cusp wrote; the whole model that goes on to the way back."""
    is_graph = os.path.exists(path + ".h5")

    def file(what, make, trains):
        report.add(what, attempt(lambda: check(make(), case, trains)))

    if three:
        file(".keras", lambda: load_model(path + ".keras"), True)
        optimizer = attempt(lambda: load_model(path + ".keras").optimizer.get_config())

        def compiled():
            return type(load_model(path + ".keras").optimizer).from_config(optimizer)

        if is_graph:
            file(".weights.h5", lambda: with_weights(path + "-keras3.json", path + ".weights.h5", compiled()), True)
            file(".json of Keras 3", lambda: with_weights(path + "-keras3.json", path + "-weights.h5"), False)
        if is_graph and not case["name"].startswith(UNREADABLE):
            # Keras 3 does not compile from tf.keras 2's training configuration where the loss is a name.
            file(".h5, not compiled", lambda: load_model(path + ".h5", compile=False), False)
    elif is_graph:
        file(".h5", lambda: load_model(path + ".h5"), True)
        file(".json", lambda: with_weights(path + ".json", path + "-weights.h5"), False)
        if importlib.util.find_spec("yaml"):
            file(".yaml", lambda: with_weights(lambda: from_yaml(path + ".yaml"), path + "-weights.h5"), False)
    if not is_graph:
        file("weights .h5", lambda: with_weights(lambda: built(case), path + "-weights.h5"), False)


def built(case):
    model = Subclassed()
    model(np.array(case["x"], np.float32))
    return model


def compare(report, path, theirs, what):
    problem = attempt(lambda: compare_structure(path, theirs))
    report.add(what + " structure", problem)
    if shutil.which("h5diff"):
        report.add(what + " h5diff", h5diff(path, theirs))


def backward(report, case, path, reads):
    """Keras loads what Cusp wrote and saves it again at once, which makes equal files; Cusp reads them."""
    name = case["name"]

    def saved(file):
        reads.append((name, file, case))
        return os.path.join(os.path.dirname(path), file)

    def keras3():
        model = load_model(path + ".keras")
        model.save(saved(f"{name}-again.keras"))
        model.save_weights(saved(f"{name}-again.weights.h5"))
        return model

    def graph():
        model = load_model(path + (".keras" if three else ".h5"))
        model.save(saved(f"{name}-again-whole.h5"))
        if three:
            return model
        model.save_weights(saved(f"{name}-again-weights.h5"))
        with open(saved(f"{name}-again.json"), "w") as file:
            file.write(model.to_json())
        return model

    def run(action):
        logging.disable(logging.WARNING)  # Keras's advice against .h5
        with contextlib.redirect_stderr(io.StringIO()):
            return attempt(lambda: action() and None)

    if three:
        report.add("saves .keras", run(keras3))
        compare(report, path + ".weights.h5", f"{path}-again.weights.h5", ".weights.h5")
    if os.path.exists(path + ".h5"):
        report.add("saves .h5", run(graph))
        if not three:  # whose names of weights and variables Cusp writes
            compare(report, path + ".h5", f"{path}-again-whole.h5", ".h5")
            compare(report, path + "-weights.h5", f"{path}-again-weights.h5", "weights .h5")


def read_back(folder, reads, reports):
    with open(f"{folder}/read.txt", "w") as file:
        file.writelines(f"{name} {path}\n" for name, path, _ in reads)
    for (name, path, case), answer in zip(reads, json.loads(cusp("read", folder))):
        problem = answer.get("problem")
        if problem is None and not near(answer["predicted"], case["predicted"]):
            problem = "predicts otherwise"
        if problem is None and answer["losses"] is not None and not near(answer["losses"], case["losses"]):
            problem = f"predicts the same; the next epoch's loss is {answer['losses']}, was {case['losses']}"
        reports[name].add("Cusp reads " + path[len(name) + 1 :], problem)


def main():
    folder = tempfile.mkdtemp()
    try:
        cusp("write", folder)
        reads, reports = [], {}
        for file in sorted(os.listdir(folder)):
            if not file.endswith(".about.json"):
                continue
            with open(os.path.join(folder, file)) as text:
                case = json.load(text)
            case["x"], case["y"] = np.array(case["x"], np.float32), np.array(case["y"], np.float32)
            report = reports[case["name"]] = Report(case["name"])
            path = os.path.join(folder, case["name"])
            forward(report, case, path)
            backward(report, case, path, reads)
        read_back(folder, reads, reports)
        print(version)
        for report in reports.values():
            report.wrong = [problem.replace(folder, "FOLDER") for problem in report.wrong]
            report.show()
        print("all agree" if failures == 0 else f"{failures} differ")
    finally:
        shutil.rmtree(folder)
    sys.exit(failures > 0)


main()
