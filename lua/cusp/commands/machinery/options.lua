--- The arguments of a command, by its declaration: `operands`, a list of names (a name that ends in
-- "?" may be missing, the last may end in "..."), and `options`, a list of
-- `{name, kind, value = what it is called, about = a line}`. Kinds: "flag", "text", "integer",
-- "number", "choice" (with `choices`), and "texts", which may be given several times, each time
-- with several values.
-- @module cusp.commands.machinery.options
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"

local options = {}

local function find(command, word)
  local names = {}
  for _, option in ipairs(command.options or {}) do
    if option[1] == word then return option end
    names[option[1]] = true
  end
  errors.raise("there is no option --%s%s; cusp %s --help lists them", word,
    errors.suggestion(word, names), command.name)
end

local function limits_of(option)
  if option.max then
    return (" from %s to %s"):format(plain.tostring(option.min), plain.tostring(option.max))
  end
  return option.min and (" of at least %s"):format(plain.tostring(option.min)) or ""
end

local function to_number(option, text)
  local number = plain.tonumber(text)
  local is_integer = option[2] == "integer"
  if is_integer then number = math.tointeger(number) end
  if not number or number ~= number or option.min and number < option.min
    or option.max and number > option.max then
    errors.raise("--%s: expected %s%s, got '%s'", option[1],
      is_integer and "an integer" or "a number", limits_of(option), text)
  end
  return number
end

local function to_choice(option, text)
  for _, choice in ipairs(option.choices) do
    if choice == text then return text end
  end
  errors.raise("--%s: expected one of %s, got '%s'%s", option[1],
    table.concat(option.choices, ", "), text, errors.suggestion(text, option.choices))
end

local convert = {
  integer = to_number, number = to_number, choice = to_choice,
  text = function(_, text) return text end,
}

local function is_option(word) return word:find "^%-%-?%a" ~= nil end

-- Takes the values that follow an option; the position of what comes after them.
local function take_texts(result, option, given, at)
  local list = result[option[1]] or {}
  result[option[1]] = list
  local count = #list
  while given[at] and not is_option(given[at]) and given[at] ~= "--" do
    list[#list + 1] = given[at]
    at = at + 1
  end
  if #list == count then errors.raise("--%s needs %s", option[1], option.value) end
  return at
end

local function take_option(command, result, given, at)
  local word, value = given[at]:match "^%-%-?([%w-]+)=(.*)$"
  word = word or given[at]:match "^%-%-?(.*)$"
  local option = find(command, word)
  local name, kind = option[1], option[2]
  if kind == "flag" then
    if value then errors.raise("--%s takes no value", name) end
    result[name] = true
    return at + 1
  end
  if kind == "texts" and not value then return take_texts(result, option, given, at + 1) end
  if not value and not given[at + 1] then errors.raise("--%s needs %s", name, option.value) end
  if kind == "texts" then
    result[name] = result[name] or {}
    table.insert(result[name], value)
    return at + 1
  end
  if result[name] ~= nil then errors.raise("--%s is given twice", name) end
  result[name] = convert[kind](option, value or given[at + 1])
  return value and at + 1 or at + 2
end

local function put_operands(command, result, words)
  local names = command.operands or {}
  for i, name in ipairs(names) do
    local key = name:match "^[%w_]+"
    if name:find "%.%.%.$" then
      result[key] = table.move(words, i, #words, 1, {})
      return
    end
    result[key] = words[i]
    if words[i] == nil and not name:find "%?$" then
      errors.raise("%s is missing; usage: cusp %s", key, command.usage)
    end
  end
  if #words > #names then
    errors.raise("'%s' is one argument too many; usage: cusp %s", words[#names + 1], command.usage)
  end
end

--- The arguments of a call by name.
-- @tparam table command
-- @tparam {string,...} given
-- @treturn table
-- @raise for what the command does not know
function options.parse(command, given)
  local result, words, at = {}, {}, 1
  while given[at] do
    local all_operands = command.script and #words > 0
    if given[at] == "--" and not all_operands then
      table.move(given, at + 1, #given, #words + 1, words)
      break
    elseif is_option(given[at]) and not all_operands then
      at = take_option(command, result, given, at)
    else
      words[#words + 1] = given[at]
      at = at + 1
    end
  end
  put_operands(command, result, words)
  return result
end

return options
