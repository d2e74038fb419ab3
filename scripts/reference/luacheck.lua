--- What luacheck has to know of a program that uses Cusp: a standard, `stds.cusp`, with the names
-- that the prompt and `cusp -i` define, and the fields of `cusp`.
local cusp = require "cusp"
local namespace = require "cusp.base.namespace"

local luacheck = {}

-- Namespaces whose fields are known; those below them are listed as theirs.
local function fields_of(space, depth)
  local fields = {}
  for _, name in ipairs(namespace.names(space)) do
    local value = space[name]
    local meta = type(value) == "table" and getmetatable(value)
    local inner = depth > 0 and type(meta) == "table" and rawget(meta, "__members")
    if name:find "^[%a_][%w_]*$" then -- rows of inner namespaces have a dot
      fields[#fields + 1] = {name, inner and fields_of(value, depth - 1) or nil}
    end
  end
  return fields
end

local function add_fields(lines, fields, indent)
  for _, field in ipairs(fields) do
    local head = ("%s[%q] = {"):format(indent, field[1])
    if field[2] then
      lines[#lines + 1] = head .. "fields = {"
      add_fields(lines, field[2], indent .. "  ")
      lines[#lines + 1] = indent .. "}},"
    else
      lines[#lines + 1] = head .. "other_fields = true},"
    end
  end
end

--- The text of the file, which a `.luacheckrc` reads with `dofile`.
function luacheck.text()
  local fields = fields_of(cusp, 2)
  local lines = {"-- Written by `make docs`: what luacheck knows of Cusp.", "local cusp = {"}
  add_fields(lines, fields, "  ")
  lines[#lines + 1] = "}"
  lines[#lines + 1] = [[
return {
  read_globals = {
    cusp = {fields = cusp}, layers = cusp.layers, ops = cusp.ops,
    help = {other_fields = true}, apropos = {},
  },
}]]
  return table.concat(lines, "\n") .. "\n"
end

return luacheck
