--- Damaged configurations: one or a few changes in a decoded JSON or YAML document, the same in
-- every run.
-- @usage for name, tree in mutate_tree.mutations(original, {seed = 1, count = 100}) do ... end
local cusp = require "cusp"
local ordered = require "cusp.base.ordered"

local mutate_tree = {}

local function generator(seed)
  local state = seed * 2654435761 + 88172645463325252
  local function draw(limit) -- from 1 to limit
    state = state ~ (state << 13)
    state = state ~ (state >> 7)
    state = state ~ (state << 17)
    return (state >> 1) % limit + 1
  end
  for _ = 1, 8 do draw(2) end
  return draw
end

--- All places below a table: `{table, key}`.
local function places_of(tree, list)
  for _, key in ipairs(ordered.keys(tree)) do list[#list + 1] = {tree, key} end
  for i = 1, #tree do list[#list + 1] = {tree, i} end
  for _, item in pairs(tree) do
    if type(item) == "table" and item ~= cusp.null then places_of(item, list) end
  end
  return list
end

local function nested(depth)
  local value = {}
  for _ = 1, depth do value = {value} end
  return value
end

-- Values that may occur anywhere.
local function values()
  return {
    0, 1, -1, 7, 100, -100, 2 ^ 40, math.maxinteger, math.mininteger, 0.5, -0.5, 1e300, -1e300,
    math.huge, 0 / 0,
    true, false, cusp.null, "", "relu", "no such thing", ("x"):rep(1000), "../../etc/passwd",
    "os.execute",
    {}, {1}, {"a", "b"}, {-1, -1}, {2 ^ 40, 2 ^ 40},
    {cusp.null, cusp.null, cusp.null, cusp.null, cusp.null}, nested(40),
    ordered.object{class_name = "Dense", config = ordered.object{units = 2}},
    ordered.object{class_name = "Lambda"},
    ordered.object{class_name = "__lambda__", config = ordered.object{value = "4wE="}},
    ordered.object{class_name = "function", config = "print"},
    ordered.object{class_name = "__keras_tensor__",
      config = ordered.object{keras_history = {"x", 0, 0}}},
    ordered.object{class_name = "Model", config = ordered.object()}, ordered.object{unknown = 1},
  }
end

local kinds = {}

function kinds.replaced(place, draw)
  local all = values()
  place[1][place[2]] = all[draw(#all)]
end

function kinds.removed(place)
  if type(place[2]) == "number" then
    table.remove(place[1], place[2])
  else
    place[1][place[2]] = nil
  end
end

function kinds.added(place, draw)
  local all = values()
  if type(place[2]) == "number" then table.insert(place[1], place[2], all[draw(#all)])
  else place[1]["key_" .. draw(1000)] = all[draw(#all)] end
end

--- Replaces a part of the document by another.
function kinds.copied(place, draw, places)
  local other = places[draw(#places)]
  place[1][place[2]] = ordered.copy(other[1][other[2]])
end

function kinds.swapped(place, draw, places)
  local other = places[draw(#places)]
  if place[1] == other[1] then
    place[1][place[2]], other[1][other[2]] = other[1][other[2]], place[1][place[2]]
  else
    kinds.copied(place, draw, places)
  end
end

function kinds.renamed(place, draw)
  local value = place[1][place[2]]
  if type(value) ~= "string" then return kinds.replaced(place, draw) end
  local at = draw(#value + 1) - 1
  place[1][place[2]] = value:sub(1, at) .. ("xQ_1>"):sub(draw(5)) .. value:sub(at + 2)
end

function kinds.number(place, draw)
  local value = place[1][place[2]]
  if type(value) ~= "number" then return kinds.replaced(place, draw) end
  local changed = {value + 1, value - 1, -value, value * 1000, value + 0.5, 0}
  place[1][place[2]] = changed[draw(#changed)]
end

function kinds.wrapped(place)
  place[1][place[2]] = {place[1][place[2]]}
end

local names = {}
for name in pairs(kinds) do names[#names + 1] = name end
table.sort(names)

--- Mutations of a document, cycling through the kinds; every third one has a second change.
-- @tparam table tree not changed
-- @tparam table options `count` (100), `seed` (1)
-- @return an iterator over a name, with the kind and the number, and the damaged document
function mutate_tree.mutations(tree, options)
  local count, seed, i = options.count or 100, options.seed or 1, 0
  return function()
    i = i + 1
    if i > count then return nil end
    local draw = generator(seed * 100003 + i)
    local root = {ordered.copy(tree)}
    for _ = 1, i % 3 == 0 and 2 or 1 do
      local places = places_of(root, {})
      if #places == 0 then break end
      local place = places[draw(#places)]
      kinds[names[draw(#names)]](place, draw, places)
    end
    return ("seed %d, number %d"):format(seed, i), root[1]
  end
end

return mutate_tree
