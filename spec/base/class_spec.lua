local Object = require "cusp.base.class"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local message = require "spec.support.message"

local Base = Object:extend("SpecBase", {
  config = {
    {"name", "string", optional = true, keyword_only = true},
    {"dtype", "dtype", default = "float32", keyword_only = true},
  },
})
local Dense = Base:extend("SpecDense", {
  config = {
    {"units", "integer", min = 1},
    {"mode", "choice", choices = {"same", "valid"}, default = "same"},
    {"axis", "axis", default = -1},
  },
})
local Reshape = Base:extend("SpecReshape", {config = {{"target_shape", "shape"}}})

describe("a class", function()
  it("takes positional, keyword and mixed arguments", function()
    assert.equal(3, Dense(3).units)
    assert.equal(3, Dense{3}.units)
    assert.equal(3, Dense{units = 3}.units)
    assert.equal("valid", Dense(3, "valid").mode)
    local object = Dense(3, {mode = "valid", name = "x"})
    assert.equal("valid", object.mode)
    assert.equal("x", object.name)
    assert.equal("float32", object.dtype)
  end)

  it("takes a list as its first argument when the parameter is one", function()
    assert.same({-1, 4}, Reshape{-1, 4}.target_shape)
    assert.same({-1, 4}, Reshape({-1, 4}, {name = "a"}).target_shape)
    assert.same({-1, 4}, Reshape{{-1, 4}, name = "a"}.target_shape)
    assert.same({-1, 4}, Reshape{target_shape = {-1, 4}}.target_shape)
    assert.same({}, Reshape{}.target_shape)
    assert.equal("a", Reshape{-1, 4, name = "a"}.name)
  end)

  it("names unknown, missing, doubled and wrong arguments at the caller's line", function()
    local text = message(function() Dense{3, unit = 2} end)
    assert.matches(
      "class_spec.lua:%d+: SpecDense: unknown argument 'unit' %(did you mean 'units'%?%)", text)
    assert.matches("argument 'units' should be a positive integer, got string \"a\"",
      message(Dense, "a"), 1)
    assert.matches("argument 'units' should be a positive integer, got number %-1",
      message(Dense, -1))
    assert.matches("argument 'units' is missing; it should be a positive integer", message(Dense))
    assert.matches("argument 'units' is given twice", message(Dense, {3, units = 3}))
    assert.matches("should be one of \"same\", \"valid\", got string \"full\"",
      message(Dense, 3, "full"))
    assert.matches("takes at most 3 positional arguments, got 4", message(Dense, 3, "same", 1, 5))
    assert.matches("axis %(counted from 1", message(Dense, {3, axis = 0}))
  end)

  it("lets a user-defined init read the arguments, and reports what nobody read", function()
    local Custom = Base:extend "SpecCustom"
    function Custom:init(args)
      self.output_dim = args[1] or args.output_dim
      Base.init(self, args)
    end
    assert.equal(10, Custom(10).output_dim)
    local object = Custom{output_dim = 4, name = "c"}
    assert.equal(4, object.output_dim)
    assert.equal("c", object.name)
    assert.matches("unknown argument 'output_dm' %(did you mean 'output_dim'%?%)",
      message(Custom, {output_dm = 3}))
    local Silent = Base:extend("SpecSilent", {init = function(self)
      Base.init(self, {name = "fixed"})
    end})
    assert.equal("fixed", Silent().name)
    assert.matches("takes no positional arguments, got 1", message(Silent, 3))
  end)

  it("counts what pairs and # have seen as read", function()
    local Any = Object:extend("SpecAny", {init = function(self, args)
      self.seen = {}
      for key, value in pairs(args) do self.seen[key] = value end
    end})
    assert.same({1, 2, key = 3}, Any{1, 2, key = 3}.seen)
    local Counted = Object:extend("SpecCounted", {init = function(self, args) self.n = #args end})
    assert.equal(2, Counted(5, 6).n)
  end)

  it("goes through its configuration and back, axes from 0 there", function()
    local config = Dense{3, axis = 2, name = "d"}:get_config()
    assert.same({name = "d", dtype = "float32", units = 3, mode = "same", axis = 1}, config)
    assert.same({"name", "dtype", "units", "mode", "axis"}, ordered.keys(config))
    local copy = Dense:from_config(config)
    assert.equal(2, copy.axis)
    assert.same(config, copy:get_config())
    assert.equal(null, Dense(3):get_config().name)
    assert.is_nil(Dense:from_config{units = 3, name = null}.name)
    assert.equal(3, Dense:from_config{units = 3, unheard_of = null}.units)
    assert.matches("unknown argument 'unheard_of'", message(function()
      Dense:from_config{units = 3, unheard_of = 1}
    end))
  end)

  it("finds getters, setters and inherited metamethods", function()
    local Parent = Object:extend "SpecParent"
    local Child = Parent:extend "SpecChild"
    Parent.__getters.double = function(self) return self.value * 2 end
    Parent.__setters.value_plus = function(self, value) self.value = value + 1 end
    local object = Child()
    object.value_plus = 4
    assert.equal(10, object.double)
    assert.is_nil(object.absent)
    local Callable = Object:extend("SpecCallable", {__call = function(_, x) return x + 1 end})
    assert.equal(3, Callable:extend("SpecCallable2")()(2))
  end)

  it("keeps the order in which fields were first assigned", function()
    local object = Object:extend("SpecOrder")()
    object.b, object.a = 1, nil
    object.c = 2
    object.b = nil
    object.b = 5
    local names = table.concat(object.__order, " ")
    assert.matches("b", names)
    assert.is_true(object.__order.b < object.__order.c)
  end)

  it("keeps what is the library's own of an instance apart from its fields", function()
    local Own = Object:extend("SpecOwn")
    local object = Own()
    object.__own.state = 1
    assert.is_nil(object.state)
    assert.is_nil(object.__order.state)
    assert.is_nil(object.__order.__own)
    assert.is_nil(Own().__own.state)
    assert.is_nil(Own.__own)
  end)

  it("answers what it is", function()
    local object = Dense(3)
    assert.is_true(Object.is_instance(object, Base))
    assert.is_false(Object.is_instance(object, Reshape))
    assert.is_false(Object.is_instance({}, Base))
    assert.is_false(Object.is_instance(Dense, Base))
    assert.is_true(Object.is_subclass(Dense, Base))
    assert.equal("class SpecDense", tostring(Dense))
    assert.equal("SpecDense{units = 3, axis = 2}", tostring(Dense{3, axis = 2}))
    assert.equal(Dense, Object.find "SpecDense")
  end)
end)

describe("a class with a declared config and an init of its own", function()
  local layers = require("cusp").layers
  local config = {{"units", "integer", min = 1}, {"scale", "number", default = 2}}

  local function check(Cell)
    local cell = Cell(3)
    assert.same({3, 2, 6}, {cell.units, cell.scale, cell.size})
    assert.equal(12, Cell{3, scale = 4, name = "c"}.size)
    assert.equal("c", Cell{3, name = "c"}.name)
    assert.equal(15, Cell:from_config(Cell{3, scale = 5}:get_config()).size)
    assert.error_matches(function() Cell(0) end, "argument 'units' should be a positive")
    assert.error_matches(function() Cell{3, scal = 4} end, "unknown argument 'scal'.*'scale'")
  end

  it("finds its arguments read, where init is added afterwards", function()
    local Cell = layers.Layer:extend("ConfiguredLater", {config = config})
    function Cell:init(args)
      self.size = self.units * self.scale
      layers.Layer.init(self, args)
    end
    check(Cell)
    function Cell:init(args)
      layers.Layer.init(self, args)
      self.size = self.units * self.scale
    end
    check(Cell)
  end)

  it("finds them read, where init is a member", function()
    check(layers.Layer:extend("ConfiguredAtOnce", {config = config, init = function(self, args)
      layers.Layer.init(self, args)
      self.size = self.units * self.scale
    end}))
  end)

  it("reads what a class below passes on", function()
    local Upper = layers.Layer:extend("ConfiguredUpper", {config = config})
    function Upper:init(args)
      layers.Layer.init(self, args)
      self.size = self.units * self.scale
    end
    local Lower = Upper:extend "ConfiguredLower"
    function Lower:init(args) Upper.init(self, {args.half * 2}) end
    assert.equal(16, Lower{half = 4}.size)
  end)

  it("names a declared argument that no init reads", function()
    local Upper = layers.Layer:extend("ConfiguredUnread", {config = config})
    local Lower = Upper:extend "ConfiguredDeaf"
    function Lower:init() Upper.init(self, {1}) end
    local expected = "ConfiguredDeaf: argument 'units' is declared, but `init` does not read it"
    assert.error_matches(function() Lower(3) end, expected)
    assert.error_matches(function() Lower{units = 3} end, expected)
  end)
end)

describe("an argument that a class declares again", function()
  it("has the default of that class, whatever its base says", function()
    local cusp = require "cusp"
    local Root = require "cusp.base.class"
    local First = Root:extend("SpecFirst",
      {config = {{"rate", "number", optional = true}, {"size", "number", default = 1}}})
    local Second = First:extend("SpecSecond", {config = {{"rate", "number", default = 0.5}}})
    assert.equal(0.5, Second().rate)
    assert.equal(1, Second().size)
    assert.equal(0.25, Second{rate = 0.25}.rate)
    assert.equal(0.004, cusp.optimizers.AdamW().weight_decay)
    assert.equal(0.004, cusp.optimizers.AdamW:from_config{}.weight_decay)
  end)

  it("adds getters to those inherited, and asks an __index of its own last", function()
    local Root = Object:extend("GetterBase", {__getters = {a = function() return 1 end}})
    local Sub = Root:extend("GetterSub", {
      __getters = {b = function() return 2 end},
      __index = function(_, key) return key == "c" and 3 or nil end,
    })
    local object = Sub:extend("GetterSubSub")()
    assert.same({1, 2, 3}, {object.a, object.b, object.c})
    assert.is_nil(object.d)
    assert.is_nil(Root().b)
    assert.equal(5, Object:extend("GetterTable", {__index = {e = 5}})().e)
  end)

  it("refuses a __newindex, which the order of fields needs", function()
    assert.error_matches(function()
      Object:extend("NewIndex", {__newindex = function() end})
    end, "__setters")
  end)

  it("hands metamethods down, also those of later", function()
    local Root = Object:extend "LaterBase"
    local Sub = Root:extend "LaterSub"
    local object = Sub()
    function Root.__add() return "sum" end
    function Root.__bnot() return "not" end
    function Root.__shl() return "shifted" end
    assert.same({"sum", "not", "shifted"}, {object + 1, ~object, object << 1})
    function Root.__tostring() return "text" end
    assert.equal("text", tostring(Sub()))
    function Sub.__add() return "own" end
    function Root.__add() return "other" end
    assert.same({"own", "other"}, {Sub() + 1, Root() + 1})
  end)
end)
