--- CUSP_REFERENCE_KERNELS=1 gives the same results as the fast kernels, for every dtype of
-- products.
local build = os.getenv "CUSP_BUILD" or "build"

local program = [[
local cusp = require "cusp"
for _, dtype in ipairs{"float32", "float64", "float16", "bfloat16", "int32", "uint8", "bool"} do
  local a = cusp.tensor({1, 0, 1, 1, 1, 0}, {shape = {2, 3}}):cast(dtype)
  print(dtype, table.concat(a:matmul(a:transpose()):cast("int32"):flat(), " "))
end]]

local function output(environment)
  local pipe = io.popen(("%s '%s/cusp' -e '%s' 2>&1"):format(environment, build, program))
  local text = pipe:read "a"
  pipe:close()
  return text
end

describe("reference kernels", function()
  it("multiply matrices of every dtype", function()
    assert.matches("bfloat16\t2 1 1 2\n", output "")
    assert.equal(output "", output "CUSP_REFERENCE_KERNELS=1")
  end)
end)
