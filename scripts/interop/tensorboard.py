"""Has TensorBoard read what Cusp writes: its event reader, and a server's answers for every page.

    python scripts/interop/tensorboard.py build/cusp > scripts/interop/tensorboard.txt

Needs the Python package tensorboard. Times and rates are left out of what is printed.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path = [path for path in sys.path if os.path.basename(path) != "interop"]  # this file has the package's name

import tensorboard.version
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.util import tensor_util

HERE = os.path.dirname(os.path.abspath(__file__))


def shown(numbers):
    return "[" + ", ".join("%.6g" % number for number in numbers) + "]"


def read_runs(folder):
    """Tags, steps and values through EventAccumulator, which checks each record's checksums."""
    for root, _, files in sorted(os.walk(folder)):
        if not any("tfevents" in name for name in files):
            continue
        print("run", os.path.relpath(root, folder))
        accumulator = event_accumulator.EventAccumulator(root, {"tensors": 0})
        accumulator.Reload()
        tags = accumulator.Tags()
        print("  graph:", tags["graph"], " file version:", accumulator.file_version)
        for tag in sorted(tags["tensors"]):
            events = accumulator.Tensors(tag)
            plugin = accumulator.SummaryMetadata(tag).plugin_data.plugin_name
            arrays = [tensor_util.make_ndarray(event.tensor_proto) for event in events]
            line = "  %-13s %-40s steps %s" % (plugin, tag, [event.step for event in events])
            if plugin == "scalars" and "per_second" not in tag:
                line += " " + shown(float(array) for array in arrays)
            elif plugin == "histograms":
                line += " counts %s" % [int(array[:, 2].sum()) for array in arrays]
            elif plugin == "images":
                line += " width, height %s, %d pictures" % ([int(s) for s in arrays[0][:2]], len(arrays[0]) - 2)
            elif plugin == "text":
                line += " %s" % arrays[0].tolist()
            print(line)


class Server:
    """A TensorBoard that serves a folder on a free port."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--port", "0", "--host", "127.0.0.1", "--load_fast=false",
             "--reload_interval", "1"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        for line in self.process.stderr:
            address = re.search(r"http://[\w.:]+/", line)
            if address:
                self.address = address.group(0)
                return
        raise RuntimeError("TensorBoard did not start")

    def get(self, path, body=None, **query):
        url = self.address + "data/" + path + ("?" + urllib.parse.urlencode(query) if query else "")
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"} if body else {})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def json(self, path, body=None, **query):
        return json.loads(self.get(path, body, **query))

    def wait_for(self, path, ready):
        for _ in range(120):
            try:
                if ready(self.json(path)):
                    return
            except urllib.error.URLError:
                pass
            time.sleep(0.5)
        raise RuntimeError("no data at " + path)

    def close(self):
        self.process.terminate()
        self.process.wait()


def png_size(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def query_server(server):
    server.wait_for("plugin/scalars/tags", lambda tags: len(tags) >= 6)
    print("runs", sorted(server.json("runs")))
    scalars = server.json("plugin/scalars/tags")
    for run in sorted(scalars):
        print("scalars", run, sorted(scalars[run]))
    print("epoch_loss", [(step, "%.6g" % value) for _, step, value in
                         server.json("plugin/scalars/scalars", run="trial_1/train", tag="epoch_loss")])
    histograms = server.json("plugin/histograms/tags")
    print("histograms", {run: len(tags) for run, tags in sorted(histograms.items())})
    for _, step, buckets in server.json("plugin/histograms/histograms", run="own", tag="values"):
        print("values at step", step, [["%.6g" % number for number in bucket] for bucket in buckets])
    print("distributions", {run: len(tags) for run, tags in sorted(server.json("plugin/distributions/tags").items())})

    images = server.json("plugin/images/tags")
    print("images", {run: len(tags) for run, tags in sorted(images.items())}, images["own"]["pictures"])
    for entry in server.json("plugin/images/images", run="own", tag="pictures", sample=0):
        picture = server.get("plugin/images/individualImage?" + entry["query"])
        print("picture at step", entry["step"], "PNG of", png_size(picture))
    print("audio", server.json("plugin/audio/tags"))
    for entry in server.json("plugin/audio/audio", run="own", tag="tone", sample=0):
        print("tone", entry["contentType"], len(server.get("plugin/audio/individualAudio?" + entry["query"])), "bytes")
    for tag in ("note", "table"):
        for entry in server.json("plugin/text/text", run="own", tag=tag):
            print("text", tag, "at step", entry["step"], re.sub(r"\s+", " ", entry["text"]))

    info = server.json("plugin/graphs/info")
    print("graphs", {run: (entry["run_graph"], sorted(entry["tags"])) for run, entry in sorted(info.items())})
    graph = server.get("plugin/graphs/graph", run="trial_1/train", conceptual="false").decode()
    print("graph's nodes", re.findall(r'^  name: "(.*)"', graph, re.M))
    graph = server.get("plugin/graphs/graph", run="trial_1/train", conceptual="true", tag="keras").decode()
    print("conceptual graph's nodes", re.findall(r'^  name: "(.*)"', graph, re.M))

    experiment = server.json("plugin/hparams/experiment", body=b'{"experimentName": ""}')
    print("hparams", [(info["name"], info.get("type")) for info in experiment["hparamInfos"]],
          [metric["name"]["tag"] for metric in experiment["metricInfos"]])
    request = {"experimentName": "", "startIndex": 0, "sliceSize": 10, "colParams": [],
               "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]}
    groups = server.json("plugin/hparams/session_groups", body=json.dumps(request).encode())["sessionGroups"]
    for group in sorted(groups, key=lambda group: str(group["hparams"])):
        print("trial", sorted(group["hparams"].items()), [session["status"] for session in group["sessions"]],
              [(value["name"]["tag"], "%.6g" % value["value"]) for value in group["metricValues"]])

    print("projector", server.json("plugin/projector/runs"))
    for embedding in server.json("plugin/projector/info", run="own")["embeddings"]:
        vectors = server.get("plugin/projector/tensor", run="own", name=embedding["tensorName"])
        print("embedding", embedding["tensorName"], embedding["tensorShape"], len(vectors), "bytes")
        print("labels", server.get("plugin/projector/metadata", run="own", name=embedding["tensorName"]).decode().split("\n"))


def main():
    cusp = sys.argv[1] if len(sys.argv) > 1 else "build/cusp"
    print("TensorBoard", tensorboard.version.VERSION)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([cusp, os.path.join(HERE, "tensorboard.lua"), folder], check=True)
        read_runs(folder)
        server = Server(folder)
        try:
            query_server(server)
        finally:
            server.close()


main()
