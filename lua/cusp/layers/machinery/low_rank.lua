--- Low-rank adaptation (LoRA): a trained product of two small matrices beside a weight that stays
-- as it is. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021).
-- @module cusp.layers.machinery.low_rank
local arguments = require "cusp.base.arguments"
local errors = require "cusp.base.errors"
local names = require "cusp.base.names"
local ops = require "cusp.ops"

local low_rank = {}

--- The rows of a layer's configuration.
function low_rank.options(keyword_only)
  return {"lora_rank", "integer", optional = true, min = 1, omit_default = true,
    keyword_only = keyword_only},
    {"lora_alpha", "number", optional = true, omit_default = true, keyword_only = keyword_only}
end

local bind = arguments.binder("enable_lora", {
  {"rank", "integer", min = 1}, {"lora_alpha", "number", optional = true},
  {"a_initializer", "initializer", default = "he_uniform"},
  {"b_initializer", "initializer", default = "zeros"},
})

local function refuse(self, reason)
  errors.raise("%s (%s): enable_lora: %s", self.name, getmetatable(self).__name, reason)
end

local function add_matrix(self, weight, suffix, shape, initializer)
  local name = ("lora_%s_%s"):format(weight, suffix)
  self[name] = self:add_weight{
    name = name, shape = shape, initializer = initializer, dtype = "float32",
    regularizer = self[weight .. "_regularizer"],
  }
end

local function enable(self, weight, rank, alpha, a_initializer, b_initializer)
  local variable = rawget(self, weight) or rawget(self, "_" .. weight)
  local shape = self.__own.full_shape or variable.shape
  local first = table.move(shape, 1, #shape - 1, 1, {})
  first[#shape] = rank
  add_matrix(self, weight, "a", first, a_initializer)
  add_matrix(self, weight, "b", {rank, shape[#shape]}, b_initializer)
  variable.trainable = false
  rawset(self, "_" .. weight, variable)
  rawset(self, weight, nil)
  self.lora_enabled, self.lora_rank, self.lora_alpha = true, rank, alpha or rank
end

-- The weight, unpacked, with the product added to it.
local function merged(self, weight)
  local own = rawget(self, "_" .. weight)
  if not own then return nil end
  if self.__own.policy.mode == "int4" then own = self["unpacked_" .. weight](self) end
  if not self.lora_enabled then return own end
  local product = ops.matmul(rawget(self, "lora_" .. weight .. "_a"),
    rawget(self, "lora_" .. weight .. "_b"))
  local sum = ops.add(own, product * (self.lora_alpha / self.lora_rank))
  local dtype = self.compute_dtype
  return sum.dtype == dtype and sum or ops.cast(sum, dtype)
end

--- Gives a class of layers `enable_lora`. Its `build` makes the weight and then calls
-- `low_rank.built`.
-- @tparam table class
-- @tparam string weight name of the field and of its arguments: "kernel"
function low_rank.add(class, weight)
  class.__getters[weight] = function(self) return merged(self, weight) end
  class.lora_enabled = false

  --- Trains a product of two small matrices in place of the weight, which is frozen. A model has to
  -- be compiled anew afterwards. Files have the weight with the product added.
  -- @tparam integer rank of the product
  -- @tparam[opt] number lora_alpha the product is scaled by `lora_alpha / rank`; by default the
  -- rank
  -- @param[opt="he_uniform"] a_initializer
  -- @param[opt="zeros"] b_initializer
  function class:enable_lora(...)
    local rank, alpha, a_initializer, b_initializer = bind(...)
    if self[weight .. "_constraint"] then
      refuse(self, ("a layer with a %s_constraint cannot be adapted"):format(weight))
    end
    if not self.built then refuse(self, "the layer has no weights yet; build it first") end
    if self.__own.divided then refuse(self, "its weights are divided among processes") end
    if self.lora_enabled then refuse(self, "it is enabled already") end
    names.within(self.path, enable, self, weight, rank, alpha, a_initializer, b_initializer)
  end
end

--- What a layer that was given a `lora_rank` does at the end of its `build`.
function low_rank.built(self, weight)
  if not self.lora_rank or self.lora_enabled then return end
  if self[weight .. "_constraint"] then
    refuse(self, ("a layer with a %s_constraint cannot be adapted"):format(weight))
  end
  enable(self, weight, self.lora_rank, self.lora_alpha, "he_uniform", "zeros")
end

return low_rank
