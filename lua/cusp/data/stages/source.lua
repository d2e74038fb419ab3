--- Where elements come from: tensors, rows of files, ranges, generators, lists.
-- @module cusp.data.stages.source
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local generator = require "cusp.data.stages.generator"
local native = require "cusp.data.machinery.native"
local seeds = require "cusp.data.machinery.seeds"
local spec = require "cusp.data.machinery.spec"

local source = {}
local LARGEST_LOWERED_RANGE = 1 << 20

local function nothing() end

---------------------------------------------------------------- tensors

local function all_tensors(e)
  for k = 1, #e do
    if type(e[k]) ~= "userdata" then return false end
  end
  return true
end

source.slices = {
  name = "from_tensor_slices",
  open = function(dataset)
    local e, rows, i = dataset.options.element, dataset.options.rows, 0
    return function()
      i = i + 1
      if i <= rows then return element.row(e, i) end
    end, nothing
  end,
  cardinality = function(dataset) return dataset.options.rows end,
  types = function(dataset)
    return dataset.options.element.form, spec.unbatched(element.types(dataset.options.element))
  end,
  lower = function(dataset)
    local options = dataset.options
    if not all_tensors(options.element) then return nil end
    options.reader = options.reader
      or engine.data.arrays(table.move(options.element, 1, #options.element, 1, {}))
    return native.of_rows(options.reader, options.element.form, {tensors = options.element})
  end,
}

source.tensors = {
  name = "from_tensors",
  open = function(dataset)
    local given = false
    return function()
      if given then return nil end
      given = true
      return dataset.options.element
    end, nothing
  end,
  cardinality = function() return 1 end,
  types = function(dataset)
    return dataset.options.element.form, element.types(dataset.options.element)
  end,
}

--- Elements of a list, made already.
source.list = {
  name = "list",
  open = function(dataset)
    local i = 0
    return function()
      i = i + 1
      return dataset.options.elements[i]
    end, nothing
  end,
  cardinality = function(dataset) return #dataset.options.elements end,
  -- the first element's, which others may differ from
  types = function(dataset, peek)
    local first = dataset.options.elements[1]
    if peek and first then return first.form, element.types(first) end
  end,
}

---------------------------------------------------------------- rows of files

source.rows = {
  name = "rows",
  open = function() errors.raise "rows are read by the engine" end,
  cardinality = function(dataset) return dataset.options.rows.rows end,
  types = function(dataset) return dataset.options.form, dataset.options.rows.types end,
  lower = function(dataset)
    local options = dataset.options
    return native.of_rows(options.rows, options.form, {workers = options.workers})
  end,
}

---------------------------------------------------------------- ranges

-- Counts from `start` in steps, to before `stop` where there is one.
local function count(options, dtype)
  local value, step, stop = options.start, options.step, options.stop
  return function()
    if stop and (step > 0 and value >= stop or step < 0 and value <= stop) then return nil end
    local number = engine.tensor(value, {dtype = dtype})
    value = value + step
    return {number, form = 1}
  end, nothing
end

source.range = {
  name = "range",
  open = function(dataset) return count(dataset.options, dataset.options.output_type) end,
  cardinality = function(dataset)
    local options = dataset.options
    local span = options.step > 0 and options.stop - options.start or options.start - options.stop
    return math.max(0, (span + math.abs(options.step) - 1) // math.abs(options.step))
  end,
  types = function(dataset) return 1, {{shape = {}, dtype = dataset.options.output_type}} end,
  lower = function(dataset)
    local options = dataset.options
    if dataset:count() > LARGEST_LOWERED_RANGE then return nil end
    if not options.reader then
      local values = engine.ops.arange(options.start, options.stop, options.step,
        {dtype = options.output_type})
      engine.evaluate{values}
      options.reader = engine.data.arrays{values}
    end
    return native.of_rows(options.reader, 1)
  end,
}

source.counter = {
  name = "counter",
  open = function(dataset) return count(dataset.options, dataset.options.dtype) end,
  cardinality = function() return -1 end,
  types = function(dataset) return 1, {{shape = {}, dtype = dataset.options.dtype}} end,
}

--- Integers from 0 to 2^32 - 1 by chance.
source.random = {
  name = "random",
  open = function(dataset)
    local below = seeds.sequence(seeds.next(dataset.options))
    return function()
      return {engine.tensor(below(1 << 32), {dtype = "int64"}), form = 1}
    end, nothing
  end,
  cardinality = function() return -1 end,
  types = function() return 1, {{shape = {}, dtype = "int64"}} end,
  sample = function() return {engine.tensor(0, {dtype = "int64"}), form = 1} end,
}

---------------------------------------------------------------- functions

source.generator = {
  name = "from_generator",
  open = function(dataset) return generator.open(dataset.options) end,
  cardinality = function() return -2 end,
  types = function(dataset)
    local signature = dataset.options.signature
    return signature and signature.form, signature and signature.types
  end,
}

--- Elements of a function of the library's: `start()` gives a function that gives the next
-- structure, and one that closes.
source.reader = {
  name = "reader",
  open = function(dataset) return dataset.options.start() end,
  cardinality = function(dataset)
    return dataset.options.count and dataset.options.count() or -2
  end,
  types = function(dataset) return dataset.options.form, dataset.options.types end,
}

return source
