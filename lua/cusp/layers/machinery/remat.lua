--- Rematerialisation: Keras's wish that values be computed again on the way back rather than kept.
-- It is a hint. Here it changes nothing but what it checks: plans keep what the way back needs, and
-- a value that is computed twice in one is computed once.
-- @module cusp.layers.machinery.remat
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"

local remat = {}

--- A function with the results and the gradients of another.
-- @tparam function f or a layer
-- @treturn function
-- @usage local block = cusp.remat(function(x) return dense(ops.relu(x)) end)
function remat.remat(f)
  if not kinds.is_callable(f) then
    errors.raise("remat: expected a function or a layer, got %s", errors.describe(f))
  end
  return function(...) return f(...) end
end

--- A scope in which layers may compute values again; taken for Keras's sake, as `remat` is.
-- @type RematScope
-- @tparam[opt="full"] string mode "full", "activations", "larger_than", "list_of_layers", or
-- `cusp.null`
-- @tparam[opt=1024] integer output_size_threshold
-- @tparam[opt] table layer_names
-- @usage local scope <close> = cusp.RematScope{mode = "full"}
local RematScope = Object:extend("RematScope", {
  __module = "keras",
  config = {
    {"mode", "choice", default = "full",
      choices = {"full", "activations", "larger_than", "list_of_layers"}},
    {"output_size_threshold", "integer", default = 1024, min = 0},
    {"layer_names", "list", list_of = "string", optional = true},
  },
})
RematScope.__close = function() end
remat.RematScope = RematScope

return remat
