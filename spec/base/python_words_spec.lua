local python = require "cusp.base.python_words"

describe("cusp.base.python_words", function()
  it("says what Lua writes for what Python does", function()
    local cases = {
      ["x != 1"] = "~=", ["x += 1"] = "x = x + 1", ["elif x then"] = "elseif",
      ["def f(x):"] = "function name", ["import cusp"] = "require",
      ["f = lambda x: x"] = "function(x)",
      ["for i in range(3):"] = "for i = 1, n do", ["if x:"] = "if condition then",
      ["while True:"] = "while condition do", ["# note"] = "--", ["y = x ** 2"] = "x ^ y",
      ["try:"] = "pcall", ["a && b"] = "'and'", ["a || b"] = "'or'", ["y = x[1:2]"] = "slice",
      ["print(f'{x}')"] = "no prefix",
    }
    for line, words in pairs(cases) do
      local hint = python.syntax_hint("[1]:1: syntax error near 'x'", line)
      assert.matches(words, hint or line, 1, true)
    end
    assert.is_nil(python.syntax_hint("[1]:1: syntax error near 'x'", "local x = = 2 -- a != b"))
    assert.is_nil(python.syntax_hint("[1]:1: syntax error near 'x'", "local x = 'a += b' y"))
  end)

  it("finds a block that Lua misses only at the end", function()
    assert.matches("line 1: Lua writes for i = 1", python.explain("s:3: 'do' expected near <eof>",
      "for i in x:\n  print(i)\n"), 1, true)
  end)

  it("says that arguments by name stand in braces", function()
    local message = "s:1: ')' expected near '='"
    assert.equal(message .. " (arguments by name stand in braces: layers.Dense{3, name = value})",
      python.explain(message, 'layers.Dense(3, activation = "relu")'))
  end)

  it("knows Python's functions and libraries", function()
    assert.equal("; Lua writes #x", python.hint "s:1: attempt to call a nil value (global 'len')")
    assert.equal("; here it is cusp.ops",
      python.hint "s:1: attempt to index a nil value (global 'np')")
    assert.equal("", python.hint "s:1: attempt to call a nil value (global 'foo')")
  end)
end)
