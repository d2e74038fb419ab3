--- Operations on tensors: the rows of the engine's table, and those written in Lua in terms of
-- them. Names, arguments and defaults are those of `keras.ops`; axes count from 1. Each operation
-- whose first argument is a tensor is a method of tensors and variables too.
-- @module cusp.ops
-- @usage cusp.ops.sum(x, {axis = 2, keepdims = true})
-- x:sum{axis = 2}:sqrt()
local absent = require "cusp.base.absent"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local rooms = require "cusp.base.rooms"

-- The files of the operations written in Lua. Each is loaded on first use of one of its operations.
local files = {
  control = "cond switch while_loop fori_loop map vectorized_map scan vectorize",
  associative_scan = "associative_scan",
  complex = "eig view_as_complex view_as_real polar",
  custom_gradient = "custom_gradient jvp",
  inspect = "shape size ndim dtype is_tensor convert_to_numpy",
  linear = "einsum tensordot norm normalize cross cdist correlate diff trapezoid",
  arrange = "rearrange select unique boolean_mask with",
  fourier = "fft fft2 ifft2 rfft irfft extract_sequences stft istft",
  nn = "unfold fold depth_to_space space_to_depth psnr sparsemax adaptive_average_pool "
    .. "adaptive_max_pool ctc_loss ctc_decode",
}

local members = {}
for file, names in pairs(files) do
  for name in names:gmatch "%S+" do members[name] = file end
end

local ops

local function load(_, name)
  local found = engine.ops[name]
  if not found and members[name] then
    require("cusp.ops." .. members[name])
    found = define.functions[name]
  elseif not found and name == "image" then
    found = rooms.get "ops.image"
  -- names of operations in saved models
  elseif not found and type(name) == "string" and name:find "^image%." then
    found = rooms.get("ops.image")[name:match "%.(.*)"]
  elseif name == "repeat_" then
    found = engine.ops["repeat"] -- a reserved word of Lua
  elseif not found and (name == "nn" or name == "numpy" or name == "linalg") then
    found = ops -- Keras's other ways to the same operations
  end
  if not found then return absent.note(ops, name) end
  -- parts of other operations are there to be called, not listed
  if not rawget(members, name) and name ~= "image" and not rawget(engine.ops, name) then
    return found
  end
  rawset(ops, name, found)
  return found
end

ops = setmetatable({}, {
  __index = load, __pairs = absent.pairs, __name = "cusp.ops",
  __members = setmetatable(members, {__index = engine.ops}),
  __tostring = function() return "cusp.ops" end,
})

-- Methods for operations that have not been loaded yet; what takes functions, or is a field of
-- tensors, is none.
local no_methods = {
  control = true, associative_scan = true, custom_gradient = true, inspect = true, einsum = true,
  select = true,
}
for name, file in pairs(members) do
  if not no_methods[file] and not no_methods[name] and not rawget(engine.tensor_methods, name) then
    define.add_method(name, function(...) return ops[name](...) end)
  end
end

define.add_method("repeat_", engine.ops["repeat"])

--- All operations by name: `{name =, help =, arguments = {...}, ...}`, as `engine.describe` gives
-- those of the engine.
-- @treturn table name → description
function ops.describe()
  local rows = {}
  for _, file in pairs(members) do require("cusp.ops." .. file) end
  for name, row in pairs(define.rows()) do rows[name] = row end
  for _, row in ipairs(engine.describe()) do rows[row.name] = row end
  return rows
end

return ops
