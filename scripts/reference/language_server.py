"""Asks a language server what it knows of Cusp through the annotations: what it shows on hover,
what it completes, and whether it warns about anything in the examples.

Usage: python3 scripts/reference/language_server.py SERVER LIBRARY
SERVER is emmylua_ls; LIBRARY the folder that `make library` writes. Exits with 0 if all is as it
should be, with 77 if there is no such server."""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TIMEOUT = 20  # seconds for an answer
TRIES = 20  # a server answers with nothing while it still reads the library


class Server:
    def __init__(self, program, folder):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.count = 0
        uri = "file://" + folder
        self.ask("initialize", {
            "processId": os.getpid(), "rootUri": uri,
            "workspaceFolders": [{"uri": uri, "name": "check"}],
            "capabilities": {
                "workspace": {"configuration": True, "workspaceFolders": True},
                "textDocument": {
                    "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                    "hover": {"contentFormat": ["markdown"]},
                    "diagnostic": {"dynamicRegistration": False}}}})
        self.tell("initialized", {})

    def send(self, message):
        message["jsonrpc"] = "2.0"
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def tell(self, method, parameters):
        self.send({"method": method, "params": parameters})

    def read(self):
        length = 0
        while True:
            line = self.process.stdout.readline().strip()
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            if not line:
                return json.loads(self.process.stdout.read(length))

    def ask(self, method, parameters):
        self.count += 1
        wanted = self.count
        self.send({"id": wanted, "method": method, "params": parameters})
        signal.alarm(TIMEOUT)
        while True:
            message = self.read()
            if "method" in message and "id" in message:  # the server asks
                items = message.get("params", {}).get("items") if isinstance(
                    message.get("params"), dict) else None
                self.send({"id": message["id"], "result": [None] * len(items) if items else None})
            elif message.get("id") == wanted:
                signal.alarm(0)
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]


def place(text, mark="|"):
    """The text without the mark, and the position of the mark."""
    before, after = text.split(mark)
    lines = before.split("\n")
    return before + after, {"line": len(lines) - 1, "character": len(lines[-1])}


HEAD = 'local cusp = require "cusp"\nlocal layers, ops = cusp.layers, cusp.ops\n'

# What is typed, with | for the cursor, and names that have to be among the completions.
COMPLETIONS = [
    ("local d = layers.|", ["Dense", "Conv2D", "LSTM", "MultiHeadAttention"]),
    ("local d = layers.Dense{units = 3, |}", ["activation", "use_bias", "kernel_initializer"]),
    ("local d = layers.Conv2D{|}", ["filters", "padding", "strides"]),
    ("local m = cusp.Sequential{}\nm:|", ["fit", "compile", "evaluate", "save", "add"]),
    ("local m = cusp.Sequential{}\nm:fit{|}", ["epochs", "batch_size", "validation_data"]),
    ("local x = cusp.tensor{1.0}\nlocal y = x:|", ["sum", "item", "tolist", "softmax"]),
    ("local x = cusp.tensor{1.0}\nlocal y = (x + 1):sum():|", ["item"]),
    ("local y = ops.|", ["matmul", "softmax", "image"]),
    ("local y = ops.image.|", ["resize"]),
    ("local o = cusp.optimizers.Adam{|}", ["learning_rate", "beta_1", "clipnorm"]),
    ("local v = cusp.Variable(1.0)\nv:|", ["assign", "assign_add", "sum"]),
    ("local ds = cusp.data.Dataset.from_tensor_slices{1}:|", ["map", "batch"]),
]

# What is typed, with | within the name, and what the hover has to say.
HOVERS = [
    ("local d = layers.Den|se{3}", ["fully connected layer"]),
    ("local y = ops.soft|max(1)", ["softmax", "axis"]),
    ("local m = cusp.Sequential{}\nm:f|it{1, 2}", ["epochs"]),
    ("local d = layers.Dense{3}\nlocal y = d(1)\nprint(|y)", ["cusp.Tensor"]),
    ("local d = layers.Dense{3}\nprint(|d)", ["cusp.layers.Dense"]),
    ("local d = layers.Conv2D{3, 3}\nprint(|d)", ["cusp.layers.Conv2D"]),
    ("local a = cusp.tensor{1} * 2\nprint(|a)", ["cusp.Tensor"]),
    ("local x = cusp.tensor{1}\nlocal s = x:sl|ice{{1, 2}}", ["axis"]),
]

# Programs that have to be warned about: the annotations are looked at indeed.
MISTAKES = ["local d = layers.Dens{3}\nprint(d)", "local y = ops.summ(1)\nprint(y)"]


class Workspace:
    """A folder of programs, and a server that looks at them."""

    def __init__(self, program, libraries, texts):
        self.folder, self.texts = os.path.realpath(tempfile.mkdtemp()), texts
        with open(self.folder + "/.emmyrc.json", "w") as file:
            json.dump({"runtime": {"version": "Lua5.4"}, "workspace": {"library": libraries}}, file)
        for name, text in texts.items():
            with open(f"{self.folder}/{name}.lua", "w") as file:
                file.write(text)
        self.server = Server(program, self.folder)
        for name in texts:
            self.server.tell("textDocument/didOpen", {"textDocument": {
                "uri": self.uri(name), "languageId": "lua", "version": 1, "text": texts[name]}})

    def uri(self, name):
        return f"file://{self.folder}/{name}.lua"

    def ask(self, method, name, position=None):
        parameters = {"textDocument": {"uri": self.uri(name)}}
        if position:
            parameters["position"] = position
        return self.server.ask("textDocument/" + method, parameters)

    def completions(self, name, position):
        found = self.ask("completion", name, position)
        items = found["items"] if isinstance(found, dict) else found or []
        return {item["label"].split("(")[0].split(" =")[0].rstrip("?") for item in items}

    def warnings(self, name):
        report = self.ask("diagnostic", name)
        return [f"{item['range']['start']['line'] + 1}: {item.get('code')}: {item['message']}"
                for item in report.get("items", [])]

    def close(self):
        self.server.process.kill()
        self.server.process.wait()
        shutil.rmtree(self.folder)


def missing(wanted, look):
    """What of the wanted names `look` does not find, even after a while."""
    for _ in range(TRIES):
        found = look()
        left = [name for name in wanted if name not in found]
        if not left:
            break
        time.sleep(0.25)
    return left


def examples():
    texts = {}
    for path in sorted(glob.glob("scripts/examples/*.lua")):
        with open(path) as file:
            texts["example_" + os.path.basename(path)[:-4]] = file.read()
    return texts


def check_answers(workspace, places):
    failures = []
    for i, (text, names) in enumerate(COMPLETIONS):
        name = f"completion{i}"
        left = missing(names, lambda: workspace.completions(name, places[name]))
        failures += [f"completion of {text!r}: {left} missing"] if left else []
    for i, (text, words) in enumerate(HOVERS):
        name = f"hover{i}"
        left = missing(words, lambda: json.dumps(workspace.ask("hover", name, places[name])))
        failures += [f"hover over {text!r}: {left} missing"] if left else []
    for i, text in enumerate(MISTAKES):
        if missing(["undefined"], lambda: "".join(workspace.warnings(f"mistake{i}"))):
            failures.append(f"no warning about {text!r}")
    return failures


def check_examples(workspace, bare):
    """What a server says of a program without the annotations is not their fault."""
    return [f"scripts/examples/{name[8:]}.lua:{warning}" for name in examples()
            for warning in workspace.warnings(name) if warning not in bare.warnings(name)]


def check(program, library):
    texts, places = examples(), {}
    for kind, list_of_pairs in (("completion", COMPLETIONS), ("hover", HOVERS)):
        for i, (text, _) in enumerate(list_of_pairs):
            texts[f"{kind}{i}"], places[f"{kind}{i}"] = place(HEAD + text + "\n")
    for i, text in enumerate(MISTAKES):
        texts[f"mistake{i}"] = HEAD + text + "\n"
    workspace = Workspace(program, [os.path.realpath(library)], texts)
    bare = Workspace(program, [], examples())
    try:
        return check_answers(workspace, places) + check_examples(workspace, bare)
    finally:
        workspace.close()
        bare.close()


def give_up(*_):
    raise TimeoutError


def main(program, library):
    if not shutil.which(program):
        print(f"there is no language server {program}")
        return 77
    signal.signal(signal.SIGALRM, give_up)
    failures = ["the server does not answer"]
    for _ in range(3):
        try:
            failures = check(program, library)
            break
        except TimeoutError:
            continue
    for failure in failures:
        print(failure)
    count = len(COMPLETIONS) + len(HOVERS) + len(MISTAKES) + len(examples())
    print(f"{count} checks, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
