--- Runs the programs of a file in several ways and prints their results. Run by `programs.lua`,
-- which compares them. The file returns a list of program texts; the second argument lists the
-- ways.
package.path = os.getenv "CUSP_FUZZ" .. "/?.lua;" .. package.path
local cusp = require "cusp"
local engine = require "cusp.engine"
local modes = require "program_modes"

local out = io.stdout

local function encode(value, parts)
  if type(value) == "number" then
    parts[#parts + 1] = value ~= value and "0/0" or ("%.17g"):format(value):gsub("^inf$",
      "1/0"):gsub("^%-inf$", "-1/0")
  elseif type(value) == "table" and not getmetatable(value) then
    parts[#parts + 1] = "{"
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = key end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for _, key in ipairs(keys) do
      parts[#parts + 1] = type(key) == "number" and ("[%d]="):format(key) or ("[%q]="):format(key)
      encode(value[key], parts)
      parts[#parts + 1] = ","
    end
    parts[#parts + 1] = "}"
  elseif type(value) == "userdata" and (engine.is_tensor(value) or engine.is_variable(value)) then
    parts[#parts + 1] = ("{dtype=%q,shape=%q,"):format(value.dtype, table.concat(value.shape, ","))
    local flat = value.dtype == "bool" and cusp.ops.cast(value, "int32") or value
    for _, number in ipairs(cusp.ops.reshape(flat, {-1}):tolist()) do
      encode(number, parts)
      parts[#parts + 1] = ","
    end
    parts[#parts + 1] = "}"
  else
    parts[#parts + 1] = ("%q"):format(tostring(value))
  end
end

local function run(text, mode)
  local ok, result = pcall(function()
    local program = assert(load(text, "=program"))(cusp, cusp.layers, cusp.ops)
    return program(mode)
  end)
  local parts = {}
  if ok then ok, result = pcall(encode, result, parts) end
  if not ok then return ("{error=%q}"):format(tostring(result):gsub("\n.*", "")) end
  return table.concat(parts)
end

for number, text in ipairs(dofile(arg[1])) do
  for name in arg[2]:gmatch "%w+" do
    out:write("@", number, " ", name, "\n")
    out:flush()
    out:write("=", number, " ", name, " ", (run(text, modes[name]):gsub("\n", " ")), "\n")
    cusp.set_num_threads(1)
    collectgarbage()
  end
end
out:write "done\n"
