--- Dtype policies: which dtype a layer's variables have and which it computes in. A layer takes
-- one, or its name, as `dtype`; `cusp.config.set_dtype_policy` sets that of layers that are given
-- none.
-- @classmod cusp.DTypePolicy
-- @tparam[opt] string name a dtype, "mixed_float16" or "mixed_bfloat16"; by default the global one.
-- A layer's `dtype` may also be a quantized one, such as "int8_from_float32".
-- @usage
-- local policy = cusp.DTypePolicy "mixed_bfloat16"
-- print(policy.compute_dtype, policy.variable_dtype) --> bfloat16  float32
local Object = require "cusp.base.class"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local warnings = require "cusp.base.warnings"

local mixed = {
  mixed_float16 = {name = "mixed_float16", compute = "float16", variable = "float32"},
  mixed_bfloat16 = {name = "mixed_bfloat16", compute = "bfloat16", variable = "float32"},
}

local global -- the name that was set; nil: the default float dtype

local DTypePolicy = Object:extend("DTypePolicy", {
  __module = "keras", config = {{"name", "string", optional = true}},
})

local noted = false

-- bfloat16 is as fast as it can be where the CPU multiplies it; elsewhere the user is told once.
local function note_slow(name)
  if noted or name ~= "mixed_bfloat16" then return end
  noted = true
  local cpu = engine.cpu()
  if cpu.isa ~= "amx" then
    warnings.warn("mixed_bfloat16: this CPU (%s) does not multiply bfloat16, so products are "
      .. "computed in float32, which the policy \"float32\" does faster", cpu.isa)
  end
end

-- A policy's name from what stands for one.
local function name_of(value)
  if Object.is_instance(value, DTypePolicy) then return value.name end
  if kinds.is_plain(value) and kinds.is_plain(value.config) then value = value.config.name end
  if value == nil or value == null then return global or engine.get_floatx() end
  return value
end

local modes = {int8 = true, int4 = true, float8 = true}
local blocks = "^int4/(%-?%d+)$"

local function check_mode(mode, size, compute)
  local base = size and "int4" or mode
  if not modes[base] or size and (size == 0 or size < -1) then
    errors.raise("dtype policy: the quantization mode should be \"int8\", \"int4\", "
      .. "\"int4/<block size>\" or \"float8\", got %q", mode)
  end
  if base == "int8" and compute == "float16" then
    errors.raise("dtype policy: the quantization mode \"int8\" does not go with computing in "
      .. "float16; use \"mixed_bfloat16\" or \"float32\"")
  end
  return base
end

--- What the policy of a quantized layer says.
-- @tparam string mode "int8", "int4", "int4/128" or "float8"
-- @tparam ?string source the policy that the layer had before
-- @tparam ?integer length of the histories of "float8"
-- @treturn table as `parts` has it, with `mode`, `source`, `block_size` and `history`
-- @local
function DTypePolicy.quantized_parts(mode, source, length)
  local from = DTypePolicy.parts(source)
  local size = math.tointeger(tonumber(mode:match(blocks)))
  local base = check_mode(mode, size, from.compute)
  return {name = mode .. "_from_" .. from.name, compute = from.compute, variable = from.variable,
    mode = base, source = from.name, block_size = size, history = length or 1024}
end

--- What a policy says: from a dtype's or policy's name, a policy, Keras's serialised form of one,
-- or the global one from nil.
-- @treturn table `name`, `compute` and `variable`
-- @raise for a name that is no dtype
-- @local
function DTypePolicy.parts(value)
  if kinds.is_plain(value) and value.class_name and value.class_name ~= "DTypePolicy" then
    value = require("cusp.base.registry").deserialize(value)
  end
  if type(value) == "table" and value.to_parts then return value:to_parts() end
  local name = kinds.dtype(name_of(value))
  local mode, source = kinds.quantized_dtype(name)
  if mode then return DTypePolicy.quantized_parts(mode, source) end
  if mixed[name] then
    note_slow(name)
    return mixed[name]
  end
  if not kinds.dtypes[name] and name ~= "string" then
    errors.raise("dtype should be a name such as \"float32\" or \"mixed_bfloat16\", got %s",
      errors.describe(value))
  end
  return {name = name, compute = name, variable = name}
end

function DTypePolicy:init(args)
  Object.configure(self, args, DTypePolicy)
  local parts = DTypePolicy.parts(self.name)
  if parts.mode then
    errors.raise("DTypePolicy: %q is the policy of quantized layers; make it by "
      .. "cusp.dtype_policies.get(%q)", parts.name, parts.name)
  end
  self.name, self.compute_dtype, self.variable_dtype = parts.name, parts.compute, parts.variable
end

--- How weights are quantized: not at all here.
function DTypePolicy.__getters.quantization_mode() return nil end

--- A floating-point tensor in another dtype; anything else as it is.
-- @param x
-- @tparam boolean autocast whether to convert at all
-- @tparam string dtype
function DTypePolicy:convert_input(x, autocast, dtype)
  if not autocast or type(x) ~= "userdata" and type(x) ~= "table" then return x end
  if not tostring(x.dtype):find("float", 1, true) or x.dtype == dtype then return x end
  return x:cast(dtype)
end

function DTypePolicy:get_config() return ordered.object({name = self.name}, {"name"}) end

function DTypePolicy.__eq(a, b)
  return Object.is_instance(a, DTypePolicy) and Object.is_instance(b, DTypePolicy)
    and getmetatable(a) == getmetatable(b) and a.name == b.name
    and a.amax_history_length == b.amax_history_length
end

--- As Keras prints it: `<DTypePolicy "mixed_float16">`.
function DTypePolicy:__tostring() return ("<%s %q>"):format(self.__name, self.name) end

--- The policy of layers that are given none.
-- @treturn DTypePolicy
-- @local
function DTypePolicy.get_global() return DTypePolicy{name = name_of(nil)} end

--- Sets it.
-- @local
function DTypePolicy.set_global(value)
  local name = DTypePolicy.parts(value).name
  if name == "string" then errors.raise "dtype policy: layers compute with numbers, not strings" end
  global = name
end

return DTypePolicy
