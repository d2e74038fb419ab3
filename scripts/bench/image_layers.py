"""Milliseconds that Keras's layers of images take for 32 images of 224 x 224 x 3 floats: medians of seven calls, eager and compiled.

Usage: KERAS_BACKEND=jax python image_layers.py [NAME...], or python image_layers.py with TensorFlow's own Keras.
"""
import os
import sys
import time

import numpy as np

ROWS = {
    "RandomFlip": {},
    "RandomRotation": {"factor": 0.2},
    "RandomZoom": {"height_factor": 0.2},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomBrightness": {"factor": 0.2},
    "RandomContrast": {"factor": 0.2},
    "RandomHue": {"factor": 0.2},
    "RandomSharpness": {"factor": 0.2},
    "RandomErasing": {},
    "RandomGaussianBlur": {},
    "MixUp": {},
    "CutMix": {},
    "AutoContrast": {},
    "Resizing": {"height": 128, "width": 128},
}


def median(f):
    f()
    times = []
    for _ in range(7):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return sorted(times)[3] * 1e3


def with_jax(images):
    import jax
    import keras

    images = jax.numpy.asarray(images)

    def functions(layer):
        call = jax.jit(lambda state, x: layer.stateless_call([], state, x, training=True))

        def compiled():
            return jax.block_until_ready(call([v.value for v in layer.non_trainable_variables], images)[0])

        return lambda: jax.block_until_ready(layer(images, training=True)), compiled

    return keras.layers, functions


def with_tensorflow(images):
    import tensorflow as tf

    images = tf.constant(images)

    def functions(layer):
        call = tf.function(lambda x: layer(x, training=True))
        return lambda: layer(images, training=True).numpy(), lambda: call(images).numpy()

    return tf.keras.layers, functions


def main():
    images = np.random.default_rng(1).uniform(0, 255, (32, 224, 224, 3)).astype("float32")
    layers, functions = (with_jax if os.environ.get("KERAS_BACKEND") == "jax" else with_tensorflow)(images)
    for name in sys.argv[1:] or ROWS:
        if hasattr(layers, name):
            eager, compiled = functions(getattr(layers, name)(**ROWS[name]))
            print(f"{name:45} {median(eager):8.1f} {median(compiled):8.1f}", flush=True)


main()
