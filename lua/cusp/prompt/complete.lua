--- What may stand where the cursor is: fields and methods, and the names of arguments within a
-- call.
-- @module cusp.prompt.complete
local engine = require "cusp.engine"
local plain = require "cusp.base.plain"

local words =
  "and break do else elseif end false for function goto if in local nil not or repeat return then "
  .. "true until while"

-- Looks without running the user's metamethods where it can, and never raises.
local function index(value, key)
  local ok, result = engine.attempt(function() return value[key] end)
  if ok then return result end
end

--- The value of a chain of names such as `cusp.layers`; nil where it leads nowhere.
local function resolve(path)
  local value
  for separator, name in path:gmatch "([.:]?)([%a_][%w_]*)" do
    if separator == "" then value = rawget(_G, name) else value = index(value, name) end
    if value == nil then return nil end
  end
  return value
end

local function add_keys(names, t)
  if type(t) ~= "table" then return end
  for key in next, t do
    if type(key) == "string" and key:match "^[%a_][%w_]*$" then names[key] = true end
  end
end

local function add_class(names, class)
  while type(class) == "table" do
    add_keys(names, class)
    add_keys(names, rawget(class, "__getters"))
    class = rawget(class, "__super")
  end
end

local function add_meta(names, meta)
  if type(meta) ~= "table" then return end
  local members = rawget(meta, "__members")
  add_keys(names, members)
  local further = type(members) == "table" and getmetatable(members)
  if further then add_keys(names, further.__index) end
  if rawget(meta, "__super") then return add_class(names, meta) end
  local inner = rawget(meta, "__index")
  add_keys(names, type(inner) == "function" and meta or inner)
end

local function add_engine_value(names, value)
  if not (engine.is_tensor(value) or engine.is_variable(value)) then return end
  add_keys(names, engine.tensor_methods)
  names.shape, names.dtype, names.ndim = true, true, true
  if engine.is_variable(value) then
    add_keys(names, engine.variable_methods)
    names.value, names.trainable, names.name, names.path = true, true, true, true
  end
end

local function names_in(value)
  local names = {}
  if type(value) == "string" then
    add_keys(names, string)
  elseif type(value) == "table" then
    add_keys(names, value)
    if rawget(value, "__super") then add_class(names, value) end
    add_meta(names, getmetatable(value))
  elseif type(value) == "userdata" then
    add_engine_value(names, value)
    add_meta(names, debug.getmetatable(value))
  end
  return names
end

-- The path of what is called where the cursor is, from the innermost open bracket: "layers.Dense"
-- of "x = layers.Dense{3, act".
local function callee(before)
  local depth = 0
  for i = #before, 1, -1 do
    local c = before:sub(i, i)
    if c:find "[%)}%]]" then
      depth = depth + 1
    elseif c:find "[%({%[]" then
      if depth == 0 then
        local outside = before:sub(1, i - 1)
        -- a table of keyword arguments
        if c == "{" and outside:find "[(,]%s*$" then return callee(outside) end
        return outside:match "([%a_][%w_.:]*)%s*$"
      end
      depth = depth - 1
    end
  end
end

-- Names of the keyword arguments of what is called, with " = ".
local function argument_names(before)
  local path = callee(before)
  local called = path and resolve(path)
  local list = {}
  if called == nil then return list end
  for _, parameter in ipairs(require("cusp.prompt.help").parameters(called) or {}) do
    list[#list + 1] = parameter.name .. " = "
  end
  return list
end

local function starting(names, prefix, head, methods_of)
  local list = {}
  for name in pairs(names) do
    local hidden = name:sub(1, 1) == "_" and prefix:sub(1, 1) ~= "_"
    if not hidden and name:sub(1, #prefix) == prefix
      and (methods_of == nil or type(index(methods_of, name)) == "function") then
      list[#list + 1] = head .. name
    end
  end
  plain.sort(list)
  return list
end

--- Lists what may stand for `text`.
-- @tparam string text the word before the cursor
-- @tparam string line
-- @tparam integer first where `text` starts in `line`
-- @treturn {string,...}
return function(text, line, first)
  local head, separator, prefix = text:match "^(.-)([.:])([%w_]*)$"
  if head then
    local value = resolve(head)
    if value == nil then return {} end
    return starting(names_in(value), prefix, head .. separator, separator == ":" and value or nil)
  end
  local list = {}
  for _, name in ipairs(argument_names(line:sub(1, first - 1))) do
    if name:sub(1, #text) == text then list[#list + 1] = name end
  end
  if text == "" or #list > 0 then return list end
  local names = {}
  add_keys(names, _G)
  for word in words:gmatch "%a+" do names[word] = true end
  table.move(starting(names, text, ""), 1, 1000, #list + 1, list)
  return list
end
