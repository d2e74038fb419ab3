--- Datasets of sounds in directories.
-- @module cusp.utils.audio
local arguments = require "cusp.base.arguments"
local directory = require "cusp.utils.directory"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local images = require "cusp.utils.images"

local audio = {}
local rows = engine.ops

local bind = arguments.named_binder("audio_dataset_from_directory", {
  {"directory", "string"}, {"labels", "any", default = "inferred"},
  {"label_mode", "choice", choices = {"int", "categorical", "binary"}, default = "int"},
  {"class_names", "list", optional = true}, {"batch_size", "integer", default = 32, min = 1},
  {"sampling_rate", "integer", optional = true, min = 1},
  {"output_sequence_length", "integer", optional = true, min = 1},
  {"ragged", "boolean", default = false}, {"shuffle", "boolean", default = true},
  {"seed", "integer", optional = true, min = 0},
  {"validation_split", "number", optional = true},
  {"subset", "choice", choices = {"training", "validation", "both"}, optional = true},
  {"follow_links", "boolean", default = false}, {"verbose", "boolean", default = true},
}, false)

local function refuse(path, reason)
  errors.raise("audio_dataset_from_directory: %s: %s", path, reason)
end

-- Reads what a "fmt " chunk says.
local function read_format(path, bytes)
  if #bytes < 16 then refuse(path, "its format chunk is cut off") end
  local code, channels, rate, _, _, bits = ("<I2I2I4I4I2I2"):unpack(bytes)
  if code == 0xfffe and #bytes >= 26 then code = ("<I2"):unpack(bytes, 25) end
  if code ~= 1 or bits ~= 16 then
    refuse(path, ("only 16-bit PCM is read, it has format %d of %d bits"):format(code, bits))
  end
  if channels == 0 then refuse(path, "it has no channels") end
  return {channels = channels, rate = rate}
end

-- Where the samples are in a file: their format, offset and bytes.
local function find_samples(path, reader)
  local header = reader.size >= 12 and reader:read(0, 12) or ""
  if not header:find "^RIFF....WAVE" then refuse(path, "is not a WAV file") end
  local at, format = 12, nil
  while at + 8 <= reader.size do
    local name, bytes = ("<c4I4"):unpack(reader:read(at, 8))
    local left = reader.size - at - 8
    if name == "fmt " then
      format = read_format(path, reader:read(at + 8, math.min(bytes, left, 40)))
    elseif name == "data" then
      if not format then refuse(path, "its samples come before their format") end
      return format, at + 8, math.min(bytes, left)
    end
    at = at + 8 + bytes + bytes % 2
  end
  refuse(path, "has no samples")
end

-- Samples of another rate, by straight lines between the old ones.
local function resample(samples, from, to)
  local count = samples.shape[1]
  local length = math.max(1, math.floor(count * to / from + 0.5))
  local place = rows.multiply(rows.cast(rows.arange(length), "float64"), from / to)
  local low = rows.clip(rows.floor(place), 0, count - 1)
  local high = rows.clip(rows.add(low, 1), 0, count - 1)
  local share = rows.expand_dims(rows.cast(rows.subtract(place, low), "float32"), 2)
  local a = rows.take(samples, rows.cast(low, "int64"), 1)
  local b = rows.take(samples, rows.cast(high, "int64"), 1)
  return rows.add(a, rows.multiply(rows.subtract(b, a), share))
end

local function fitted(samples, length)
  local count = samples.shape[1]
  if count > length then return samples:slice{{1, length}, {}} end
  if count < length then return rows.pad(samples, {{0, length - count}, {0, 0}}) end
  return samples
end

--- The samples of a WAV file: float32 `[samples, channels]` from -1 to 1.
-- @local
function audio.read(path, options)
  local reader <close> = engine.files.open(path)
  local format, offset, bytes = find_samples(path, reader)
  local count = bytes // (2 * format.channels)
  if count == 0 then refuse(path, "has no samples") end
  local samples = reader:tensor(offset, "int16", {count, format.channels})
  samples = rows.divide(rows.cast(samples, "float32"), 32768)
  local rate = options.sampling_rate
  if rate and rate ~= format.rate then samples = resample(samples, format.rate, rate) end
  local length = options.output_sequence_length
  return length and fitted(samples, length) or samples
end

--- A dataset of the WAV files (16-bit PCM) of a directory; classes are its subdirectories. Files
-- are read as they are asked for. Arguments as of `image_dataset_from_directory`, and
-- @tparam string directory
-- @tparam[opt] integer sampling_rate samples a second that all are brought to
-- @tparam[opt] integer output_sequence_length samples of each sound, cut off or filled with zeros;
-- by default those of a batch are filled to the longest one
-- @tparam[opt=false] boolean ragged not possible here: all tensors are dense
-- @treturn Dataset of float32 `[batch, samples, channels]`, with labels `(sounds, labels)`; its
-- fields `class_names` and `file_paths` tell where they are from
function audio.audio_dataset_from_directory(...)
  local options = images.without_labels(bind(...))
  if options.ragged then
    errors.raise "audio_dataset_from_directory: there are no ragged tensors; leave `ragged` out"
  end
  options.formats = {".wav"}
  directory.check("audio_dataset_from_directory", options)
  options.seed = options.seed or images.draw_seed()
  return directory.datasets("audio_dataset_from_directory", options.directory, options,
    "audio files", function(paths, labels, shuffle)
    local Dataset = require "cusp.data.dataset"
    local dataset = Dataset.from_tensor_slices(labels and {paths, labels} or paths)
    if shuffle then dataset = dataset:shuffle(#paths, options.seed) end
    dataset = dataset:map(function(path, label)
      if label == nil then return audio.read(path, options) end
      return audio.read(path, options), label
    end)
    if not options.batch_size then return dataset end
    if options.output_sequence_length then return dataset:batch(options.batch_size) end
    return dataset:padded_batch(options.batch_size)
  end)
end

return audio
