local prompt = require "spec.support.prompt"
local session = prompt.session
local test = prompt.possible and it or pending

describe("the prompt", function()
  test("echoes the values of expressions and runs statements", function()
    local text = session '1 + 1\nx = cusp.ones{2}\nx * 2, "a\\n"\n= 3\nnil\nprint "p"'
    assert.matches("> 1 + 1\n2\n", text, 1, true)
    assert.matches("tensor([2, 2], shape = {2}, dtype = float32)", text, 1, true)
    assert.matches('"a\\n"', text, 1, true)
    assert.matches("> = 3\n3\n", text, 1, true)
    assert.matches("> nil\nnil\n", text, 1, true)
    assert.matches('> print "p"\np\n[', text, 1, true)
  end)

  test("keeps quiet after a semicolon", function()
    local text = session "40 + 2;\n_ + 1\n'a' -- no ; at the end"
    assert.matches("> 40 + 2;\n[2]> _ + 1\n43\n", text, 1, true)
    assert.matches('at the end\n"a"\n', text, 1, true)
  end)

  test("goes on reading where a chunk is unfinished", function()
    local text = session "for i = 1, 2 do\nprint('i', i)\nend\nx = {\n1}\n#x"
    assert.matches(">> end\ni\t1\ni\t2\n", text, 1, true)
    assert.matches("> #x\n1\n", text, 1, true)
  end)

  test("keeps locals, the last values and those of inputs by number", function()
    local text = session("local a, b = 5, 6\na + b\n_ + 1\n_2 * 2\n___\n"
      .. "local function f() return 3 end\nf()")
    assert.matches("> a + b\n11\n", text, 1, true)
    assert.matches("> _ + 1\n12\n", text, 1, true)
    assert.matches("> _2 * 2\n22\n", text, 1, true)
    assert.matches("> ___\n11\n", text, 1, true)
    assert.matches("> f()\n3\n", text, 1, true)
  end)

  test("closes a local when it is declared anew and at the end, and keeps constants", function()
    local text = session([[
local meta = {__close = function(self) print("closes " .. self[1]) end}
local function closer(name) return setmetatable({name}, meta) end
local c <close> = closer "one"
type(c)
local c <close> = closer "two"
local k <const> = 3
k = 4
k
local bad <close> = 5]])
    assert.matches('> type(c)\n"table"\n', text, 1, true)
    local first, second = text:find("closes one", 1, true), text:find("closes two", 1, true)
    assert.is_true(first < second and first < text:find("k = 4", 1, true))
    assert.is_true(second > text:find("> local bad", 1, true))
    assert.matches("attempt to assign to const variable 'k'", text, 1, true)
    assert.matches("> k\n3\n", text, 1, true)
    assert.matches("variable 'bad' got a non-closable value", text, 1, true)
  end)

  test("traces a compiled function anew when a constant that it reads is another", function()
    local text = session("local k <const> = 2\nf = cusp.compile(function(x) return x * k end)\n"
      .. "f(cusp.ones{1}):item()\nlocal k <const> = 5\nf(cusp.ones{1}):item()")
    assert.matches("f(cusp.ones{1}):item()\n2.0\n", text, 1, true)
    assert.matches("f(cusp.ones{1}):item()\n5.0\n", text, 1, true)
  end)

  test("differentiates with a tape that was opened on a line of its own", function()
    local text = session("local x = cusp.tensor(3.0)\nlocal tape <close> = cusp.GradientTape()\n"
      .. "tape:watch(x)\nlocal y = x * x\ntape:gradient(y, x):item()")
    assert.matches("tape:gradient(y, x):item()\n6.0\n", text, 1, true)
  end)

  test("survives errors, names the input and shows its line", function()
    local text = session 'x = cusp.ones{2}\nx + "a"\nerror{code = 1}\nx =\n= 1 1\n7'
    assert.matches('[2]:1: add: argument \'x2\'', text, 1, true)
    assert.matches('\n  x + "a"\n  ^\n', text, 1, true)
    assert.matches("error: {code = 1}", text, 1, true)
    assert.matches("> 7\n7\n", text, 1, true)
    text = session "local t = {}\nlocal n = t.a.b\nfunction f() return 1 + nothing end f()"
    assert.matches("[2]:1: attempt to index a nil value (field 'a')\n  local n = t.a.b\n"
      .. "              ^", text, 1, true)
    assert.matches("[3]:1: in 'f'", text, 1, true)
  end)

  test("says which name was meant", function()
    local text = session 'layers.Dens(3)\ncusp.ones{2}:sumt()\ncusp.oness{2}\nt = {}\nt.foo()'
    assert.matches("(field 'Dens'); did you mean 'Dense'?", text, 1, true)
    assert.matches("(method 'sumt'); did you mean 'sum'?", text, 1, true)
    assert.matches("(field 'oness'); did you mean 'ones'?", text, 1, true)
    assert.matches("(field 'foo')\n", text, 1, true)
  end)

  test("warns of a global that is not there, and refuses Python's constants", function()
    local text = session "weights = 1\nweight\nlayers.Dense{3, use_bias = False}\nlen{1}\nx != 1"
    assert.matches("[2]:1: warning: 'weight' is not defined (did you mean 'weights'?)", text, 1,
      true)
    assert.matches("[3]:1: 'False' is Python's: Lua writes false", text, 1, true)
    assert.matches("(global 'len'); Lua writes #x", text, 1, true)
    assert.matches("Lua writes ~= for 'is not equal'", text, 1, true)
  end)

  test("refuses Python's constants in files that it loads, too", function()
    local text = session("$ echo 'x = {flag = False}' > $HOME/f.lua\n:load $HOME/f.lua")
    assert.matches("f.lua:1: 'False' is Python's", text, 1, true)
  end)

  test("prints tables, functions and errors as it echoes them", function()
    local text = session 'print({1, {a = 2}}, "s", nil)\nprint(function(a, b) end)'
    assert.matches('\n{1, {a = 2}}\ts\tnil\n', text, 1, true)
    assert.matches("\nfunction(a, b), [2]:1\n", text, 1, true)
  end)

  test("leaves at quit, exit and the end of input", function()
    for _, word in ipairs{"quit", "exit", "quit()", ":quit"} do
      assert.is_nil(session(word .. "\nprint(6 * 7)"):find("\n42\n", 1, true), word)
    end
  end)
end)

describe("the prompt's history", function()
  test("keeps inputs of several lines as they were typed", function()
    local text, history = session("for i = 1, 1 do -- one\nend\ns = [[\na\n\nb]]\n#s", {
      history = "old = 1\nolder = 2\n"})
    assert.matches("> #s\n4\n", text, 1, true)
    assert.matches("^old = 1\nolder = 2\n#%d+\nfor i = 1, 1 do %-%- one\nend\n#%d+\n", history)
    assert.matches("s = [[\na\n\nb]]\n", history, 1, true)
  end)

  test("is shared by prompts that run at once", function()
    local history = require "cusp.prompt.history"
    local path = os.tmpname()
    history.add(path, "a = 1")
    local before = history.load(path)
    history.add(path, "b = 2\n#12\nc")
    assert.same({"a = 1"}, before)
    assert.same({"a = 1", "b = 2\n #12\nc"}, history.load(path))
    os.remove(path)
  end)

  it("is shortened when it grows long, and reads old files", function()
    local history = require "cusp.prompt.history"
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    for i = 1, 12500 do file:write("x = ", i, "\n") end
    file:close()
    assert.equal(10000, #history.load(path))
    local kept = history.load(path)
    assert.same({10000, "x = 2501", "x = 12500"}, {#kept, kept[1], kept[#kept]})
    os.remove(path)
    assert.same({}, history.load(path))
  end)

  test("brings a block back to be edited as one", function()
    -- up, up into its middle, and a letter put in there; then Enter runs it
    local text = session("for i = 1, 1 do\nprint(6 * 7)\nend\n"
      .. "\27[A\27[A\5; print(5 * 5)\27[B\n", {term = "xterm"})
    local _, count = text:gsub("42\n25\n", "")
    assert.equal(1, count, text)
    text = session("for i = 1, 1 do\nprint(6 * 7)\nend\n\27[A\n", {term = "xterm"})
    _, count = text:gsub("%f[%d]42\n", "")
    assert.equal(2, count, text)
  end)
end)

describe("the prompt's input", function()
  test("takes a pasted block as one", function()
    local _, history = session("\27[200~a = 1\nb = 2\nprint(a + b)\27[201~\n", {term = "xterm"})
    assert.matches("^#%d+\na = 1\nb = 2\nprint%(a %+ b%)\n$", history)
  end)

  test("has colours, unless they are not wanted", function()
    local typed = 'x = "red" -- note\n'
    assert.matches('\27[32m"red"', session(typed, {term = "xterm"}), 1, true)
    local without = session(typed, {term = "xterm", environment = "NO_COLOR=1"})
    assert.is_nil(without:find("\27[32m", 1, true))
    assert.is_nil(session(typed):find("\27[", 1, true))
  end)

  test("completes with the Tab key", function()
    local text = session('d = layers.Dense{3, activation = "softm\t}\n'
      .. "d.activation == cusp.activations.softmax\nhelp 'layers.Den\t\n", {term = "xterm"})
    assert.matches("%f[%a]true\n", text)
    assert.matches("class Dense", text, 1, true)
  end)
end)

describe("Ctrl-C at the prompt", function()
  -- Types code that says when it runs, then Ctrl-C, then the rest.
  local function interrupted(code, rest)
    return session(function(home)
      local function write(name, text)
        local file = assert(io.open(home .. "/" .. name, "w"))
        file:write(text)
        file:close()
      end
      write("first", code:format(home .. "/runs") .. "\n")
      write("second", rest .. "\n\4")
      return ("{ cat %s/first; n=0; until [ -e %s/runs ] || [ $n = 1200 ]; do sleep 0.1; "
        .. "n=$((n + 1)); done; printf '\\003'; cat %s/second; }"):format(home, home, home)
    end)
  end

  test("passes through pcall and xpcall", function()
    local text = interrupted(
      "while true do pcall(function() io.open('%s', 'w'):close() while true do end end) end",
      "print(6 * 7)")
    assert.matches("interrupted!", text, 1, true)
    assert.matches("\n42\n", text, 1, true)
  end)

  test("says where training stood", function()
    local text = interrupted("m = cusp.Sequential{layers.Dense(1)} m:compile{loss = 'mse'} "
      .. "m:fit{cusp.ones{64, 2}, cusp.ones{64, 1}, epochs = 10000000, verbose = 0, callbacks = {"
      .. "{on_epoch_end = function(_, e) if e == 3 then io.open('%s', 'w'):close() end end}}}",
      "#m.history.epoch >= 3, history == m.history")
    assert.matches("History%(%d+ epochs, .-stopped in epoch %d+ of 10000000 after step %d of 2%)",
      text)
    assert.matches("true\ttrue\n", text, 1, true)
  end)
end)
