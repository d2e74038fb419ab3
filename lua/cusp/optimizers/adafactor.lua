--- Adafactor: stores the second moments of a matrix as one row and one column (Shazeer and Stern
-- 2018).
-- @classmod cusp.optimizers.Adafactor
-- @param[opt=0.001] learning_rate
-- @tparam[opt=-0.8] number beta_2_decay
-- @tparam[opt=1e-30] number epsilon_1
-- @tparam[opt=1e-3] number epsilon_2
-- @tparam[opt=1] number clip_threshold
-- @tparam[opt=true] boolean relative_step whether the learning rate falls with the square root of
-- the step
local Optimizer = require "cusp.optimizers.optimizer"
local engine = require "cusp.engine"
local ops = require "cusp.ops"

local function root_mean_square(x) return ops.sqrt(ops.mean(ops.square(x))) end

local function coefficients(self, step, learning_rate)
  local rate = learning_rate
  if engine.is_variable(self.__own.learning_rate) and self.relative_step then
    rate = ops.minimum(rate, 1 / ops.sqrt(step))
  end
  return {rho = ops.minimum(rate, 1 / ops.sqrt(step)),
    beta_2 = 1 - ops.power(step, self.beta_2_decay)}
end

local function without(shape, position)
  local result = table.move(shape, 1, #shape, 1, {})
  table.remove(result, position)
  return result
end

-- For vectors and scalars, which have no row and column, Keras keeps two numbers instead, also in
-- its files.
local function add_placeholders(self, variable)
  for _ = 1, 2 do self:add_variable({dtype = "int32", name = variable.name}).placeholder = true end
end

local function add_factors(self, variable, index)
  local shape = variable.shape
  local row = self:add_variable{shape = without(shape, #shape), dtype = variable.dtype,
    name = variable.name}
  local column = self:add_variable{shape = without(shape, #shape - 1), dtype = variable.dtype,
    name = variable.name}
  self.rows[index], self.columns[index] = Optimizer.note_slot(row, "row", variable),
    Optimizer.note_slot(column, "column", variable)
end

return Optimizer.define("Adafactor", {
  needs_whole_variables = true,
  parameters = {
    {"beta_2_decay", "number", default = -0.8}, {"epsilon_1", "number", default = 1e-30},
    {"epsilon_2", "number", default = 1e-3},
    {"clip_threshold", "number", default = 1.0}, {"relative_step", "boolean", default = true},
  },
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.rows, self.columns, self.velocities = {}, {}, {}
    for i, variable in ipairs(variables) do
      if #variable.shape >= 2 then
        add_factors(self, variable, i)
      elseif not variable.overwrite_with_gradient then
        add_placeholders(self, variable)
      end
      self.velocities[i] = not variable.overwrite_with_gradient
        and self:add_variable_from_reference(variable, "velocity")
    end
  end,
  update_step = function(self, gradient, variable)
    local index = self:index_of(variable)
    local shared = self:shared(variable.dtype, coefficients)
    local beta = shared.beta_2
    local squares = ops.square(gradient) + self.epsilon_1
    local velocity
    if #variable.shape >= 2 then
      local row, column = self.rows[index], self.columns[index]
      local new_row = row * beta + ops.mean(squares, -1) * (1 - beta)
      local new_column = column * beta + ops.mean(squares, -2) * (1 - beta)
      self:assign(row, new_row)
      self:assign(column, new_column)
      velocity = ops.expand_dims(new_row / ops.mean(new_row, -1, true), -1)
        * ops.expand_dims(new_column, -2)
    else
      velocity = self.velocities[index] * beta + squares * (1 - beta)
    end
    self:assign(self.velocities[index], velocity)
    local step = gradient / ops.sqrt(velocity)
    step = step / ops.maximum(root_mean_square(step) / self.clip_threshold, 1)
    self:assign_sub(variable,
      step * (ops.maximum(root_mean_square(variable), self.epsilon_2) * shared.rho))
  end,
})
