--- Writes docs/reference.md from the operation table: what `make docs` runs.
local cusp = require "cusp"
local namespace = require "cusp.namespace"

local function argument(parameter)
  local text = parameter.name
  if parameter.kind == "tensors" then text = text .. "..." end
  if parameter.optional and parameter.default == nil then text = text .. "?" end
  if parameter.default ~= nil then text = ("%s = %s"):format(text, tostring(parameter.default)) end
  return text
end

local function heading(row)
  local parameters = {}
  for i, parameter in ipairs(row.arguments or {}) do parameters[i] = argument(parameter) end
  return ("- **`ops.%s(%s)`** "):format(row.name, table.concat(parameters, ", "))
end

local function names_of(space)
  local names = {}
  for _, name in ipairs(namespace.names(space)) do
    if name:match "^%u" then names[#names + 1] = name end
  end
  return names
end

local rows = {}
for _, row in pairs(require("cusp.ops").describe()) do rows[#rows + 1] = row end
table.sort(rows, function(a, b) return a.name < b.name end)

local lines = {
  "# Reference",
  "Written by `make docs` from the operation table; `help \"NAME\"` at the prompt shows the same, and more for classes.",
  "",
  "Axes count from 1, negative ones from the end. Positional arguments stand in this order; keyword arguments go in a last table.",
  "`?` marks what may be left out, `...` a list of tensors. Every operation is also a method of tensors: `x:softmax()`.",
  "",
  "## Operations",
}
for _, row in ipairs(rows) do
  if not (row.flags and row.flags.hidden) then lines[#lines + 1] = heading(row) .. (row.help or "") end
end
for _, space in ipairs{"layers", "losses", "metrics", "optimizers", "initializers", "regularizers", "constraints", "callbacks"} do
  local names = names_of(cusp[space])
  if #names > 0 then
    lines[#lines + 1] = ("\n## cusp.%s\n%s"):format(space, "`" .. table.concat(names, "`, `") .. "`")
  end
end

local file = assert(io.open("docs/reference.md", "w"))
file:write(table.concat(lines, "\n"), "\n")
assert(file:close())
print(("docs/reference.md: %d operations"):format(#rows))
