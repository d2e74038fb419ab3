local folder = require "spec.support.folder"
local forms = require "cusp.notebook.forms"
local html = require "cusp.notebook.html"
local json = require "cusp.formats.json"
local notebook = require "cusp.notebook"
local cusp = require "cusp"
local has_zmq = pcall(require, "cusp.native.zmq")
local test = has_zmq and it or pending

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

-- Runs the command; what it printed on standard output and error, and whether it succeeded.
local program = (os.getenv "CUSP_BUILD" or "build") .. "/cusp"
local function run(arguments)
  local pipe = io.popen(("%s kernel %s 2>&1"):format(program, arguments))
  local text = pipe:read "a"
  return text, pipe:close() == true
end

describe("cusp kernel", function()
  test("installs a description that starts this program", function()
    local home <close> = folder.new()
    local text, ok = run("--install --prefix " .. home.path)
    assert.is_true(ok, text)
    local place = home.path .. "/share/jupyter/kernels/cusp/"
    assert.matches(place:sub(1, -2), text, 1, true)
    local description = json.decode(read(place .. "kernel.json"))
    assert.equal("signal", description.interrupt_mode)
    assert.same({"kernel", "--connection-file", "{connection_file}"},
      {table.unpack(description.argv, 2)})
    assert.matches("^\x89PNG", read(place .. "logo-64x64.png"))
    assert.matches("<svg", read(place .. "logo-svg.svg"), 1, true)
    assert.is_true(select(2, run("--install --prefix=" .. home.path))) -- over itself
  end)

  it("says what is wrong with its arguments", function()
    for arguments, problem in pairs{
      ["--instal"] = "there is no option --instal (did you mean 'install'?)",
      [""] = "expected either --install or --connection-file FILE",
      ["--install --user --prefix x"] = "--user and --prefix exclude each other",
      ["--user"] = "--user and --prefix say where --install writes",
      ["--connection-file /no/such/file"] = "the connection file cannot be read",
    } do
      local text, ok = run(arguments)
      assert.is_false(ok)
      assert.matches(problem, text, 1, true)
    end
  end)

  test("refuses connection files that are none", function()
    local home <close> = folder.new()
    local path = home.path .. "/c.json"
    local function with(text, pattern)
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
      assert.error_matches(function() notebook.serve(path) end, pattern)
    end
    with("[", "json: ")
    with("3", "expected a JSON object")
    with('{"shell_port": 1.5}', "expected an integer 'shell_port', got number 1.5")
    with('{"shell_port":1,"control_port":2,"stdin_port":3,"iopub_port":4,"hb_port":5,'
      .. '"signature_scheme":"hmac-md5"}', "signed by hmac%-sha256")
    with('{"shell_port":1,"control_port":2,"stdin_port":3,"iopub_port":4,"hb_port":5,'
      .. '"transport":"ipc","ip":"/no/such/folder/s"}', "zmq: ipc:///no/such/folder/s%-1: ")
  end)
end)

describe("forms", function()
  it("are in Base64 of any length", function()
    for text, coded in pairs{[""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foobar = "Zm9vYmFy",
      ["\0\xff\n"] = "AP8K"} do
      assert.equal(coded, forms.base64(text))
    end
  end)

  it("abridge long tensors, and leave others to their text", function()
    local text = html.tensor(cusp.arange(100):reshape{20, 5})
    assert.equal(11, select(2, text:gsub("<tr>", "")))
    assert.matches("<td>…</td>", text, 1, true)
    assert.matches("shape {20, 5}, int32", text, 1, true)
    assert.is_nil(html.tensor(cusp.zeros{2, 2, 2}))
    assert.is_nil(html.tensor(cusp.tensor(1)))
    assert.is_nil(html.tensor(cusp.zeros{0, 3}))
    assert.matches("<td>1</td><td>2</td>", html.tensor(cusp.tensor{1, 2}), 1, true)
  end)

  it("escape names", function()
    local model = cusp.Sequential{cusp.Input{shape = {1}}, cusp.layers.Dense{1, name = "a<b>"}}
    assert.matches("a&lt;b&gt; (Dense)", html.model(model), 1, true)
  end)

  it("are printed without a notebook", function()
    local own, lines = print, {}
    rawset(_G, "print", function(text) lines[#lines + 1] = text end)
    cusp.display({1, 2}, "a")
    cusp.display.clear()
    rawset(_G, "print", own)
    assert.same({"{1, 2}", '"a"'}, lines)
  end)
end)
