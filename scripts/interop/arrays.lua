-- The other half of arrays.py: tensors and plain tables in Cusp, saved in every format, and those
-- of NumPy, h5py and Python, loaded.
--
--     cusp arrays.lua write FOLDER     files
--     cusp arrays.lua read FOLDER      prints what is in the files of FOLDER/python, as JSON
local cusp = require "cusp"

local dtypes = {
  "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16",
  "bfloat16", "float32", "float64",
}

local function tensor(dtype)
  local values = {}
  for i = 0, 23 do
    values[i + 1] = i
    if dtype == "bool" then values[i + 1] = i % 2 == 1 end
  end
  return cusp.tensor(values, {dtype = dtype, shape = {2, 3, 4}})
end

local plain = {
  list = {1, 2.5, "x", true, false, cusp.null, {}}, nested = {{a = 1, b = {"née", "two\nlines"}}},
  integer = 2 ^ 53 | 0,
  small = 1e-7, text = "yes", number_text = "123",
}

local function write(folder)
  local arrays = {}
  for _, dtype in ipairs(dtypes) do
    local value = tensor(dtype)
    cusp.numpy.save(("%s/%s.npy"):format(folder, dtype), value)
    arrays[dtype] = value
  end
  arrays.scalar, arrays.empty, arrays.transposed = cusp.tensor(3.5), cusp.zeros{0, 3},
    tensor("float32"):transpose()
  cusp.numpy.savez(folder .. "/stored.npz", arrays)
  cusp.numpy.savez_compressed(folder .. "/deflated.npz", arrays)
  arrays.bfloat16 = nil
  cusp.save(folder .. "/arrays.h5", {group = {inner = arrays}})
  cusp.save(folder .. "/mixed.npz", {list = {tensor "float32", 5, "text"}, none = cusp.None})
  cusp.save(folder .. "/mixed.h5", {list = {tensor "float32", 5, "text"}, none = cusp.None})
  cusp.save(folder .. "/plain.json", plain)
  cusp.save(folder .. "/plain.yaml", plain)
  local writer <close> = cusp.zip.create(folder .. "/members.zip")
  writer:add("née/text.txt", "text")
  writer:add("zeros", ("\0"):rep(100000), {compress = true})
  writer:close()
end

local function describe(value)
  local engine = require "cusp.engine"
  if engine.is_tensor(value) then
    local shape = cusp.json.encode(value.shape)
    return {shape = shape == "[]" and "()" or shape, dtype = value.dtype, values = value:flat()}
  end
  if type(value) ~= "table" or value == cusp.null then return value end
  local result = {}
  for key, item in pairs(value) do result[key] = describe(item) end
  return next(result) == nil and value or result
end

local function read(folder)
  local results = {}
  for _, name in ipairs(require("cusp.engine").files.list(folder)) do
    local path = folder .. "/" .. name
    local ok, value = pcall(function()
      if not name:find "%.zip$" then return describe(cusp.load(path)) end
      local archive <close> = cusp.zip.open(path)
      local members = {}
      for _, member in ipairs(archive:names()) do members[member] = archive:read(member) end
      return members
    end)
    results[name] = ok and {value = value} or {problem = tostring(value)}
  end
  print(cusp.json.encode(results))
end

local command, folder = arg[1], arg[2]
if command == "write" then write(folder) else read(folder .. "/python") end
