-- Models written as C programs, compiled, and compared with what they predict.
local assert = require "luassert"
local cusp = require "cusp"
local folder = require "spec.support.folder"

local exported = {}

exported.flags = "-std=c99 -O1 -Wall -Wextra -Werror -pedantic"

function exported.has(program)
  return os.execute(("command -v %s >/dev/null 2>&1"):format(program))
end

-- Weights that leave nothing at 0 or 1, where a mistake would not show.
function exported.randomize(model)
  for i, variable in ipairs(model.variables) do
    if variable.dtype == "float32" then
      local low, high = -0.7, 0.7
      if variable.path:find "variance" then low, high = 0.5, 2 end
      variable:assign(cusp.random.uniform(variable.shape,
        {minval = low, maxval = high, seed = i}))
    end
  end
  return model
end

-- A model of one layer after the other.
function exported.chain(shape, ...)
  local x = cusp.Input{shape = shape, name = "x"}
  local y = x
  for _, layer in ipairs{...} do y = layer(y) end
  return exported.randomize(cusp.Model{inputs = x, outputs = y})
end

function exported.build(shape, f, dtype, batch)
  local x = cusp.Input{shape = shape, dtype = dtype, batch_size = batch, name = "x"}
  return exported.randomize(cusp.Model{inputs = x, outputs = f(x)})
end

function exported.run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local output = pipe:read "a"
  return pipe:close() and true or false, output
end

-- Exports the models, compiles all in one run, and checks each one's self-test.
function exported.check(models, options)
  if not exported.has "cc" then return end
  local place <close> = folder.new()
  local lines, calls, names = {"#include <stdio.h>"}, {}, {}
  for name in pairs(models) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    models[name]:export_c(("%s/%s.c"):format(place.path, name), options)
    lines[#lines + 1] = ('#include "%s.c"'):format(name)
    calls[#calls + 1] = ('  printf("%s %%d\\n", %s_self_test() <= 1e-5f);'):format(name, name)
  end
  local driver = assert(io.open(place.path .. "/driver.c", "w"))
  driver:write(table.concat(lines, "\n"), "\nint main(void)\n{\n", table.concat(calls, "\n"),
    "\n  return 0;\n}\n")
  driver:close()
  local ok, output = exported.run(("cd '%s' && cc %s driver.c -lm -o driver && ./driver"):format(
    place.path, exported.flags))
  assert.is_true(ok, output)
  for _, name in ipairs(names) do assert.equal("1", output:match(name .. " (%d)"), name) end
end

return exported
