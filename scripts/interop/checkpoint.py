"""Shows TensorFlow reading the checkpoints that Cusp writes, and Cusp those of TensorFlow.

    python scripts/interop/checkpoint.py build/cusp

Needs tensorflow 2.15. For each model and optimizer of checkpoint.lua: TensorFlow lists and reads the variables, tf.keras loads the
checkpoint with assert_consumed, predicts the same and goes on training with the same losses; then it saves its own, which Cusp loads,
predicting the same and going on with the same losses. Last, Cusp loads what the optimizers of TensorFlow 2.0 to 2.10 saved.
"""
import json
import os
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

keras = tf.keras
here = os.path.dirname(os.path.abspath(__file__))
failures = 0


class Residual(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.steps = [keras.layers.Dense(6, activation="tanh"), keras.layers.Dense(6)]

    def build(self, shape):
        self.gain = self.add_weight(name="gain", shape=(6,), initializer="ones")

    def call(self, x):
        return x + self.steps[1](self.steps[0](x)) * self.gain


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = keras.layers.Dense(6, activation="relu")
        self.blocks = [Residual(), Residual()]
        self.heads = {"left": keras.layers.Dense(2), "right": keras.layers.Dense(2)}
        self.tail = keras.Sequential([keras.layers.Dense(4), keras.layers.BatchNormalization()])

    def call(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.tail(self.heads["left"](x) * self.heads["right"](x))


def cusp(*arguments):
    return subprocess.run([sys.argv[1], os.path.join(here, "checkpoint.lua"), *arguments],
                          check=True, stdout=subprocess.PIPE, text=True).stdout


def near(a, b, rtol=1e-4, atol=1e-5):
    return bool(np.allclose(a, b, rtol=rtol, atol=atol))


def report(name, results):
    global failures
    failures += sum(not ok for ok in results.values())
    print(f"{name:20}", ", ".join(f"{what}: {'yes' if ok else 'NO'}" for what, ok in results.items()))


def make(case):
    model = keras.models.model_from_json(case["config"]) if case["config"] else Subclassed()
    settings = dict(case["settings"] or {})
    if isinstance(settings.get("learning_rate"), dict):
        settings["learning_rate"] = keras.optimizers.schedules.deserialize(settings["learning_rate"])
    if case["optimizer"] == "LossScaleOptimizer":
        optimizer = keras.mixed_precision.LossScaleOptimizer(keras.optimizers.Adam())
    else:
        optimizer = getattr(keras.optimizers, case["optimizer"])(**settings)
    model.compile(optimizer, "mse")
    return model


def check_case(folder, name):
    with open(f"{folder}/{name}.json") as file:
        case = json.load(file)
    x, y = (np.array(case[k], dtype=np.float32) for k in "xy")
    prefix, results = f"{folder}/{name}", {}
    reader = tf.train.load_checkpoint(prefix)
    listed = tf.train.list_variables(prefix)
    results["listed"] = all(list(np.shape(reader.get_tensor(key))) == shape for key, shape in listed) and len(listed) > 3
    model = make(case)
    status = model.load_weights(prefix)
    model(x)
    model.optimizer.build(model.trainable_variables)
    try:
        status.assert_consumed()
        results["consumed"] = True
    except AssertionError as error:
        results["consumed"] = False
        print(name, str(error)[:500])
    results["predicts"] = near(model.predict(x, verbose=0), case["predicted"])
    losses = model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0).history["loss"]
    results["resumes"] = near(losses, case["losses"])
    if not results["resumes"]:
        print(name, losses, case["losses"])
    model.save_weights(prefix + "-tf")
    predicted = model.predict(x, verbose=0)
    losses = model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0).history["loss"]
    return results, predicted, losses


def legacy_optimizers():
    old = keras.optimizers.legacy
    return {
        "Adam": old.Adam(0.01), "AMSGrad": old.Adam(0.01, amsgrad=True), "SGD": old.SGD(0.01, momentum=0.9, nesterov=True),
        "RMSprop": old.RMSprop(0.01, momentum=0.5, centered=True), "Adagrad": old.Adagrad(0.01), "Adadelta": old.Adadelta(0.5),
        "Adamax": old.Adamax(0.01), "Ftrl": old.Ftrl(0.01),
    }


def make_legacy(folder):
    """Models trained with the older optimizers and saved, with what they predict and their next losses."""
    with open(f"{folder}/dense-adam.json") as file:
        case = json.load(file)
    x, y = (np.array(case[k], dtype=np.float32) for k in "xy")
    result = {}
    for name, optimizer in legacy_optimizers().items():
        model = keras.models.model_from_json(case["config"])
        model.compile(optimizer, "mse")
        model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
        model.save_weights(f"{folder}/legacy-{name}")
        predicted = model.predict(x, verbose=0)
        losses = model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0).history["loss"]
        result["legacy-" + name] = predicted, losses
    return result


def main():
    print("TensorFlow", tf.__version__)
    with tempfile.TemporaryDirectory() as folder:
        cusp("write", folder)
        names = sorted(f[:-5] for f in os.listdir(folder) if f.endswith(".json"))
        theirs = {name: check_case(folder, name) for name in names}
        ours = {case["name"]: case for case in json.loads(cusp("read", folder))}
        for name in names:
            results, predicted, losses = theirs[name]
            results["back: predicts"] = near(ours[name]["predicted"], predicted)
            results["back: resumes"] = near(ours[name]["losses"], losses)
            report(name, results)
        older = make_legacy(folder)
        for case in json.loads(cusp("legacy", folder)):
            predicted, losses = older[case["name"]]
            report(case["name"], {"predicts": near(case["predicted"], predicted), "resumes": near(case["losses"], losses)})
    print("all agree" if failures == 0 else f"{failures} disagree")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
