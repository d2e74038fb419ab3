local program = (os.getenv "CUSP_BUILD" or "build") .. "/cusp"

-- Types lines at the prompt, in a terminal made by `script`; returns the output without the typed
-- lines.
local function session(lines)
  local home = os.tmpname()
  os.remove(home)
  os.execute("mkdir -p " .. home)
  local input = home .. "/input"
  local file = assert(io.open(input, "w"))
  file:write(lines, "\n\4")
  file:close()
  local pipe =
    io.popen(("HOME=%s XDG_STATE_HOME= TERM=dumb script -qec %s /dev/null < %s 2>&1"):format(home,
      program, input))
  local text = pipe:read("a"):gsub("\r", "")
  pipe:close()
  local history = io.open(home .. "/.cusp_history")
  local remembered = history and history:read "a" or ""
  if history then history:close() end
  os.execute("rm -r " .. home)
  return text:match "leaves%.\n(.*)$" or text, remembered
end

local has_script = os.execute "command -v script > /dev/null 2>&1"
local test = has_script and it or pending

describe("the prompt", function()
  test("echoes the values of expressions and runs statements", function()
    local text = session '1 + 1\nx = cusp.ones{2}\nx * 2, "a\\n"\n= 3\nnil\nprint "p"'
    assert.matches("> 1 + 1\n2\n", text, 1, true)
    assert.matches("tensor([2, 2], shape = {2}, dtype = float32)", text, 1, true)
    assert.matches('"a\\n"', text, 1, true)
    assert.matches("> = 3\n3\n", text, 1, true)
    assert.matches("> nil\nnil\n", text, 1, true)
    assert.matches('> print "p"\np\n> ', text, 1, true)
  end)

  test("goes on reading where a chunk is unfinished", function()
    local text = session "for i = 1, 2 do\nprint('i', i)\nend\nx = {\n1}\n#x"
    assert.matches(">> end\ni\t1\ni\t2\n", text, 1, true)
    assert.matches("> #x\n1\n", text, 1, true)
  end)

  test("keeps locals, and the last value", function()
    local text = session "local a, b = 5, 6\na + b\n_ + 1"
    assert.matches("> a + b\n11\n", text, 1, true)
    assert.matches("> _ + 1\n12\n", text, 1, true)
  end)

  test("survives errors", function()
    local text = session 'x = cusp.ones{2}\nx + "a"\nerror{}\nx =\n= 1 1\n7'
    assert.matches("stdin:1: add: argument 'x2'", text, 1, true)
    assert.matches("error object is a table value", text, 1, true)
    assert.matches("> 7\n7\n", text, 1, true)
  end)

  test("says which name was meant", function()
    local text = session 'layers.Dens(3)\ncusp.ones{2}:sumt()\ncusp.oness{2}\nt = {}\nt.foo()'
    assert.matches("(field 'Dens'); did you mean 'Dense'?", text, 1, true)
    assert.matches("(method 'sumt'); did you mean 'sum'?", text, 1, true)
    assert.matches("(field 'oness'); did you mean 'ones'?", text, 1, true)
    assert.matches("(field 'foo')\n", text, 1, true)
  end)

  test("has layers, ops and help", function()
    local text = session 'layers.Dense(3)\nhelp "relu"\nhelp(layers.Dense)\nhelp()\nhelp "softmx"'
    assert.matches("Dense", text, 1, true)
    assert.matches("ops.relu(x)", text, 1, true)
    assert.matches("class Dense", text, 1, true)
    assert.matches("units", text, 1, true)
    assert.matches("Tab completes", text, 1, true)
    assert.matches("did you mean 'softmax'?", text, 1, true)
    text = session('help "fit"\nhelp "random.normal"\nhelp "hdf5"\nhelp '
      .. '"EarlyStoping"\nhelp(cusp.data.Dataset.range(3))')
    assert.matches("validation_split       number, default 0: share of the data", text, 1, true)
    assert.matches("stddev  number, default 1.0", text, 1, true)
    assert.matches("create load open save", text, 1, true)
    assert.matches("did you mean 'EarlyStopping'?", text, 1, true)
    assert.matches("rebatch reduce repeat", text, 1, true)
  end)

  test("remembers lines", function()
    local _, history = session "x = 41 + 1\nfor i = 1, 1 do\nend"
    assert.matches("x = 41 + 1\n", history, 1, true)
    assert.matches("for i = 1, 1 do end", history, 1, true)
  end)
end)

describe("cusp.prompt.show", function()
  local show = require "cusp.prompt.show"

  it("shows tables sorted, shallow and abridged", function()
    assert.equal('{1, 2, "a", b = {c = {...}}, ["d e"] = true}',
      show{1, 2, "a", b = {c = {1}}, ["d e"] = true})
    assert.equal("{}", show{})
    local long = {}
    for i = 1, 100 do long[i] = i end
    assert.matches("20,\n  ... 80 more\n}", show(long), 1, true)
    local loop = {}
    loop.self = loop
    assert.equal("{self = {self = {...}}}", show(loop))
  end)

  it("shows a large tensor within a table by its type", function()
    local tensor = require("cusp.engine").tensor
    assert.equal("{tensor(..., shape = {2, 2}, dtype = int32)}", show{tensor({{1, 2}, {3, 4}})})
    assert.equal("{tensor([1, 2], shape = {2}, dtype = int32)}", show{tensor({1, 2})})
  end)
end)

describe("cusp.prompt.complete", function()
  local complete = require "cusp.prompt.complete"
  local function has(list, name)
    for _, item in ipairs(list) do
      if item == name then return true end
    end
    return false
  end

  setup(function()
    rawset(_G, "cusp", require "cusp")
    rawset(_G, "spec_tensor", require("cusp.engine").tensor({1}))
  end)
  teardown(function()
    rawset(_G, "cusp", nil)
    rawset(_G, "spec_tensor", nil)
  end)

  it("finds globals, members not yet loaded, methods and fields", function()
    assert.is_true(has(complete("prin", "prin", 1), "print"))
    assert.is_true(has(complete("func", "func", 1), "function"))
    assert.is_true(has(complete("cusp.layers.Den", "cusp.layers.Den", 1), "cusp.layers.Dense"))
    assert.is_true(has(complete("spec_tensor:resh", "spec_tensor:resh", 1), "spec_tensor:reshape"))
    assert.is_true(has(complete("spec_tensor.sh", "spec_tensor.sh", 1), "spec_tensor.shape"))
    assert.is_true(has(complete("string.fo", "string.fo", 1), "string.format"))
    assert.same({}, complete("nothing.at.all", "nothing.at.all", 1))
  end)

  it("knows the arguments of what is called", function()
    local line = "cusp.layers.Dense{3, act"
    assert.is_true(has(complete("act", line, #line - 2), "activation = "))
    line = "cusp.ops.sum(spec_tensor, {ke"
    assert.is_true(has(complete("ke", line, #line - 1), "keepdims = "))
  end)
end)
