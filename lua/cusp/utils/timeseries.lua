--- Windows over time series.
-- @module cusp.utils.timeseries
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local timeseries = {}
local owner = "timeseries_dataset_from_array"

local bind = arguments.named_binder(owner, {
  {"data", "any"}, {"targets", "any", optional = true}, {"sequence_length", "integer", min = 1},
  {"sequence_stride", "integer", default = 1}, {"sampling_rate", "integer", default = 1},
  {"batch_size", "integer", default = 128, min = 1}, {"shuffle", "boolean", default = false},
  {"seed", "integer", optional = true}, {"start_index", "integer", optional = true},
  {"end_index", "integer", optional = true},
  {"format", "any", optional = true},
}, false)

local function check_indices(length, first, last)
  if first and first < 0 then
    errors.raise("%s: start_index should be 0 or greater, got %d", owner, first)
  end
  if first and first > 0 and first >= length then
    errors.raise("%s: start_index should be lower than the length of the data (%d), got %d", owner,
      length, first)
  end
  if last and last <= 0 then
    errors.raise("%s: end_index should be higher than 0, got %d", owner, last)
  end
  if first and last and last <= first then
    errors.raise("%s: end_index (%d) should be higher than start_index (%d)", owner, last, first)
  end
  if last and last >= length then
    errors.raise("%s: end_index should be lower than the length of the data (%d), got %d", owner,
      length, last)
  end
end

local function check_step(name, value, length)
  if value <= 0 then errors.raise("%s: %s should be higher than 0, got %d", owner, name, value) end
  if value >= length then
    errors.raise("%s: %s should be lower than the length of the data (%d), got %d", owner, name,
      length, value)
  end
end

-- The rows `first`, `first + stride`, ... of the targets, counted from 0.
local function target_rows(targets, first, stride, rows)
  if rows == 0 then return engine.data.arrays{targets:slice{{1, 0}}} end
  local picked = targets:slice{{first + 1, first + (rows - 1) * stride + 1, stride}}
  engine.evaluate{picked}
  return engine.data.arrays{picked}
end

--- Makes windows of `sequence_length` consecutive steps over time series data, in the background.
-- @param data `[time, ...]`
-- @param targets `[time, ...]`: `targets[i]` belongs to the window that starts at step i;
-- `cusp.null` for none
-- @tparam integer sequence_length steps per window
-- @tparam[opt=1] integer sequence_stride steps between the starts of windows
-- @tparam[opt=1] integer sampling_rate distance between the steps of a window
-- @tparam[opt=128] integer batch_size `cusp.null` for single windows
-- @tparam[opt=false] boolean shuffle
-- @tparam[opt] integer seed
-- @tparam[opt] integer start_index skip data before it (counted from 0)
-- @tparam[opt] integer end_index skip data from it on
-- @treturn Dataset of windows `[batch, sequence_length, ...]`, with targets of `(windows, targets)`
function timeseries.timeseries_dataset_from_array(...)
  local args = bind(...)
  local targets, length, stride, rate = args.targets, args.sequence_length, args.sequence_stride,
    args.sampling_rate
  local data = define.tensor(args.data)
  local steps = data.shape[1]
  if not steps then
    errors.raise("%s: data is a scalar; expected steps along the first axis", owner)
  end
  check_indices(steps, args.start_index, args.end_index)
  check_step("sampling_rate", rate, steps)
  check_step("sequence_stride", stride, steps)
  local first, last = args.start_index or 0, args.end_index or steps
  local starts = last - first - (length - 1) * rate
  if targets ~= nil then
    targets = define.tensor(targets)
    if not targets.shape[1] then
      errors.raise("%s: targets is a scalar; expected one for each window", owner)
    end
    starts = math.min(starts, math.min(last, targets.shape[1]) - math.min(first, targets.shape[1]))
  end
  local rows = math.max(0, (starts + stride - 1) // stride)
  local reader, form = engine.data.windows(data,
    {start = first, stride = stride, length = length, rate = rate, rows = rows}), 1
  if targets ~= nil then
    reader, form = engine.data.zip{reader, target_rows(targets, first, stride, rows)}, {1, 2}
  end
  local Dataset = require "cusp.data.dataset"
  local dataset = Dataset.make(require("cusp.data.stages.source").rows,
    {rows = reader, form = form})
  if args.shuffle then dataset = dataset:shuffle(math.max(rows, 1), args.seed) end
  if args.batch_size then dataset = dataset:batch(args.batch_size) end
  return dataset:prefetch()
end

return timeseries
