--- The computation between symbolic tensors, to be repeated on other inputs. It has no weights of
-- its own and is no layer.
-- @classmod cusp.Function
-- @param inputs a symbolic tensor, or a table of them
-- @param outputs what is computed from them
-- @tparam[opt] string name
-- @usage
-- local a, b = cusp.Input{shape = {3}}, cusp.Input{shape = {3}}
-- local f = cusp.Function{inputs = {a, b}, outputs = cusp.ops.sigmoid(a + b)}
-- print(f{cusp.ones{1, 3}, cusp.zeros{1, 3}})
local Model = require "cusp.models.model"
local Object = require "cusp.base.class"
local names = require "cusp.base.names"

local Function = Object:extend("Function", {
  __module = "keras", first_is_list = false,
  config = {{"inputs", "any"}, {"outputs", "any"}, {"name", "string", optional = true}},
})

function Function:init(args)
  Object.configure(self, args, Function)
  self.name = self.name or names.unique "function"
  self.__own.graph_model = Model{inputs = self.inputs, outputs = self.outputs,
    name = self.name}
end

--- The outputs for other inputs, in the structure of those that it was made with.
function Function:__call(inputs) return self.__own.graph_model(inputs) end
Function.call = Function.__call

--- The shapes of the outputs for shapes of the inputs.
function Function:compute_output_shape(input_shape)
  return self.__own.graph_model:compute_output_shape(input_shape)
end

--- The types of the outputs for symbolic inputs.
function Function:compute_output_spec(inputs)
  return self.__own.graph_model:compute_output_spec(inputs)
end

return Function
