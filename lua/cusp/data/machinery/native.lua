--- The part of a dataset that the engine's threads run: rows of a reader, shuffled, repeated,
-- taken, skipped, batched, cast and scaled without Lua.
--
-- A native description is a table: `rows` (the reader), `form` and `types` of an element, `batch`
-- (size, nil before batching), `stages` (functions that give what engine.data takes, called when an
-- iteration begins), `transforms` by column, `workers`, `depth`; `tensors` where the rows are those
-- of tensors; `covers`: whether a pass has every row once, in whole batches but for the last;
-- `shuffled`; `keep`: decoded rows that wait in shuffles; `apart`: of how many rows one is read.
-- Stages make one from that of their input (`stage.lower`), or nil where they need Lua.
-- @module cusp.data.machinery.native
local engine = require "cusp.engine"
local spec = require "cusp.data.machinery.spec"

local native = {}

--- Bytes of batches that may wait to be taken, where more than two are wanted.
local READY_BYTES = 64 << 20

-- Bytes of a row; `each` of a number where its dtype does not tell, since it may be cast.
local function row_bytes(description, each)
  local total = 0
  for _, type in ipairs(description.rows.types) do
    local count = each or math.max(1, tonumber(type.dtype:match "%d+$" or 8) // 8)
    for _, size in ipairs(type.shape) do count = count * size end
    total = total + count
  end
  return math.max(1, total)
end

--- The description of bare rows.
-- @tparam userdata rows a reader
-- @param form structure of an element, by column
-- @tparam[opt] table options `workers`, `tensors`
function native.of_rows(rows, form, options)
  options = options or {}
  return {
    rows = rows, form = form, types = rows.types, stages = {}, transforms = {},
    workers = options.workers or 1,
    tensors = options.tensors, covers = true, shuffled = false, keep = 0, apart = 1,
  }
end

--- A copy, to be changed.
function native.copy(description)
  local copy = {}
  for key, value in pairs(description) do copy[key] = value end
  copy.stages = table.move(description.stages, 1, #description.stages, 1, {})
  copy.transforms = table.move(description.transforms, 1, #description.rows.types, 1, {})
  return copy
end

--- A copy with one more stage.
-- @tparam ?table description
-- @tparam function stage gives `{kind, count, ...}`
-- @tparam[opt] string kind "shuffle" or "batch", which leave the rows that there are
function native.with(description, stage, kind)
  if not description then return nil end
  local copy = native.copy(description)
  copy.stages[#copy.stages + 1] = stage
  copy.covers = copy.covers and kind ~= nil and not copy.batch
  copy.shuffled = copy.shuffled or kind == "shuffle"
  return copy
end

--- What a shuffle of rows that are decoded in blocks keeps of them.
-- @tparam table description of what is shuffled
-- @tparam table options `buffer_size`, `max_bytes`
-- @treturn integer how many decoded rows to keep
-- @treturn ?integer from how many rows to draw, where the buffer's are too many to be kept; blocks
-- come in random order then
-- @treturn ?integer rows of a block
function native.decoded_rows(description, options)
  local rows, batch = description.rows, description.batch or 1
  if rows.block_rows == 0 or options.max_bytes == 0 then return 0 end
  local kept = math.max(1, options.max_bytes // row_bytes(description))
  local wanted = math.min(options.buffer_size, rows.rows // batch + 1) * batch * description.apart
  if wanted <= kept then return wanted end
  if batch > 1 then return kept end
  -- a block may join where there is room for one row
  local window = math.max(rows.block_rows, kept // description.apart - rows.block_rows)
  return (window + rows.block_rows) * description.apart, window, rows.block_rows
end

--- The stages of one iteration, with their seeds drawn.
function native.resolve(description)
  local stages = {}
  for i, stage in ipairs(description.stages) do stages[i] = stage() end
  return stages
end

local function element_bytes(description)
  return row_bytes(description, 8) * (description.batch or 1)
end

local function depth_of(description)
  if description.depth then return description.depth end
  return math.max(2, math.min(4 + description.workers, READY_BYTES // element_bytes(description)))
end

--- Starts the threads.
-- @tparam table description
-- @tparam[opt] table stages as `native.resolve` gives them, perhaps with more behind
-- @tparam[opt] boolean single whether single rows are read one by one rather than in groups
-- @treturn userdata pipeline with `next()`, `run(plan, options)`, `skip()`, `close()`
function native.open(description, stages, single)
  return engine.data.pipeline{
    rows = description.rows, stages = stages or native.resolve(description),
    transforms = description.transforms,
    workers = description.workers, depth = depth_of(description), keep = description.keep,
    single = single,
  }
end

--- The order of the rows in a pass over batches that cover them; nil where it is that of the rows.
-- @treturn ?tensor int64
function native.order(description)
  if not description.shuffled then return nil end
  local rows = description.rows.rows
  return engine.data.order{rows = rows, stages = native.resolve(description), limit = rows}
end

--- Types of an element, batches included, as far as they are known.
function native.types(description)
  local types = {}
  for k, type in ipairs(description.types) do
    local transform = description.transforms[k]
    types[k] = {shape = type.shape, dtype = transform and transform.dtype or type.dtype}
  end
  if not description.batch then return types end
  return spec.batched(types,
    description.drop_remainder and description.batch or require("cusp.base.shape").None)
end

return native
