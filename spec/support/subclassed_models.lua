-- The classes of scripts/fixtures/subclassed.py.
local cusp = require "cusp"

local Layer, Model, layers = cusp.layers.Layer, cusp.Model, cusp.layers

local Plain = Model:extend "Plain"

function Plain:init(args)
  Model.init(self, args)
  self.zero = layers.Dense(3, "tanh")
  self.body = layers.Dense(3, "tanh")
  self._hidden = layers.Dense(3, "tanh")
  self.tail = layers.Dense(2)
  self.again = self.zero
end

function Plain:call(x) return self.tail(self.again(self._hidden(self.body(self.zero(x))))) end

local Lists = Model:extend "Lists"

function Lists:init(args)
  Model.init(self, args)
  self.stages = {layers.Dense(3, "tanh"), layers.Dense(3, "tanh")}
  self.blocks = {{layers.Dense(3), layers.LayerNormalization()}, {layers.Dense(3)}}
  self.by_name = {wide = layers.Dense(3, "tanh"), narrow = layers.Dense(3, "tanh")}
  self.outer = {b = layers.Dense(3), a = layers.Dense(3), c = layers.LayerNormalization()}
end

function Lists:call(x)
  for _, layer in ipairs(self.stages) do x = layer(x) end
  for _, block in ipairs(self.blocks) do
    for _, layer in ipairs(block) do x = layer(x) end
  end
  x = self.by_name.narrow(self.by_name.wide(x) * 2)
  return self.outer.b(x) - self.outer.c(self.outer.a(x)) * 3
end

local Branches = Layer:extend "Branches"

function Branches:init(args)
  Layer.init(self, args)
  self.parts = {layers.Dense(3), layers.Dense(3)}
  self.shared = self.parts[1]
end

function Branches:build(shape)
  for _, part in ipairs(self.parts) do part:build(shape) end
  self.gain = self:add_weight{name = "gain", shape = {3}, initializer = "ones"}
end

function Branches:call(x) return self.parts[1](x) * self.gain + self.parts[2](x) * 2 end

local Nested = Model:extend "Nested"

function Nested:init(args)
  Model.init(self, args)
  self.inner = Plain()
  self.pair = {Branches(), Branches()}
  local x = cusp.Input{shape = {3}}
  self.graph = Model{inputs = x, outputs = layers.Dense(3, "tanh")(layers.Dense(4, "tanh")(x))}
  self.stack = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(4, "tanh"), layers.Dense(3)}
  self.tail = Plain()
end

function Nested:call(x)
  for _, part in ipairs(self.pair) do x = part(x) end
  return self.inner(x) + self.tail(self.stack(self.graph(x)))
end

local Within = Layer:extend "Within"

function Within:init(args)
  Layer.init(self, args)
  self.model = Lists()
end

function Within:call(x) return self.model(x) end

local subclassed_models = {Plain = Plain, Lists = Lists, Nested = Nested}

--- Classes as layers of a graph.
function subclassed_models.Graph()
  local x = cusp.Input{shape = {3}}
  local y = layers.Dense(3)(Plain()(Branches()(x)))
  return Model{inputs = x, outputs = Plain()(Within()(y))}
end

--- The inputs that the fixtures were made with.
function subclassed_models.inputs() return cusp.linspace(-1, 1, 12):reshape{4, 3} end

--- A built model by the name of its fixture.
function subclassed_models.make(name)
  local model = subclassed_models[name:gsub("^%l", string.upper)]()
  model(subclassed_models.inputs())
  return model
end

return subclassed_models
