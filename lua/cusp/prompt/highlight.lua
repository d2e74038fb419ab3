--- Colours of the input line, and the bracket that belongs to the one at the cursor.
-- @module cusp.prompt.highlight
local lexer = require "cusp.prompt.lexer"

local colours = {keyword = "\27[35m", string = "\27[32m", number = "\27[36m", comment = "\27[90m"}
local MATCH, PLAIN = "\27[1;7m", "\27[0m"
local constants = {["nil"] = true, ["true"] = true, ["false"] = true}
local closing = {["("] = ")", ["["] = "]", ["{"] = "}"}
local opening = {[")"] = "(", ["]"] = "[", ["}"] = "{"}

-- The index of the bracket that belongs to the one at index i, going by `step`.
local function partner(tokens, i, step)
  local own, depth = tokens[i].text, 0
  local other = step == 1 and closing[own] or opening[own]
  while tokens[i] do
    if tokens[i].kind == "symbol" then
      if tokens[i].text == own then depth = depth + 1 end
      if tokens[i].text == other then depth = depth - 1 end
      if depth == 0 then return i end
    end
    i = i + step
  end
end

-- The brackets to mark: that before the cursor, else that below it, and its partner.
local function marked(tokens, cursor)
  for _, place in ipairs{cursor - 1, cursor} do
    for i, token in ipairs(tokens) do
      local step = closing[token.text] and 1 or opening[token.text] and -1
      if token.first == place and token.kind == "symbol" and step then
        local other = partner(tokens, i, step)
        return other and {[i] = true, [other] = true} or {}
      end
    end
  end
  return {}
end

--- A text with its colours.
-- @tparam string text
-- @tparam integer cursor the byte that the cursor is before, from 1; -1 for none
-- @treturn string
return function(text, cursor)
  local tokens, parts = lexer.tokens(text), {}
  local marks = marked(tokens, cursor)
  for i, token in ipairs(tokens) do
    local colour = marks[i] and MATCH
      or colours[constants[token.text] and "number" or token.kind]
    parts[i] = colour and colour .. token.text .. PLAIN or token.text
  end
  return table.concat(parts)
end
