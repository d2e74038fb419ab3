--- The inputs so far, by number: their texts, for errors that name a line of one, and their values.
-- @module cusp.prompt.inputs
local inputs = {}

local texts, values = {}, {}

--- The number of the input that is read now.
function inputs.number() return #texts + 1 end

--- Keeps an input.
-- @treturn integer its number
function inputs.add(text)
  texts[#texts + 1] = text
  return #texts
end

--- The name of an input's chunk.
function inputs.chunk_name(number) return ("=[%d]"):format(number) end

--- Notes the value of an input, which becomes `_` and `_N`. The values before go `__`, `___`.
function inputs.set_value(number, value)
  rawset(_G, "___", rawget(_G, "__"))
  rawset(_G, "__", rawget(_G, "_"))
  rawset(_G, "_", value)
  rawset(_G, "_" .. number, value)
  values[#values + 1] = number
end

--- All texts, in order.
function inputs.all() return texts end

--- Begins to count anew, and forgets the values.
function inputs.clear()
  for _, number in ipairs(values) do rawset(_G, "_" .. number, nil) end
  for _, name in ipairs{"_", "__", "___"} do rawset(_G, name, nil) end
  texts, values = {}, {}
end

local function line_of(text, number)
  local at = 0
  for line in (text .. "\n"):gmatch "(.-)\n" do
    at = at + 1
    if at == number then return line end
  end
end

--- A line of an input or of a file, by the name that messages have for it.
-- @tparam string name "[7]" or a path
-- @tparam integer number
-- @treturn ?string
function inputs.line(name, number)
  local input = name:match "^%[(%d+)%]$"
  if input then
    local text = texts[tonumber(input)]
    return text and line_of(text, number)
  end
  local file = io.open(name)
  if not file then return nil end
  local text = file:read(1 << 22) or ""
  file:close()
  return line_of(text, number)
end

--- Lines of an input; nil where there is none of that name.
-- @treturn ?string
function inputs.lines(name, first, last)
  local list = {}
  for number = first, last do list[#list + 1] = inputs.line(name, number) end
  return #list > 0 and table.concat(list, "\n") or nil
end

return inputs
