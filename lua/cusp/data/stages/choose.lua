--- Stages that take each element from one of several datasets: sample_from_datasets,
-- choose_from_datasets, rejection_resample.
-- @module cusp.data.stages.choose
local combine = require "cusp.data.stages.combine"
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local map = require "cusp.data.stages.map"
local seeds = require "cusp.data.machinery.seeds"
local spec = require "cusp.data.machinery.spec"

local choose = {}
local INFINITE, UNKNOWN = -1, -2

---------------------------------------------------------------- one of several

-- Elements of `opened` as `pick` numbers them from 1; nil ends. A dataset that has ended is passed
-- over, or ends all.
local function directed(opened, pick, stop_on_empty)
  local left, ended = #opened, {}
  return function()
    while left > 0 do
      local which = pick()
      if not which then return nil end
      local e = not ended[which] and opened[which].next()
      if e then return e end
      if stop_on_empty then return nil end
      if not ended[which] then
        ended[which], left = true, left - 1
        opened[which].close()
      end
    end
  end
end

-- A number from 1 drawn with weights.
local function drawn(uniform, weights, total)
  local at = uniform() * total
  for i, weight in ipairs(weights) do
    at = at - weight
    if at < 0 then return i end
  end
  return #weights
end

local function sum(weights)
  local total = 0
  for _, weight in ipairs(weights) do total = total + weight end
  return total
end

local function uniform_of(options)
  local below = seeds.sequence(seeds.next(options))
  return function() return below(1 << 53) / (1 << 53) end
end

-- The weights that a dataset gives for each choice.
local function weights_of(e, count)
  local weights = e[1]
  if type(weights) ~= "userdata" or #weights:flat() ~= count then
    errors.raise("sample_from_datasets: expected %d weights for each choice, got %s", count,
      element.describe(e))
  end
  return weights:flat()
end

local function picker_of(dataset, fetch)
  local options, count = dataset.options, dataset.options.count
  local uniform = uniform_of(options)
  if not fetch then
    local weights, total = options.weights, sum(options.weights)
    return function() return drawn(uniform, weights, total) end
  end
  return function()
    local e = fetch()
    if not e then return nil end
    local weights = weights_of(e, count)
    return drawn(uniform, weights, sum(weights))
  end
end

-- All elements have the form and the dtypes of the first dataset's.
local function types(dataset, peek)
  local form, found = dataset.inputs[1]:known_types(peek)
  for i = 2, dataset.options.count do
    local _, other = dataset.inputs[i]:known_types(peek)
    found = found and other and spec.common(found, other)
  end
  return found and form, found
end

local function sample(dataset)
  for i = 1, dataset.options.count do
    local e = dataset.inputs[i]:sample()
    if e then return e end
  end
end

local function cardinality(dataset)
  for i = 1, dataset.options.count do
    if dataset.inputs[i]:count() == INFINITE and not dataset.options.stop_on_empty_dataset then
      return INFINITE
    end
  end
  return UNKNOWN
end

-- Opens the datasets to choose from, and behind them the one that tells the choices.
local function opening(picker)
  return function(dataset)
    local opened, close = combine.open_all(dataset.inputs)
    local choices = opened[dataset.options.count + 1]
    local sources = table.move(opened, 1, dataset.options.count, 1, {})
    return directed(sources, picker(dataset, choices and choices.next),
      dataset.options.stop_on_empty_dataset), close
  end
end

choose.sampled = {
  name = "sample_from_datasets", open = opening(picker_of), cardinality = cardinality,
  types = types, sample = sample,
}

local function chosen(dataset, fetch)
  local count = dataset.options.count
  return function()
    local e = fetch()
    if not e then return nil end
    local index = type(e[1]) == "userdata" and #e[1].shape == 0 and math.tointeger(e[1]:item())
    if not index or index < 0 or index >= count then
      errors.raise("choose_from_datasets: a choice should be an integer from 0 to %d, got %s",
        count - 1, index or element.describe(e))
    end
    return index + 1
  end
end

choose.chosen = {
  name = "choose_from_datasets", open = opening(chosen), cardinality = cardinality, types = types,
  sample = sample,
}

---------------------------------------------------------------- rejection_resample

local BATCH, SMOOTHING = 32, 10 -- of the estimate of how often classes come

local function class_of(dataset, number, e)
  local value = map.call("rejection_resample", number, dataset.options.class_func,
    element.values(e))
  local class = engine.is_tensor(value) and value:item() or value
  class = math.type(class) and math.tointeger(class)
  if not class or class < 0 or class >= #dataset.options.target then
    errors.raise("rejection_resample: class_func should return a class from 0 to %d at element %d, "
      .. "got %s", #dataset.options.target - 1, number, errors.describe(value))
  end
  return class
end

-- The elements of the input with their classes.
local function classified(dataset)
  local fetch, close = map.counted(dataset)
  return function()
    local e, number = fetch()
    if not e then return nil end
    return e, class_of(dataset, number, e)
  end, close
end

--- How likely an element of each class is accepted, and one of the input's own order is taken, so
-- that the classes come as in `target` and few elements are lost.
local function acceptance(initial, target)
  local ratios, least, most = {}, math.huge, 0
  for i, wanted in ipairs(target) do
    ratios[i] = wanted / math.max(initial[i], 1.1754943508222875e-38)
    least, most = math.min(least, ratios[i]), math.max(most, ratios[i])
  end
  local accepted = {}
  for i, ratio in ipairs(ratios) do
    accepted[i] = most == least and 1 or (ratio - least) / (most - least)
  end
  return {accepted = accepted, original = least}
end

-- What is known of the classes after each batch of elements: `at(i)` for the i-th element, nil
-- behind the last.
local function estimates(dataset)
  local options, found = dataset.options, {}
  if options.initial then
    local known = acceptance(options.initial, options.target)
    return function() return known end, function() end
  end
  local fetch, close = classified(dataset)
  local counts, total = {}, 0
  for i = 1, #options.target do counts[i], total = SMOOTHING, total + SMOOTHING end
  local function learn()
    local seen = 0
    while seen < BATCH do
      local e, class = fetch()
      if not e then break end
      counts[class + 1], total, seen = counts[class + 1] + 1, total + 1, seen + 1
    end
    local shares = {}
    for i, count in ipairs(counts) do shares[i] = count / total end
    return seen > 0 and acceptance(shares, options.target) or nil
  end
  return function(i)
    local batch = (i - 1) // BATCH + 1
    if found[batch] == nil then found[batch] = learn() or false end
    return found[batch] or nil
  end, close
end

local function with_class(e, class)
  local value = engine.tensor(class, {dtype = "int32"})
  return {value, form = {1, map.shifted(e.form)}, table.unpack(e)}
end

-- The elements that chance lets pass.
local function filtered(fetch, at, uniform)
  local number = 0
  return function()
    while true do
      local e, class = fetch()
      if not e then return nil end
      number = number + 1
      local known = at(number)
      if not known then return nil end
      if uniform() < known.accepted[class + 1] then return with_class(e, class) end
    end
  end
end

choose.resampled = {
  name = "rejection_resample",
  open = function(dataset)
    local uniform = uniform_of(dataset.options)
    local original, close_original = classified(dataset)
    local candidates, close_candidates = classified(dataset)
    local at, close_estimates = estimates(dataset)
    local pass, number = filtered(candidates, at, uniform), 0
    return function()
      number = number + 1
      local known = at(number)
      if not known then return nil end
      if known.original > 0 and uniform() < known.original then
        local e, class = original()
        return e and with_class(e, class)
      end
      return pass()
    end, function()
      close_original()
      close_candidates()
      close_estimates()
    end
  end,
  cardinality = function() return UNKNOWN end,
  types = function(dataset, peek)
    local form, found = dataset.input:known_types(peek)
    if not form then return nil end
    return {1, map.shifted(form)}, {{shape = {}, dtype = "int32"}, table.unpack(found)}
  end,
  sample = function(dataset)
    local e = dataset.input:sample()
    return e and with_class(e, 0)
  end,
}

return choose
