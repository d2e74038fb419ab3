--- What the `adapt` methods of preprocessing layers share: going through data in batches, with a
-- progress line where it takes long.
-- @module cusp.layers.preprocessing.adapting
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local progress = require "cusp.base.progress"
local structure = require "cusp.base.structure"

local adapting = {}

--- Seconds before a progress line is shown.
adapting.patience = 2

--- Rows of a table or tensor that are looked at at once where no batch size is given.
adapting.default_batch = 1024

local parameters = {
  data = {"data", "any"}, batch_size = {"batch_size", "integer", min = 1, optional = true},
  steps = {"steps", "integer", min = 1, optional = true},
}

--- A reader of the arguments of an `adapt` method.
-- @tparam ?string owner the class's name
-- @tparam string order the parameters' names in the class's order, "data batch_size steps"
-- @treturn function of the call's arguments; returns data, batch size and steps
function adapting.binder(owner, order)
  local signature, position = {}, {}
  for name in order:gmatch "%S+" do
    signature[#signature + 1], position[name] = parameters[name], #signature + 1
  end
  local bind = arguments.binder(owner and owner .. ".adapt" or "adapt", signature, "nested")
  return function(...)
    local values = table.pack(bind(...))
    local data = values[position.data]
    if structure.is_container(data) and #data == 1 and kinds.is_dataset(data[1]) then
      data = data[1]
    end
    return data, values[position.batch_size], values[position.steps]
  end
end

local function of_dataset(owner, dataset, batch_size, steps)
  if batch_size then dataset = dataset:batch(batch_size) end
  local count = dataset:cardinality()
  if count == -1 and not steps then
    errors.raise("%s.adapt: the dataset is infinite; pass steps, the number of batches to use",
      owner)
  end
  local target = count >= 0 and count or nil
  if steps then target = math.min(steps, target or steps) end
  return target, dataset:iterate()
end

local function of_rows(data, batch_size)
  local rows, first = #data, 1
  return (rows + batch_size - 1) // batch_size, function()
    if first > rows then return nil end
    local last = math.min(first + batch_size - 1, rows)
    local part
    if type(data) == "userdata" then
      part = data:slice{{first, last}}
    else
      part = table.move(data, first, last, 1, {})
    end
    first = last + 1
    return part
  end
end

local function of_list(list)
  local i = 0
  return #list, function()
    i = i + 1
    return list[i]
  end
end

local function is_batch_list(data)
  return type(data) == "table" and type(data[1]) == "userdata" and #data[1].shape > 0
end

local function opened(owner, data, batch_size, steps)
  if kinds.is_dataset(data) then return of_dataset(owner, data, batch_size, steps) end
  if type(data) == "function" then return nil, data end
  if is_batch_list(data) then return of_list(data) end
  if type(data) == "string" then data = {data} end
  if type(data) ~= "table" and type(data) ~= "userdata"
    or type(data) == "userdata" and #data.shape == 0 then
    errors.raise("%s.adapt: expected a tensor, a list, a dataset or a function, got %s", owner,
      errors.describe(data))
  end
  return of_rows(data, batch_size or adapting.default_batch)
end

--- Calls a function with one batch after another.
-- @tparam string owner the class's name
-- @param data a dataset (of tuples the first part is looked at), a function that gives a batch a
-- call and nil at the end, a list of tensors, or a tensor or table that is cut into rows
-- @tparam ?integer batch_size
-- @tparam ?integer steps at most so many batches
-- @tparam function visit
-- @treturn integer how many batches there were
function adapting.each(owner, data, batch_size, steps, visit)
  local target, fetch, _, _, closing = opened(owner, data, batch_size, steps)
  local _ <close> = closing
  local started, bar, seen = engine.monotonic(), nil, 0
  local _ <close> = setmetatable({}, {__close = function() if bar then bar:abandon() end end})
  while not steps or seen < steps do
    local batch = fetch()
    if batch == nil then break end
    visit(batch)
    seen = seen + 1
    if not bar and engine.monotonic() - started > adapting.patience then
      bar = progress.new{target = target}
      bar.started = started
    end
    if bar then bar:update(seen, {}, {}) end
  end
  if bar then
    bar:finish({}, {})
    bar = nil
  end
  return seen
end

return adapting
