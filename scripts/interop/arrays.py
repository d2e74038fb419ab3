"""Has NumPy, h5py and Python read the arrays, tables and archives that Cusp writes, and Cusp theirs.

    python scripts/interop/arrays.py build/cusp

Needs NumPy, ml_dtypes (which come with Keras 3) and h5py; PyYAML and the programs h5diff and unzip where they are there.
"""
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

import h5py
import ml_dtypes
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
failures = 0
DTYPES = "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 bfloat16 float32 float64".split()
PLAIN = {
    "list": [1, 2.5, "x", True, False, None, []],
    "nested": [{"a": 1, "b": ["n\u00e9e", "two\nlines"]}],
    "integer": 2**53,
    "small": 1e-7,
    "text": "yes",
    "number_text": "123",
}


def cusp(*arguments):
    command = [sys.argv[1], os.path.join(here, "arrays.lua"), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def report(what, action):
    """Runs an action that returns what is wrong, or something false."""
    global failures
    try:
        problem = action()
    except Exception as error:  # whatever it is, it is what the report is about
        problem = f"{type(error).__name__}: {error}"
    failures += bool(problem)
    print(f"{what}: {'NO: ' + str(problem) if problem else 'yes'}")


def values(dtype):
    numbers = np.arange(24).reshape(2, 3, 4)
    return numbers % 2 == 1 if dtype == "bool" else numbers.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def expected():
    arrays = {dtype: values(dtype) for dtype in DTYPES}
    arrays.update(scalar=np.float32(3.5), empty=np.zeros((0, 3), np.float32), transposed=values("float32").T)
    return arrays


def differs(name, found, wanted):
    if wanted.dtype == ml_dtypes.bfloat16:
        found = found.view(ml_dtypes.bfloat16)  # NumPy itself knows two raw bytes
    if found.dtype != wanted.dtype or found.shape != wanted.shape or not np.array_equal(found, wanted):
        return f"{name}: {found.dtype} {found.shape}, expected {wanted.dtype} {wanted.shape}"
    return None


def differing(found, wanted):
    if set(found) != set(wanted):
        return f"holds {sorted(found)}"
    return "; ".join(filter(None, (differs(name, np.asarray(found[name]), wanted[name]) for name in wanted)))


def same_npy(folder):
    """NumPy's bytes, too."""
    for dtype in DTYPES:
        path = f"{folder}/{dtype}.npy"
        np.save(f"{folder}/again.npy", values(dtype))
        problem = differs(dtype, np.load(path), values(dtype))
        if problem or open(path, "rb").read() != open(f"{folder}/again.npy", "rb").read():
            return problem or f"{dtype}: other bytes than NumPy's"
    return None


def npz(path):
    with zipfile.ZipFile(path) as archive:
        if archive.testzip():
            return "a damaged member"
    with np.load(path) as file:
        return differing({name: file[name] for name in file}, expected())


def hdf5(folder):
    wanted = expected()
    del wanted["bfloat16"]
    with h5py.File(f"{folder}/arrays.h5") as file:
        problem = differing({name: item[()] for name, item in file["group/inner"].items()}, wanted)
    with h5py.File(f"{folder}/theirs.h5", "w") as file:
        for name, value in wanted.items():
            file[f"group/inner/{name}"] = value
    if not problem and shutil.which("h5diff"):
        done = subprocess.run(["h5diff", f"{folder}/arrays.h5", f"{folder}/theirs.h5"], stdout=subprocess.PIPE, text=True)
        problem = done.returncode and "h5diff: " + " ".join(done.stdout.split())[:200]
    return problem


def mixed(text, arrays):
    skeleton = json.loads(text)
    return skeleton != {"list": [{"$tensor": "list/1"}, 5, "text"], "none": {"$none": True}} or differs("list/1", arrays, values("float32"))


def mixed_npz(folder):
    with np.load(f"{folder}/mixed.npz") as file:
        return mixed(file["cusp.json"], file["list/1"])


def mixed_h5(folder):
    with h5py.File(f"{folder}/mixed.h5") as file:
        return mixed(file["cusp.json"][()], file["list/1"][()])


def members(path):
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    if shutil.which("unzip") and subprocess.run(["unzip", "-tq", path], stdout=subprocess.DEVNULL).returncode:
        return "unzip -t finds it damaged"
    return found != {"n\u00e9e/text.txt": b"text", "zeros": bytes(100000)} and f"holds {sorted(found)}"


def yaml_differs(folder):
    import yaml

    return yaml.safe_load(open(f"{folder}/plain.yaml", encoding="utf-8")) != PLAIN and "another value"


def write(folder):
    """The same in Python's hands."""
    arrays = expected()
    os.mkdir(folder)
    np.save(f"{folder}/big.npy", values("float64").astype(">f8"))
    np.save(f"{folder}/fortran.npy", np.asfortranarray(values("float32")))
    np.savez(f"{folder}/stored.npz", **arrays)
    np.savez_compressed(f"{folder}/deflated.npz", **arrays)
    with h5py.File(f"{folder}/arrays.h5", "w") as file:
        for name, value in arrays.items():
            if name != "bfloat16":
                file[f"group/{name}"] = value
        file.create_dataset("chunked", data=values("int32"), chunks=(1, 3, 4), compression="gzip", shuffle=True)
        file["text"] = "n\u00e9e"
        file["texts"] = ["a", "n\u00e9e"]
    with open(f"{folder}/plain.json", "w", encoding="utf-8") as file:
        json.dump(PLAIN, file)
    with zipfile.ZipFile(f"{folder}/members.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("n\u00e9e.txt", "text " * 1000)
    if importlib.util.find_spec("yaml"):
        import yaml

        with open(f"{folder}/plain.yaml", "w", encoding="utf-8") as file:
            yaml.safe_dump(PLAIN, file, allow_unicode=True)


def as_described(array):
    array = np.asarray(array)
    shape = json.dumps(list(array.shape)) if array.shape else "()"
    return {"shape": shape, "dtype": str(array.dtype), "values": array.astype(np.float64).ravel().tolist()}


def described(arrays):
    return {name: as_described(value) for name, value in arrays.items()}


def wanted_of(name):
    arrays = expected()
    if name.endswith(".npz"):
        return described(arrays)
    if name == "arrays.h5":
        del arrays["bfloat16"]
        return {"group": described(arrays), "chunked": as_described(values("int32")), "text": "n\u00e9e", "texts": ["a", "n\u00e9e"]}
    if name == "members.zip":
        return {"n\u00e9e.txt": "text " * 1000}
    if name.startswith("plain"):
        return PLAIN
    return as_described(values("float64" if name == "big.npy" else "float32"))


def main():
    folder = tempfile.mkdtemp()
    try:
        cusp("write", folder)
        print(f"NumPy {np.__version__}, h5py {h5py.__version__}, Python {sys.version.split()[0]}")
        report(".npy of every dtype, byte for byte", lambda: same_npy(folder))
        report(".npz stored", lambda: npz(f"{folder}/stored.npz"))
        report(".npz deflated", lambda: npz(f"{folder}/deflated.npz"))
        report(".npz with other values", lambda: mixed_npz(folder))
        report(".h5 of every dtype but bfloat16, h5diff with h5py's", lambda: hdf5(folder))
        report(".h5 with other values", lambda: mixed_h5(folder))
        report("zip", lambda: members(f"{folder}/members.zip"))
        report(".json", lambda: json.load(open(f"{folder}/plain.json", encoding="utf-8")) != PLAIN and "another value")
        if importlib.util.find_spec("yaml"):
            report(".yaml", lambda: yaml_differs(folder))
        write(f"{folder}/python")
        for name, answer in sorted(json.loads(cusp("read", folder)).items()):
            report(f"Cusp reads {name}", lambda answer=answer, name=name: answer.get("problem") or (
                answer["value"] != wanted_of(name) and f"holds {json.dumps(answer['value'])[:300]}"))
        print("all agree" if failures == 0 else f"{failures} differ")
    finally:
        shutil.rmtree(folder)
    sys.exit(failures > 0)


main()
