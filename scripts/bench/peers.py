"""The same work in other frameworks: peers.py FRAMEWORK PROBLEM prints one line of JSON.

FRAMEWORK: torch, jax, keras-jax, keras-tensorflow (onnxruntime: its version). PROBLEM: tutorial, mlp (training), first (a whole program), tensors.
Training prints {"version": ..., "seconds_per_step": [one a repeat]}. With "version" as PROBLEM, only that.
"""
import json
import os
import sys
import time

PROBLEMS = {
    "tutorial": dict(samples=1000, batch=32, epochs=5, repeats=7, sizes=[72, 32, 16, 10], sparse=False),
    "mlp": dict(samples=6400, batch=128, epochs=2, repeats=7, sizes=[784, 512, 512, 10], sparse=True),
}


def make_data(problem):
    import numpy as np

    random = np.random.default_rng(1)
    n, sizes = problem["samples"], problem["sizes"]
    x = random.random((n, sizes[0]), dtype=np.float32)
    if problem["sparse"]:
        return x, random.integers(0, sizes[-1], n).astype(np.int64)
    return x, random.random((n, sizes[-1]), dtype=np.float32)


def measure(problem, run_epochs):
    """run_epochs(n) trains for n epochs and returns when all is computed."""
    steps = problem["epochs"] * -(-problem["samples"] // problem["batch"])
    run_epochs(2)
    result = []
    for _ in range(problem["repeats"]):
        start = time.perf_counter()
        run_epochs(problem["epochs"])
        result.append((time.perf_counter() - start) / steps)
    return result


def import_keras(backend):
    if backend == "jax":
        os.environ["KERAS_BACKEND"] = "jax"
        import keras

        return keras, "Keras " + keras.__version__
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    return tensorflow.keras, "Keras on TensorFlow " + tensorflow.__version__


def keras_model(keras, sizes, sparse):
    inputs = hidden = keras.Input(shape=(sizes[0],))
    for units in sizes[1:-1]:
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(sizes[-1], activation="softmax")(hidden))
    loss = "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss=loss, metrics=["accuracy"])
    return model


def train_keras(backend, problem):
    keras, version = import_keras(backend)
    x, y = make_data(problem)
    model = keras_model(keras, problem["sizes"], problem["sparse"])
    samples = measure(problem, lambda n: model.fit(x, y, batch_size=problem["batch"], epochs=n, verbose=0))
    return dict(version=version, seconds_per_step=samples)


def train_torch(problem):
    import torch

    x, y = (torch.from_numpy(a) for a in make_data(problem))
    sizes, batch = problem["sizes"], problem["batch"]
    stack = []
    for inputs, units in zip(sizes, sizes[1:]):
        stack += [torch.nn.Linear(inputs, units), torch.nn.ReLU()]
    model = torch.nn.Sequential(*stack[:-1])
    optimizer = torch.optim.Adam(model.parameters(), 0.001)
    cross_entropy = torch.nn.CrossEntropyLoss()

    def run_epochs(n):
        for _ in range(n):
            order = torch.randperm(len(x))
            total, correct = torch.zeros(()), torch.zeros((), dtype=torch.int64)
            for first in range(0, len(x), batch):
                rows = order[first : first + batch]
                targets = y[rows]
                optimizer.zero_grad()
                logits = model(x[rows])
                loss = cross_entropy(logits, targets)
                loss.backward()
                optimizer.step()
                with torch.no_grad():
                    total += loss
                    labels = targets if problem["sparse"] else targets.argmax(1)
                    correct += (logits.argmax(1) == labels).sum()
            total.item()

    return dict(version="PyTorch " + torch.__version__, threads=torch.get_num_threads(), seconds_per_step=measure(problem, run_epochs))


def train_jax(problem):
    import functools

    import jax
    import jax.numpy as jnp
    import numpy as np

    x, y = (jnp.asarray(a) for a in make_data(problem))
    sizes, batch = problem["sizes"], problem["batch"]
    random = np.random.default_rng(2)
    parameters = [
        (jnp.asarray(random.uniform(-1, 1, (i, o)).astype("float32") * (6 / (i + o)) ** 0.5), jnp.zeros(o))
        for i, o in zip(sizes, sizes[1:])
    ]

    def loss_and_logits(parameters, x, y):
        for w, b in parameters[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = parameters[-1]
        logits = x @ w + b
        targets = jax.nn.one_hot(y, sizes[-1]) if problem["sparse"] else y
        return -(targets * jax.nn.log_softmax(logits)).sum(1).mean(), logits

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, x, y, rows):
        parameters, m, v, count, total, correct = state
        x, y = x[rows], y[rows]
        (loss, logits), gradient = jax.value_and_grad(loss_and_logits, has_aux=True)(parameters, x, y)
        count = count + 1
        rate = 0.001 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        m = jax.tree.map(lambda m, g: m + (g - m) * 0.1, m, gradient)
        v = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, v, gradient)
        parameters = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), parameters, m, v)
        labels = y if problem["sparse"] else y.argmax(1)
        return parameters, m, v, count, total + loss, correct + (logits.argmax(1) == labels).sum()

    def zeros():
        return jax.tree.map(jnp.zeros_like, parameters)

    state = [(parameters, zeros(), zeros(), jnp.zeros(()), jnp.zeros(()), jnp.zeros((), jnp.int32))]

    def run_epochs(n):
        for _ in range(n):
            order = random.permutation(len(x))
            for first in range(0, len(x), batch):
                state[0] = step(state[0], x, y, order[first : first + batch])
        jax.block_until_ready(state[0])

    return dict(version="JAX " + jax.__version__, seconds_per_step=measure(problem, run_epochs))


def first_program(backend):
    keras, _ = import_keras(backend)
    import numpy as np

    random = np.random.default_rng(1)
    shapes = [(1000, 72), (1000, 10), (200, 72), (200, 10)]
    train_x, train_y, val_x, val_y = (random.random(shape, dtype=np.float32) for shape in shapes)
    model = keras_model(keras, [72, 32, 16, 10], False)
    model.summary()
    model.fit(train_x, train_y, batch_size=32, epochs=5, validation_data=(val_x, val_y))


def torch_tensors():
    import torch

    x = torch.tensor([1.0, 2.0, 3.0, 4.0])
    for i in range(1000000):
        x * i


def version_of(framework):
    if framework == "torch":
        import torch

        return "PyTorch " + torch.__version__
    if framework == "jax":
        import jax

        return "JAX " + jax.__version__
    if framework == "onnxruntime":
        import onnxruntime

        return "onnxruntime " + onnxruntime.__version__
    return import_keras(framework.split("-")[1])[1]


def main(framework, problem):
    if problem == "version":
        return dict(version=version_of(framework))
    if problem == "first":
        return first_program(framework.split("-")[1])
    if problem == "tensors":
        return torch_tensors()
    settings = PROBLEMS[problem]
    if framework == "torch":
        return train_torch(settings)
    if framework == "jax":
        return train_jax(settings)
    return train_keras(framework.split("-")[1], settings)


if __name__ == "__main__":
    result = main(sys.argv[1], sys.argv[2])
    if result is not None:
        print(json.dumps(result))
