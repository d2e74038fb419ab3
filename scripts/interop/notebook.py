"""The notebook's kernel under Jupyter's own tests, and the example notebooks run by nbclient.

Usage: notebook.py CUSP [FOLDER]; with a folder, the notebooks are also rendered to HTML there.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

CUSP = os.path.abspath(sys.argv[1])
HTML = sys.argv[2] if len(sys.argv) > 2 else None
PREFIX = tempfile.mkdtemp()
subprocess.run([CUSP, "kernel", "--install", "--prefix", PREFIX], check=True, stdout=subprocess.DEVNULL)
os.environ["JUPYTER_PATH"] = PREFIX + "/share/jupyter"
os.environ["CUSP_HISTORY"] = PREFIX + "/history"

import jupyter_kernel_test  # noqa: E402  after the environment is set
import nbformat  # noqa: E402
from jupyter_client.manager import KernelManager  # noqa: E402
from nbclient import NotebookClient  # noqa: E402


class KernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = "cusp"
    language_name = "lua"
    file_extension = ".lua"
    code_hello_world = "print 'hello, world'"
    code_stderr = "io.stderr:write 'to standard error'"
    completion_samples = [{"text": "layers.Embeddi", "matches": {"layers.Embedding"}}]
    complete_code_samples = ["1", "print 'hello'", "x = 1\nx", "for i = 1, 2 do print(i) end"]
    incomplete_code_samples = ["for i = 1, 2 do", "print(", "x = [["]
    invalid_code_samples = ["x = = 1", "1 2"]
    code_generate_error = "error 'on purpose'"
    code_inspect_sample = "layers.Dense"
    code_execute_result = [
        {"code": "1+2+3", "result": "6"},
        {"code": "cusp.tensor{1, 2}", "result": "tensor([1, 2], shape = {2}, dtype = int32)"},
    ]
    code_display_data = [{"code": "cusp.display(cusp.tensor{1, 2})", "mime": "text/html"}]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "range", "search")
    code_clear_output = "cusp.display.clear()"


def run_tests():
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(KernelTests)
    result = unittest.TextTestRunner(stream=open(os.devnull, "w")).run(suite)
    for case, text in result.failures + result.errors:
        print(case, text, sep="\n")
    print(f"jupyter_kernel_test: {result.testsRun} tests, {len(result.failures) + len(result.errors)} failed, "
          f"{len(result.skipped)} skipped")
    return result.wasSuccessful()


def run_notebook(path):
    notebook = nbformat.read(path, 4)
    NotebookClient(notebook, kernel_name="cusp", timeout=600).execute()
    kinds = sorted({kind for cell in notebook.cells for output in cell.get("outputs", [])
                    for kind in output.get("data", {}) if kind != "text/plain"})
    print(f"{path.name}: {sum(cell.cell_type == 'code' for cell in notebook.cells)} cells, {', '.join(kinds)}")
    if HTML:
        from nbconvert import HTMLExporter
        pathlib.Path(HTML, path.stem + ".html").write_text(HTMLExporter().from_notebook_node(notebook)[0])


def measure():
    """The fastest start of several until the first answer, and the memory then."""
    best = 1e9
    for _ in range(5):
        manager = KernelManager(kernel_name="cusp")
        began = time.monotonic()
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        client.kernel_info()
        client.get_shell_msg(timeout=30)
        best = min(best, time.monotonic() - began)
        status = pathlib.Path(f"/proc/{manager.provisioner.process.pid}/status").read_text()
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    memory = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(f"start to first answer: {1000 * best:.0f} ms, {memory:.0f} MB")


passed = run_tests()
for name in sorted(pathlib.Path("scripts/examples/notebooks").glob("*.ipynb")):
    run_notebook(name)
measure()
sys.exit(not passed)
