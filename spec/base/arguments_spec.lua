local cusp = require "cusp"
local arguments = require "cusp.base.arguments"
local message = require "spec.support.message"

describe("arguments.bind", function()
  local std = arguments.binder("std", "x, axis: axes = nil, keepdims: bool = false")

  it("takes positional and keyword arguments and one table alone", function()
    assert.same({1, 2, false}, {std(1, 2)})
    assert.same({1, 2, true}, {std(1, {axis = 2, keepdims = true})})
    assert.same({1, 2, true}, {std{1, 2, true}})
    assert.same({1, {1, 2}, true}, {std(1, {1, 2, keepdims = true})})
  end)

  it("names what is wrong", function()
    local text = message(function() std(1, {axs = 1}) end)
    assert.matches("arguments_spec.lua:%d+: std: unknown argument 'axs' %(did you mean 'axis'%?%)",
      text)
    assert.matches("std: argument 'keepdims' should be true or false, got number 1",
      message(std, 1, {keepdims = 1}))
    assert.matches("std: takes at most 3 arguments, got 4", message(std, 1, 2, true, 4))
    assert.matches("std: argument 'x' is missing", message(std))
    assert.matches("std: argument 'axis' is given twice", message(std, 1, 2, {axis = 3}))
  end)

  it("knows lists that come first", function()
    local zeros = arguments.binder("zeros", "shape: shape, dtype: dtype = float32")
    assert.same({{2, 3}, "float32"}, {zeros{2, 3}})
    assert.same({{2, 3}, "int32"}, {zeros{{2, 3}, dtype = "int32"}})
    assert.same({{2, 3}, "int32"}, {zeros({2, 3}, "int32")})
    assert.same({{}, "float32"}, {zeros{}})
    local stack = arguments.binder("stack", "values..., axis: axis = 1")
    assert.same({{{1, 2}, {3, 4}}, 1}, {stack{{1, 2}, {3, 4}}})
    assert.same({{{1, 2}, {3, 4}}, 2}, {stack({{1, 2}, {3, 4}}, 2)})
  end)

  it("leaves what is no text to a loss or metric with an init of its own", function()
    for _, base in ipairs{cusp.losses.Loss, cusp.metrics.Metric} do
      local Own = base:extend "OwnFirstArgument"
      function Own:init(args)
        base.init(self, args)
        self.k = args[1] or args.k
      end
      local Below = Own:extend "BelowOwnFirstArgument"
      for _, object in ipairs{Own(0.5), Own{0.5}, Below(0.5), Own{k = 0.5}} do
        assert.equal(0.5, object.k)
        assert.equal("string", type(object.name))
      end
      assert.equal("mine", Own{0.5, name = "mine"}.name)
      assert.matches("takes at most 1 positional argument, got 2", message(Own, 0.5, 1))
      assert.matches("should be a string", message(base:extend "NoInitOfItsOwn", 0.5, 0.5))
    end
    assert.equal("given", cusp.losses.Loss:extend "NameFirst" "given".name)
  end)

  it("leaves names without a kind unchecked and optional", function()
    local a, b, c = arguments.bind("f", {"a", "b", "c"}, nil, 1, {c = "x"})
    assert.same({1, nil, "x"}, {a, b, c})
  end)

  it("takes defaults from the text", function()
    local f = arguments.binder("f",
      "x, name: string = \"same\", sizes: ints = [1, 2], scale: float = 0.5, flag: bool = true")
    assert.same({1, "same", {1, 2}, 0.5, true}, {f(1)})
  end)

  it("say how a table of data at the end becomes an argument", function()
    local f = arguments.binder("map", "f: any, xs: any, unroll: bool = false")
    local advice = "unknown argument 'rows'; a table that is the argument 'xs' has {} behind it"
    assert.matches(advice, message(f, print, {rows = 3}), 1, true)
    assert.matches("'rows'$", message(f, print, {rows = 3, unroll = true}))
    assert.matches("'rows'$", message(f, print, 1, {rows = 3}))
    assert.matches("did you mean 'unroll'", message(f, print, {unrol = true}))
    local scan = arguments.binder("scan", "f: any, init: any, xs: any = nil, reverse: bool = false")
    assert.matches("'xs' has {} behind it", message(scan, print, 0, {rows = 3}), 1, true)
    assert.matches("'rows'$", message(scan, 1, 0, {rows = 3}))
    assert.same({print, {rows = 3}, false}, {f(print, {rows = 3}, {})})
  end)

  it("gives more than six by name", function()
    local seven = "a, b?, c?, d?, e?, f?, g: int = 7"
    local named = arguments.named_binder("f", seven)
    assert.same({a = 1, c = 3, g = 7}, named(1, {c = 3}))
    assert.same({a = 1, b = 2, g = 8}, arguments.bind_named("f", seven, nil, 1, 2, {g = 8}))
    assert.matches("f: unknown argument 'h'$", message(named, 1, {h = 1}))
    assert.matches("f: argument 'g' should be an integer", message(named, 1, {g = "x"}))
    assert.matches("f: 7 results by position", message(arguments.binder, "f", seven))
    assert.matches("f: 7 results by position", message(arguments.bind, "f", seven, nil, 1))
    assert.equal("g", arguments.of_function(function(...) return named(...) end)[7][1])
  end)
end)
