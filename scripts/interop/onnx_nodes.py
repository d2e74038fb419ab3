"""Runs the node tests that the onnx package generates, in Cusp, and writes their table.

Usage: PYTHON -P scripts/interop/onnx_nodes.py BUILD/cusp [--table docs/onnx.md] [--verbose]
Needs the package onnx. A test over types that Cusp does not have does not count.
"""

import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

HAVE = {TensorProto.DataType.Value(name) for name in (
    "FLOAT UINT8 INT8 UINT16 INT16 INT32 INT64 STRING BOOL FLOAT16 DOUBLE UINT32 UINT64 BFLOAT16"
).split()} | {0}


def types_in(message, found):
    """The element types that a message names."""
    for field, value in message.ListFields():
        if field.name in ("elem_type", "data_type") and field.type == field.TYPE_INT32:
            found.add(value)
        elif field.name == "elem_type" and field.type != field.TYPE_MESSAGE:
            found.add(value)
        elif field.type == field.TYPE_MESSAGE:
            for item in value if hasattr(value, "__len__") and not hasattr(value, "DESCRIPTOR") else [value]:
                types_in(item, found)
    return found


def cast_targets(graph, found):
    for node in graph.node:
        for a in node.attribute:
            if (node.op_type, a.name) in (("Cast", "to"), ("BitCast", "to"), ("EyeLike", "dtype")):
                found.add(a.i)
            if a.name == "output_dtype":
                found.add(a.i)
            if a.HasField("g"):
                cast_targets(a.g, found)


def tensor(value, path):
    array = value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value))
    with open(path, "wb") as file:
        file.write(array.SerializeToString())


def describe(value, base):
    """Writes a value beside the test; its kind and files."""
    if value is None:
        return {"kind": "none"}
    if isinstance(value, (list, tuple)):
        names = []
        for i, item in enumerate(value):
            name = f"{base}_{i}.pb"
            tensor(item, name)
            names.append(name)
        return {"kind": "sequence", "files": names}
    tensor(value, base + ".pb")
    return {"kind": "tensor", "file": base + ".pb"}


def write_case(case, folder):
    path = os.path.join(folder, case.name)
    os.makedirs(path)
    onnx.save(case.model, os.path.join(path, "model.onnx"))
    inputs, outputs = case.data_sets[0]
    optional = any(i.type.HasField("optional_type") for i in case.model.graph.input)
    return {
        "name": case.name, "model": os.path.join(path, "model.onnx"), "optional": optional,
        "rtol": case.rtol, "atol": case.atol,
        "inputs": [describe(v, os.path.join(path, f"input_{i}")) for i, v in enumerate(inputs)],
        "outputs": [describe(v, os.path.join(path, f"output_{i}")) for i, v in enumerate(outputs)],
    }


def is_over_known_types(case):
    found = types_in(case.model, set())
    cast_targets(case.model.graph, found)
    for function in case.model.functions:
        cast_targets(function, found)
    return found <= HAVE


def all_cases():
    try:
        return collect_testcases(None)
    except TypeError:
        return collect_testcases()


def operator_of(name):
    return name.removeprefix("test_").split("_")[0]


def run(cusp, cases):
    """Name → None, or the reason of a failure."""
    with tempfile.TemporaryDirectory() as folder:
        described = [write_case(case, folder) for case in cases]
        manifest = os.path.join(folder, "cases.json")
        with open(manifest, "w") as file:
            json.dump(described, file)
        script = os.path.join(os.path.dirname(__file__), "onnx_nodes.lua")
        output = subprocess.run([cusp, script, manifest], capture_output=True, text=True)
        results = {}
        for line in output.stdout.splitlines():
            if line.startswith("{"):
                entry = json.loads(line)
                results[entry["name"]] = entry.get("reason")
        if output.returncode:
            print(output.stderr[-2000:], file=sys.stderr)
        return {case.name: results.get(case.name, "the process ended before it") for case in cases}


# Why a test cannot pass, by its name; others are shown with their error.
REASONS = [
    (r"bernoulli|dropout", "draws random numbers, which another generator draws otherwise"),
    (r"(bf16|fp16)", "sums of bfloat16 are rounded at the end, not after each term"),
    (r"dft_inverse", "the expected values were rounded to float32 within the transform"),
    (r"image_decoder", "pictures in files are decoded by `cusp.data`, not within a model"),
    (r"regex", "Lua has no regular expressions"),
    (r"tree_ensemble", "an ensemble of trees is no network"),
]


def explained(name, reason):
    for pattern, text in REASONS:
        if re.search(pattern, name):
            return text
    return short(reason)


def short(reason):
    text = reason.splitlines()[0]
    return text if len(text) <= 160 else text[:157] + "..."


def table(results, foreign, total):
    failed = {name: reason for name, reason in results.items() if reason}
    lines = [
        "| tests | count |", "| --- | --- |", f"| generated by onnx {onnx.__version__} | {total} |",
        f"| over types that Cusp does not have | {len(foreign)} |",
        f"| over types that it has | {len(results)} |",
        f"| of these, passed | {len(results) - len(failed)} "
        f"({100 * (len(results) - len(failed)) / len(results):.1f}%) |", "",
        "| not passed | why |", "| --- | --- |",
    ]
    groups = collections.defaultdict(list)
    for name, reason in failed.items():
        groups[explained(name, reason).replace("|", "/")].append(name.removeprefix("test_"))
    for reason, names in sorted(groups.items(), key=lambda pair: pair[1]):
        lines.append(f"| {', '.join(f'`{n}`' for n in sorted(names))} | {reason} |")
    return lines


def write_table(path, lines):
    with open(path) as file:
        text = file.read()
    start, end = "<!-- node tests -->", "<!-- end of node tests -->"
    before, rest = text.split(start)
    after = rest.split(end)[1]
    with open(path, "w") as file:
        file.write(before + start + "\n" + "\n".join(lines) + "\n" + end + after)


def main():
    cusp = os.path.abspath(sys.argv[1])
    cases = all_cases()
    known = [case for case in cases if is_over_known_types(case)]
    foreign = [case.name for case in cases if not is_over_known_types(case)]
    results = run(cusp, known)
    failed = {name: reason for name, reason in results.items() if reason}
    passed = len(results) - len(failed)
    print(f"{passed} of {len(results)} node tests pass; {len(foreign)} are over other types")
    if "--verbose" in sys.argv:
        for name, reason in sorted(failed.items()):
            print(name, "|", short(reason))
    if "--table" in sys.argv:
        write_table(sys.argv[sys.argv.index("--table") + 1], table(results, foreign, len(cases)))
    sys.exit(passed < 0.95 * len(results))


if __name__ == "__main__":
    main()
