local prompt = require "spec.support.prompt"
local session = prompt.session
local test = prompt.possible and it or pending

describe("the prompt's commands", function()
  test("list variables, and forget them", function()
    local text = session "x = cusp.ones{2, 3}\nname = 'n'\n:who\n:reset\nx == nil\n:who"
    assert.matches("x            tensor     shape {2, 3}, float32", text, 1, true)
    assert.matches('name         string     "n"', text, 1, true)
    assert.matches("no variables yet", text, 1, true)
    assert.matches("> x == nil\n[1]:1: warning", text, 1, true)
  end)

  test("measure", function()
    local text = session(
      "x = cusp.ones{8, 8}\n:time x:matmul(x):sum():item()\n:profile x:sum():item()")
    assert.matches("\n512.0\ntook %d+%l+\n", text)
    assert.matches("own time", text, 1, true)
    assert.matches("  sum\n", text, 1, true)
  end)

  test("save inputs as a script that runs, load it and edit", function()
    local text = session("local a = 20\na + 22\nnope()\n:save $HOME/s.lua\n:save $HOME/s.lua\n"
      .. ":reset\n:load $HOME/s.lua\n$ cat $HOME/s.lua")
    assert.matches("wrote 2 inputs to /", text, 1, true)
    assert.matches("/s.lua exists; :save! ", text, 1, true)
    assert.matches("> :load $HOME/s.lua\n42\n", text, 1, true)
    assert.matches("\nlocal a = 20\nprint(a + 22)\n", text, 1, true)
  end)

  test("edit an input in the user's editor and run it", function()
    local text = session("x = 1\n:edit\nx", {environment = "VISUAL= EDITOR='sed -i s/1/41/'"})
    assert.matches("> x\n41\n", text, 1, true)
  end)

  test("run commands of the system, and say what is no command", function()
    local text = session "$ echo $((40 + 2))\n:tiem x\n:help\n:load\n:load /nonexistent/file"
    assert.matches("\n42\n", text, 1, true)
    assert.matches(":tiem is no command (did you mean 'time'?)", text, 1, true)
    assert.matches("run CODE and say how long it took", text, 1, true)
    assert.matches("usage: :load FILE", text, 1, true)
    assert.matches("/nonexistent/file: No such file", text, 1, true)
  end)

  test("give help by ?name, name? and ??name, and search", function()
    local text = session [[?softmax
model.fit?
help cumsum
??cond
apropos einsum
apropos "nothingatall"]]
    assert.matches("ops.softmax(x, axis = {-1})", text, 1, true)
    assert.matches("Trains the model.", text, 1, true)
    assert.matches("ops.cumsum(x, axis", text, 1, true)
    assert.matches("local function cond(pred, true_fn, false_fn)", text, 1, true)
    assert.matches("layers.EinsumDense", text, 1, true)
    assert.matches("nothing mentions 'nothingatall'", text, 1, true)
  end)

  test("show the source of what was typed", function()
    local text = session "function twice(x)\nreturn 2 * x\nend\n??twice\ntwice?"
    assert.matches("??twice\n[1]:1\nfunction twice(x)\nreturn 2 * x\nend\n", text, 1, true)
    assert.matches("twice(x)\nin [1]:1", text, 1, true)
  end)
end)

describe("the debugger of the prompt", function()
  test("shows the frames of the last error, their locals, and runs expressions in one", function()
    local text = session([[
:debug
function inner(t, word) local k = #t; local bad = word.x.y; return bad end
function outer(n) local list = {n, n + 1}; local r = inner(list, "w"); return r end
outer(20)
:debug
locals
t[1] + t[2] + k
k = 100
k + 1
up
n
list[2]
99
frames
nonsense +
nope.x
quit
6 * 7]])
    assert.matches("there has been no error yet", text, 1, true)
    assert.matches('debug 1> locals\n  t = {20, 21}\n  word = "w"\n  k = 2\n', text, 1, true)
    assert.matches("t[1] + t[2] + k\n43\n", text, 1, true)
    assert.matches("k + 1\n101\n", text, 1, true)
    assert.matches("debug 2> n\n20\n", text, 1, true)
    assert.matches("list[2]\n21\n", text, 1, true)
    assert.matches("there is no frame there", text, 1, true)
    assert.matches("* 2  [2]:1 in outer", text, 1, true)
    assert.matches("debug:1: syntax error near '+'", text, 1, true)
    assert.matches("> 6 * 7\n42\n", text, 1, true)
  end)
end)
