--- Python's number formats, and the replacement fields of its format strings: `{epoch:02d}`,
-- `{val_loss:.2f}`. Used for the names of checkpoints, CSV files and messages, so that they look
-- like Keras's.
-- @module cusp.callbacks.python_format
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local plain = require "cusp.base.plain"

local python = {}

local function non_finite(value)
  if value ~= value then return "nan" end
  if value == math.huge then return "inf" elseif value == -math.huge then return "-inf" end
end

--- The shortest text that reads back as the same number: `0.1`, `1e-05`, `3`, `2.0`.
-- @tparam number value
-- @treturn string
function python.repr(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  local special = non_finite(value)
  if special then return special end
  local size = math.abs(value)
  if size >= 1e15 and size < 1e16 then return plain.format("%.1f", value) end
  for digits = 1, 17 do
    local text = plain.format("%." .. digits .. "g", value)
    if plain.tonumber(text) == value then
      if not text:find "e" then return text:find(".", 1, true) and text or text .. ".0" end
      -- %g switches to exponents as soon as the digits do not reach the point; Python does so from
      -- 1e16 on and below 1e-4.
      if size >= 1 and size < 1e16 then return plain.format("%.1f", value) end
      return text
    end
  end
end

local pattern = "^(.?)([<>=^]?)([+ -]?)(#?)(0?)(%d*)([,_]?)(%.?)(%d*)([a-zA-Z%%]?)$"

local function parse(spec)
  local fill, align, sign, alternate, zero, width, group, point, digits, kind = spec:match(pattern)
  if fill and fill ~= "" and align == "" then
    -- The first character was not a fill character: parse it again as part of the rest.
    fill, align = "", spec:match "^[<>=^]" or ""
    sign, alternate, zero, width, group, point, digits, kind = spec:sub(#align + 1)
      :match "^([+ -]?)(#?)(0?)(%d*)([,_]?)(%.?)(%d*)([a-zA-Z%%]?)$"
  end
  if not kind or point ~= "" and digits == "" then return nil end
  if zero ~= "" and align == "" then fill, align = "0", "=" end
  return {
    fill = fill ~= "" and fill or " ", align = align, sign = sign, alternate = alternate,
    width = tonumber(width) or 0, group = group,
    precision = tonumber(digits), kind = kind,
  }
end

local function grouped(text, separator)
  if separator == "" then return text end
  local whole, rest = text:match "^(%d+)(.*)$"
  if not whole then return text end
  return (whole:reverse():gsub("(%d%d%d)", "%1" .. separator):reverse():gsub("^" .. separator, ""))
    .. rest
end

-- The digits of a nonnegative number; nil if the kind does not fit it.
local function digits_of(value, f)
  local kind = f.kind
  if kind == "d" then return math.type(value) == "integer" and ("%d"):format(value) or nil end
  if kind == "x" or kind == "X" or kind == "o" then
    return math.type(value) == "integer" and ("%" .. f.alternate .. kind):format(value) or nil
  end
  if kind == "" and math.type(value) == "integer" and not f.precision then
    return ("%d"):format(value)
  end
  local special = non_finite(value)
  if special then return special end
  if kind == "" then
    return f.precision and plain.format("%." .. math.max(f.precision, 1) .. "g", value)
      or python.repr(value + 0.0)
  end
  if kind == "%" then return plain.format("%." .. (f.precision or 6) .. "f%%", value * 100) end
  if kind:find "^[eEfFgG]$" then
    return plain.format("%" .. f.alternate .. "." .. (f.precision or 6)
      .. (kind == "F" and "f" or kind), value)
  end
end

local function pad(text, f, sign, default)
  local missing = f.width - (utf8.len(text) or #text) - #sign
  if missing <= 0 then return sign .. text end
  local align = f.align ~= "" and f.align or default
  if align == "=" then return sign .. f.fill:rep(missing) .. text end
  if align == "<" then return sign .. text .. f.fill:rep(missing) end
  if align == "^" then
    return f.fill:rep(missing // 2) .. sign .. text .. f.fill:rep(missing - missing // 2)
  end
  return f.fill:rep(missing) .. sign .. text
end

--- Formats a value in Python's format language.
-- @param value a number or a string
-- @tparam string spec such as "02d", ".3f", "e", ">8"
-- @treturn ?string nil if the specification is wrong or does not fit the value
function python.format(value, spec)
  local f = parse(spec)
  if not f then return nil end
  if type(value) ~= "number" then
    if f.kind ~= "" and f.kind ~= "s" then return nil end
    local text = plain.tostring(value)
    if f.precision then
      text = text:sub(1, (utf8.offset(text, f.precision + 1) or #text + 1) - 1)
    end
    return pad(text, f, "", "<")
  end
  local negative = value < 0 or value == 0 and 1 / value < 0 and math.type(value) == "float"
  local text = digits_of(negative and -value or value, f)
  if not text then return nil end
  local sign = negative and "-" or f.sign ~= "-" and f.sign or ""
  return pad(grouped(text, f.group), f, sign, ">")
end

--- Fills in the replacement fields of a template; `{{` and `}}` are literal braces.
-- @tparam string owner of the template, for messages: "ModelCheckpoint: filepath"
-- @tparam string template
-- @tparam table values by name
-- @treturn string
-- @raise for a field that is not among the values, and a specification that does not fit its value
function python.fill(owner, template, values)
  local pieces, position = {}, 1
  while position <= #template do
    local brace = template:find("[{}]", position)
    if not brace then break end
    pieces[#pieces + 1] = template:sub(position, brace - 1)
    if template:sub(brace, brace + 1) == "{{" or template:sub(brace, brace + 1) == "}}" then
      pieces[#pieces + 1] = template:sub(brace, brace)
      position = brace + 2
    else
      local name, spec, stop = template:match("^{([^{}:!]*):?([^{}]*)}()", brace)
      if not name then
        errors.raise("%s %q: a single '%s' at %d; write it twice for a literal brace", owner,
          template, template:sub(brace, brace), brace)
      end
      local value = values[name]
      if value == nil then
        errors.raise("%s %q: `%s` is not available%s; available are: %s", owner, template,
          name, errors.suggestion(name, values), table.concat(lists.keys(values), ", "))
      end
      local text = python.format(value, spec)
      if not text then
        errors.raise("%s %q: the format '%s' does not fit %s = %s", owner, template, spec, name,
          errors.describe(value))
      end
      pieces[#pieces + 1] = text
      position = stop
    end
  end
  pieces[#pieces + 1] = template:sub(position)
  return table.concat(pieces)
end

return python
