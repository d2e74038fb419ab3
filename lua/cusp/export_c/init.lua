--- Models as C programs: one C99 file without allocation and without a library but libm.
-- @module cusp.export_c
local Program = require "cusp.export_c.program"
local Record = require "cusp.export_c.record"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local sharding = require "cusp.base.sharding"
local source_file = require "cusp.export_c.source_file"
local structure = require "cusp.base.structure"
local text = require "cusp.export_c.text"
local weights = require "cusp.export_c.weights"

local export_c = {}

local bind = arguments.named_binder("export_c", {
  {"path", "string"},
  {"prefix", "string", optional = true},
  {"weights", "choice", choices = {"float32", "int8"}, default = "float32"},
  {"main", "boolean", default = false},
  {"batch_size", "integer", default = 1, min = 1},
  {"samples", "any", optional = true},
  {"tolerance", "number", default = 1e-5, above = 0},
}, false)

-- Both files are complete before either takes its name.
local function write(path, code, header)
  local beside <close> = engine.files.create((path:gsub("%.c$", ".h")))
  local file <close> = engine.files.create(path)
  beside:write(header)
  file:write(code)
  engine.files.commit{beside, file}
end

local function check_path(path)
  if not path:find "[^/]%.c$" or path:find("\0", 1, true) then
    errors.raise("export_c: expected a file name that ends in .c, got %s", errors.describe(path))
  end
  return path:match "([^/]+)%.c$"
end

local function prefix_of(options, stem)
  local prefix = options.prefix or text.identifier(stem)
  if not prefix:find "^%a[%w_]*$" then
    errors.raise("export_c: 'prefix' should be the beginning of a C name, such as \"net\"; got %s",
      errors.describe(prefix))
  end
  return prefix
end

local function greatest_difference(a, b)
  local ops, worst = engine.ops, 0
  for i, sample in ipairs(a) do
    for k, output in ipairs(sample.outputs) do
      local difference = ops.absolute(ops.subtract(ops.cast(output, "float64"),
        ops.cast(b[i].outputs[k], "float64")))
      worst = math.max(worst, ops.amax(difference):item())
    end
  end
  return worst
end

-- What the program should give: with int8 weights, what those that they stand for give.
local function expected(record, program)
  if not program.quantizes then return record.samples, 0 end
  local samples = record:with_constants(function(leaf)
    local source = program.sources[leaf]
    return source and source.scale and weights.dequantized(leaf.constant) or leaf.constant
  end)
  return samples, greatest_difference(samples, record.samples)
end

local function bytes_of(program)
  local total, sizes = 0, {float32 = 4, float64 = 8, int64 = 8, uint64 = 8, int32 = 4, uint32 = 4,
    int16 = 2, uint16 = 2}
  for dtype, count in pairs(program.work) do total = total + count * (sizes[dtype] or 1) end
  return total
end

local function size_of_weights(program)
  local total = 0
  for _, source in ipairs(program.constants) do
    if source.used then
      local count = #source.tensor:flat()
      local scales = source.scale and 4 * source.tensor.shape[#source.tensor.shape] or 0
      total = total + count * (source.scale and 1 or 4) + scales
    end
  end
  return total
end

--- Writes a model as one C99 file, and a header beside it.
-- @tparam Model model
-- @tparam string path ends in `.c`; the header gets the same name with `.h`
-- @tparam[opt] string prefix of the names in C, by default the name of the file
-- @tparam[opt="float32"] string weights "int8": a byte for each weight of products, and a scale for
-- each channel
-- @tparam[opt=false] boolean main whether the file is a program: `--self-test`, or predictions of
-- numbers from standard input
-- @tparam[opt=1] integer batch_size where the model leaves it open
-- @param[opt] samples inputs for the self-test, by default random ones
-- @tparam[opt=1e-5] number tolerance of `--self-test`
-- @treturn table `weight_bytes`, `work_bytes`, `steps` (functions), and of int8 weights
-- `difference`: the greatest between the outputs of the samples and the model's
-- @raise if a layer has no fixed sizes, or an operation that C cannot say; nothing is written then
-- @usage model:export_c("net.c", {prefix = "net", main = true})
function export_c.export(model, ...)
  local options = bind(...)
  sharding.check_whole("export_c", model.weights,
    "save the model, and load it in one process")
  local stem = check_path(options.path)
  local prefix = prefix_of(options, stem)
  if options.samples ~= nil and #structure.flatten(options.samples) == 0 then
    errors.raise "export_c: 'samples' is empty"
  end
  local record = Record.of(model, options)
  local program = Program.new(record, prefix, options.weights == "int8")
  program.file = stem .. ".c"
  local samples, difference = expected(record, program)
  source_file.prepare(program)
  local code = source_file.text(program, samples, options)
  write(options.path, code, source_file.header(program))
  return {weight_bytes = size_of_weights(program), work_bytes = bytes_of(program),
    steps = #program.steps, difference = program.quantizes and difference or nil}
end
engine.name_function(export_c.export, "export_c")

return export_c
