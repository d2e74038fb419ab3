--- Rematerialisation: in compiled functions, values are computed again on the way back rather than
-- kept. What is made in a region is marked, and the engine's pass of that name does the rest.
-- @module cusp.layers.machinery.remat
local Object = require "cusp.base.class"
local context = require "cusp.base.context"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local masks = require "cusp.base.masks"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"

local remat = {}

---------------------------------------------------------------- regions

local regions = 0 -- so far

-- What is made from now on is kept, also by those who read it later.
local function keep(leaf)
  if type(leaf) ~= "userdata" or not engine.is_tensor(leaf) then return leaf end
  local kept = engine.ops.region_output(leaf)
  local mask = masks.get(leaf)
  if mask then masks.set(kept, mask) end
  return kept
end

local function finish(ok, ...)
  if not ok then error((...), 0) end
  local results = table.pack(...)
  for i = 1, results.n do results[i] = structure.map(results[i], keep) end
  return table.unpack(results, 1, results.n)
end

--- Calls a function in a region of its own; within one, in that.
-- @tparam function f
-- @param ... its arguments
-- @return its results
-- @local
function remat.run(f, ...)
  if not engine.tracing() or context.get().region then return f(...) end
  regions = regions + 1
  return finish(context.attempt({region = regions}, f, ...))
end

--- A function with the results and the gradients of another, which keeps nothing for the way back
-- but its arguments and results: the rest is computed again when it is needed. That takes a third
-- more time and saves the memory. In effect in compiled functions, such as those of `fit`.
-- @tparam function f or a layer
-- @treturn function
-- @raise if `f` cannot be called
-- @usage local block = cusp.remat(function(x) return dense(ops.relu(x)) end)
function remat.remat(f)
  if not kinds.is_callable(f) then
    errors.raise("remat: expected a function or a layer, got %s", errors.describe(f))
  end
  return function(...) return remat.run(f, ...) end
end

---------------------------------------------------------------- scopes

-- The scopes that are open, the innermost last.
local scopes = {}

local OpenScope = Object:extend("OpenScope", {
  init = function(self) scopes[#scopes + 1] = self end,
  __close = function(self)
    for i = #scopes, 1, -1 do
      if scopes[i] == self then table.remove(scopes, i) end
    end
  end,
})

--- A scope: the layers that are made in it compute values again. Mode "full": all of them;
-- "activations": their activation functions only; "larger_than": those whose output has more than
-- `output_size_threshold` numbers; "list_of_layers": those named in `layer_names`; `cusp.null`:
-- none.
-- @type RematScope
-- @tparam[opt="full"] string mode
-- @tparam[opt=1024] integer output_size_threshold
-- @tparam[opt] table layer_names
-- @usage local scope <close> = cusp.RematScope{mode = "full"}
local RematScope = OpenScope:extend("RematScope", {
  __module = "keras",
  config = {
    {"mode", "choice", default = "full",
      choices = {"full", "activations", "larger_than", "list_of_layers"}},
    {"output_size_threshold", "integer", default = 1024, min = 0},
    {"layer_names", "list", list_of = "string", optional = true},
  },
})

remat.RematScope = RematScope

--- The scope in which a layer is made; nil for none.
-- @local
function remat.current() return scopes[#scopes] end

---------------------------------------------------------------- layers

local function is_larger(layer, inputs, threshold)
  local given = structure.map(inputs, function(leaf) return leaf.shape end)
  -- which may call the layer, to see
  local shape = context.within({sizing = true}, layer.compute_output_shape, layer, given)
  for _, one in ipairs(structure.flatten(shape, structure.is_shape)) do
    local size = 1
    for _, length in ipairs(one) do size = size * (length == shapes.None and 1 or length) end
    if size > threshold then return true end
  end
  return false
end

local wants = {
  full = function() return true end,
  activations = function() return false end,
  larger_than = function(scope, layer, inputs)
    return is_larger(layer, inputs, scope.output_size_threshold)
  end,
  list_of_layers = function(scope, layer)
    for _, name in ipairs(scope.layer_names or {}) do
      if name == layer.name then return true end
    end
    return false
  end,
}

local function call(scope, f, layer, inputs, ...)
  if context.get().sizing then return f(layer, inputs, ...) end
  if scope.mode == "activations" and type(layer.activation) == "function" then
    local fields = {layer, "activation", remat.remat(layer.activation)}
    return engine.with_fields(fields, f, layer, inputs, ...)
  end
  local wanted = wants[scope.mode]
  if wanted and wanted(scope, layer, inputs) then return remat.run(f, layer, inputs, ...) end
  return f(layer, inputs, ...)
end

--- What runs a layer that was made in a scope.
-- @tparam table scope
-- @tparam function f `f(layer, inputs, ...)` without it
-- @treturn function
-- @local
function remat.of(scope, f)
  return function(...) return call(scope, f, ...) end
end

return remat
