"""Pictures a second from folders of JPEG and PNG: Cusp beside tf.data, turn by turn in one run, with
one thread and with all.

Usage: PYTHON scripts/bench/pictures.py BUILD [COUNT [ROUNDS]], with a Python that has TensorFlow."""
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

FROM, TO = {"large": 256, "small": 64}, {"large": 224, "small": 48}


def make_pictures(folder, count):
    import numpy as np
    import tensorflow as tf
    random = np.random.default_rng(0)
    for kind, encode in (("jpeg", tf.io.encode_jpeg), ("png", tf.io.encode_png)):
        for name, side in FROM.items():
            place = f"{folder}/{kind}-{name}/pictures"
            os.makedirs(place)
            for i in range(count):
                coarse = random.random((1, 9, 9, 3)) * 255
                smooth = tf.image.resize(coarse, (side, side), method="bicubic")[0]
                noisy = smooth + random.integers(-8, 9, (side, side, 3))
                pixels = tf.cast(tf.clip_by_value(noisy, 0, 255), tf.uint8)
                tf.io.write_file(f"{place}/{i:05}.{kind}", encode(pixels))


def serve(folder, side, threads):
    """tf.data's turn at each line that comes."""
    import tensorflow as tf
    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    data = tf.keras.utils.image_dataset_from_directory(
        folder, labels=None, image_size=(side, side), shuffle=False)
    if threads:
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        options.autotune.enabled = False
        data = data.with_options(options)
    for _ in sys.stdin:
        start, count = time.perf_counter(), 0
        for batch in data:
            count += batch.shape[0]
        print("speed", count / (time.perf_counter() - start), flush=True)


def turn(process):
    process.stdin.write("\n")
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith("speed"):
            return float(line.split()[1])
    raise SystemExit("a child has ended")


def compare(build, folder, side, threads, rounds):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads)) if threads else None
    pin = ["taskset", "-c", "0"] if threads == 1 else []
    arguments = [folder, str(side), str(threads)]
    children = [subprocess.Popen(pin + command + arguments, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                 env=environment)
                for command in ([build + "/cusp", "scripts/bench/pictures.lua"],
                                [sys.executable, __file__, "serve"])]
    speeds = [[turn(child) for child in children] for _ in range(rounds + 1)][1:]
    for child in children:
        child.stdin.close()
        child.wait()
    return [[pair[i] for pair in speeds] for i in (0, 1)]


def main(build="build", count="400", rounds="7"):
    with tempfile.TemporaryDirectory() as folder:
        make_pictures(folder, int(count))
        print("pictures        threads    Cusp tf.data   ratio of medians   of the best")
        for kind in ("jpeg", "png"):
            for name in FROM:
                for threads in (1, 0):
                    ours, theirs = compare(build, f"{folder}/{kind}-{name}", TO[name], threads,
                                           int(rounds))
                    print(f"{kind:4} {FROM[name]:3} to {TO[name]:3} {threads or 'all':>7} "
                          f"{statistics.median(ours):8.0f} {statistics.median(theirs):7.0f} "
                          f"{statistics.median(ours) / statistics.median(theirs):14.2f} "
                          f"{max(ours) / max(theirs):14.2f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main(*sys.argv[1:])
