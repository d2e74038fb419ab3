"""The networks of networks.lua in Keras: networks_keras.py FRAMEWORK NETWORK [MODE] prints one line of JSON.

FRAMEWORK: keras-jax, keras-tensorflow. MODE: fit, hook (a function after each batch), train_on_batch. The answer is {"version": ..., "seconds_per_step": [one a repeat], "peak_bytes": [most in use]}.
"""
import json
import resource
import sys
import time

from peers import import_keras


def cnn(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(), layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )
    return model, uniform(1280, 28, 28, 1), integers(10, 1280), 128


def resnet(keras):
    layers = keras.layers

    def convolved(x, filters, size, strides):
        return layers.BatchNormalization()(layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x))

    def residual(x, filters, strides):
        y = convolved(layers.ReLU()(convolved(x, filters, 3, strides)), filters, 3, 1)
        return layers.ReLU()(layers.Add()([convolved(x, filters, 1, strides) if strides > 1 else x, y]))

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(convolved(inputs, 16, 3, 1))
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            x = residual(x, filters, 2 if stage and block == 0 else 1)
    outputs = layers.Dense(10)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs), uniform(256, 32, 32, 3), integers(10, 256), 64


def mobilenet(keras):
    model = keras.applications.MobileNetV2(input_shape=(64, 64, 3), weights=None, classes=10, classifier_activation=None)
    return model, uniform(64, 64, 64, 3), integers(10, 64), 8


def lstm(keras):
    layers = keras.layers
    model = keras.Sequential([keras.Input((80,), dtype="int32"), layers.Embedding(20000, 128), layers.LSTM(128), layers.Dense(2)])
    return model, integers(20000, 320, 80), integers(2, 320), 32


def transformer(keras):
    layers, words, length, width, heads = keras.layers, 1000, 128, 256, 4

    def block(x):
        h = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(heads, width // heads)(h, h, use_causal_mask=True)])
        h = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
        return layers.Add()([x, layers.Dense(width)(h)])

    inputs = keras.Input((length,), dtype="int32")
    x = layers.Embedding(words, width)(inputs)
    for _ in range(4):
        x = block(x)
    data = integers(words, 64, length)
    return keras.Model(inputs, layers.Dense(words)(layers.LayerNormalization()(x))), data, data, 16


def graph(keras):
    nodes, edges, features, units, heads = 512, 4096, 64, 16, 8
    links = integers(nodes, edges, 2)
    ops = keras.ops

    class GraphAttention(keras.layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], units), initializer="glorot_uniform", name="kernel")
            self.attention = self.add_weight(shape=(2 * units, 1), initializer="glorot_uniform", name="attention")

        def call(self, x):
            x = ops.matmul(x, self.kernel)
            targets, start = links[:, 0], ops.take(x, links[:, 1], axis=0)
            both = ops.concatenate([ops.take(x, targets, axis=0), start], axis=-1)
            scores = ops.leaky_relu(ops.squeeze(ops.matmul(both, self.attention), -1))
            scores = ops.exp(ops.clip(scores, -2, 2))
            weights = scores / ops.take(ops.segment_sum(scores, targets, nodes), targets, axis=0)
            return ops.segment_sum(start * weights[:, None], targets, nodes)

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.last = keras.layers.Dense(heads * units, activation="relu"), keras.layers.Dense(7)
            self.stages = [[GraphAttention() for _ in range(heads)] for _ in range(2)]

        def call(self, x):
            x = self.first(x)
            for attentions in self.stages:
                x = ops.relu(ops.concatenate([attention(x) for attention in attentions], axis=-1) + x)
            return self.last(x)

    return Network(), uniform(nodes, features), integers(7, nodes), nodes


def tutorial(keras):
    layers = keras.layers
    model = keras.Sequential([keras.Input((72,)), layers.Dense(32, activation="relu"), layers.Dense(16, activation="relu"), layers.Dense(10)])
    return model, uniform(1000, 72), integers(10, 1000), 32


def uniform(*shape):
    import numpy as np

    return np.random.default_rng(1).random(shape, dtype=np.float32)


def integers(below, *shape):
    import numpy as np

    return np.random.default_rng(2).integers(0, below, shape).astype("int32")


def run_batches(model, x, y, batch):
    for first in range(0, len(x), batch):
        model.train_on_batch(x[first : first + batch], y[first : first + batch])


def main(framework, network, mode="fit"):
    keras, version = import_keras(framework.split("-")[1])
    model, x, y, batch = globals()[network](keras)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss=loss, metrics=["accuracy"])

    def epoch():
        if mode == "train_on_batch":
            run_batches(model, x, y, batch)
        elif mode == "hook":
            hook = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: logs["loss"])
            model.fit(x, y, batch_size=batch, verbose=0, callbacks=[hook])
        else:
            model.fit(x, y, batch_size=batch, verbose=0)

    epoch()
    epoch()
    samples = []
    for _ in range(5):
        start = time.perf_counter()
        epoch()
        samples.append((time.perf_counter() - start) / -(-len(x) // batch))
    return dict(version=version, seconds_per_step=samples)


if __name__ == "__main__":
    answer = main(*sys.argv[1:])
    print(json.dumps(dict(answer, peak_bytes=[1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])))
