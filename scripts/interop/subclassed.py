"""Has Keras 3 load what Cusp saves of models that are classes; spec/saving/subclassed_spec.lua shows the other way.

    python scripts/interop/subclassed.py build/cusp
"""
import json
import os
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path = [path for path in sys.path if path != here]  # where a file has the name of the package tensorboard
import numpy as np  # noqa: E402
import keras  # noqa: E402

sys.path.append(os.path.join(here, "..", "fixtures"))
import subclassed  # noqa: E402

failures = 0
custom = {c.__name__: c for c in (subclassed.Plain, subclassed.Lists, subclassed.Branches, subclassed.Nested, subclassed.Within)}


def check(name, model, x, wanted):
    global failures
    difference = np.abs(np.asarray(model(x)) - wanted).max()
    failures += difference > 1e-4
    print(f"{name}: {'the same' if difference <= 1e-4 else f'differs by {difference}'}")


with tempfile.TemporaryDirectory() as folder:
    text = subprocess.run([sys.argv[1], "scripts/interop/subclassed.lua", folder], check=True, capture_output=True).stdout
    for name, wanted in json.loads(text).items():
        model, x = subclassed.build(name)
        model.load_weights(f"{folder}/{name}.weights.h5")
        check(f"{name}.weights.h5", model, x, np.array(wanted))
        check(f"{name}.keras", keras.models.load_model(f"{folder}/{name}.keras", custom), x, np.array(wanted))
sys.exit(failures > 0)
