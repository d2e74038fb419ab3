--- The regular expressions of Python's `re` that keys of a LayoutMap are written in: characters,
-- `.`, classes, groups, `|`, repetitions and anchors
--
-- A compiled part is a function `(text, place, go_on)`: it calls `go_on` with each place behind a
-- match of it, in Python's order, until that returns true.
-- @module cusp.distribution.pattern
local errors = require "cusp.base.errors"

local pattern = {}

local Parser = {}
Parser.__index = Parser

local function fail(parser, reason)
  errors.raise("LayoutMap: the key %q is not a regular expression that is understood here: %s at"
    .. " character %d; characters, '.', [classes], (groups), '|', '*', '+', '?' and '{m,n}' are",
    parser.text, reason, parser.at)
end

local function peek(parser) return parser.text:sub(parser.at, parser.at) end

local function take(parser)
  local character = peek(parser)
  parser.at = parser.at + 1
  return character
end

---------------------------------------------------------------- single characters

local classes = {d = "%d", D = "%D", w = "[%w_]", W = "[^%w_]", s = "%s", S = "%S"}
local escaped = {n = "\n", t = "\t", r = "\r", f = "\f", v = "\v"}

local function one(test)
  return function(text, place, go_on)
    local character = text:sub(place, place)
    return character ~= "" and test(character) and go_on(place + 1)
  end
end

local function literal(wanted) return function(character) return character == wanted end end

local function matching(lua_pattern)
  return function(character) return character:find(lua_pattern) ~= nil end
end

-- What stands behind a backslash.
local function parse_escape(parser)
  local character = take(parser)
  if classes[character] then return matching(classes[character]) end
  if character == "" or character:find "[%dA-Za-z]" and not escaped[character] then
    fail(parser, ("there is '\\%s'"):format(character))
  end
  return literal(escaped[character] or character), escaped[character] or character
end

local function parse_member(parser)
  local character = take(parser)
  if character == "" then fail(parser, "a '[' is not closed") end
  if character == "\\" then return parse_escape(parser) end
  return literal(character), character
end

local function parse_item(parser)
  local test, first = parse_member(parser)
  local is_range = first and peek(parser) == "-" and parser.text:sub(parser.at + 1,
    parser.at + 1) ~= "]"
  if not is_range then return test end
  take(parser)
  local _, last = parse_member(parser)
  if not last or last < first then fail(parser, "there is a range without end") end
  return function(character) return character >= first and character <= last end
end

local function parse_class(parser)
  local negated, tests = peek(parser) == "^", {}
  if negated then take(parser) end
  repeat tests[#tests + 1] = parse_item(parser) until peek(parser) == "]"
  take(parser)
  return function(character)
    for _, test in ipairs(tests) do
      if test(character) then return not negated end
    end
    return negated
  end
end

---------------------------------------------------------------- what is made of them

local parse_choice

local function parse_group(parser)
  if peek(parser) == "?" then
    if parser.text:sub(parser.at, parser.at + 1) ~= "?:" then
      fail(parser, "there is a group of another kind")
    end
    parser.at = parser.at + 2
  end
  local inner = parse_choice(parser)
  if take(parser) ~= ")" then fail(parser, "a '(' is not closed") end
  return inner
end

local function at_begin(_, place, go_on) return place == 1 and go_on(place) end
local function at_end(text, place, go_on) return place == #text + 1 and go_on(place) end

local bounds = {["*"] = {0, math.huge}, ["+"] = {1, math.huge}, ["?"] = {0, 1}}

-- How often, as in `{2,3}`.
local function parse_bounds(parser)
  local simple = bounds[peek(parser)]
  if simple then
    take(parser)
    return simple[1], simple[2]
  end
  local least, comma, most, rest = parser.text:match("^{(%d*)(,?)(%d*)}()", parser.at)
  if not rest or least .. most == "" then return nil end
  parser.at = rest
  least = tonumber(least) or 0
  return least, tonumber(most) or comma == "" and least or math.huge
end

local function parse_atom(parser)
  local start = peek(parser)
  if parse_bounds(parser) then fail(parser, ("nothing to repeat before '%s'"):format(start)) end
  local character = take(parser)
  if character == "(" then return parse_group(parser) end
  if character == "[" then return one(parse_class(parser)) end
  if character == "." then return one(function(c) return c ~= "\n" end) end
  if character == "^" then return at_begin end
  if character == "$" then return at_end end
  if character == "\\" then return one((parse_escape(parser))) end
  return one(literal(character))
end

local function repeated(inner, least, most, lazy)
  local function from(text, place, count, go_on)
    local function more()
      return count < most and inner(text, place, function(after)
        return (after > place or count < least) and from(text, after, count + 1, go_on)
      end)
    end
    if count < least then return more() end
    if lazy then return go_on(place) or more() end
    return more() or go_on(place)
  end
  return function(text, place, go_on) return from(text, place, 0, go_on) end
end

local function parse_piece(parser)
  local atom = parse_atom(parser)
  local least, most = parse_bounds(parser)
  if not least then return atom end
  local lazy = peek(parser) == "?"
  if lazy then take(parser) end
  if parse_bounds(parser) then fail(parser, "there is a repetition of a repetition") end
  return repeated(atom, least, most, lazy)
end

local function sequence(first, second)
  return function(text, place, go_on)
    return first(text, place, function(after) return second(text, after, go_on) end)
  end
end

local function nothing(_, place, go_on) return go_on(place) end

local function parse_sequence(parser)
  local whole = nothing
  while peek(parser) ~= "" and not peek(parser):find "[|)]" do
    whole = sequence(whole, parse_piece(parser))
  end
  return whole
end

function parse_choice(parser)
  local first = parse_sequence(parser)
  if peek(parser) ~= "|" then return first end
  take(parser)
  local second = parse_choice(parser)
  return function(text, place, go_on)
    return first(text, place, go_on) or second(text, place, go_on)
  end
end

--- Compiles a regular expression.
-- @tparam string text
-- @treturn function text → whether all of it matches
-- @raise for what is not understood
function pattern.compile(text)
  local parser = setmetatable({text = text, at = 1}, Parser)
  local matches = parse_choice(parser)
  if parser.at <= #text then fail(parser, "a ')' is too many") end
  return function(subject)
    return matches(subject, 1, function(place) return place == #subject + 1 end) or false
  end
end

return pattern
