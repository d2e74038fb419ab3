--- Neural network operations composed of others: patches, pixels and channels, connectionist
-- temporal classification.
-- @module cusp.ops.nn
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"

local rows = engine.ops

local function pair_of(name, what, value)
  if type(value) == "number" then return {value, value} end
  if type(value) ~= "table" or #value ~= 2 then
    errors.raise("%s: %s should be an integer or two, got %s", name, what, errors.describe(value))
  end
  return value
end

local function check_rank(name, x, rank, layout)
  if #x.shape ~= rank then
    errors.raise("%s: expected an input %s, got shape %s", name, layout, errors.shape(x.shape))
  end
end

---------------------------------------------------------------- patches

-- The number of positions of a sliding window.
local function count_places(size, kernel, dilation, stride)
  return math.max((size - dilation * (kernel - 1) - 1) // stride + 1, 0)
end

-- [kernel, count]: the index in the axis for each element of the window at each position.
local function window_indices(kernel, count, dilation, stride)
  local offset = rows.reshape(rows.multiply(rows.arange(0, kernel, {dtype = "int32"}), dilation),
    {kernel, 1})
  local start = rows.reshape(rows.multiply(rows.arange(0, count, {dtype = "int32"}), stride),
    {1, count})
  return rows.add(offset, start)
end

local function unfold(x, kernel, dilation, padding, stride)
  check_rank("unfold", x, 4, "[batch, channels, height, width]")
  kernel, dilation = pair_of("unfold", "kernel_size", kernel),
    pair_of("unfold", "dilation", dilation)
  padding, stride = pair_of("unfold", "padding", padding), pair_of("unfold", "stride", stride)
  if padding[1] > 0 or padding[2] > 0 then
    x = rows.pad(x, {{0, 0}, {0, 0}, {padding[1], padding[1]}, {padding[2], padding[2]}})
  end
  local batch, channels, height, width = table.unpack(x.shape)
  local down = count_places(height, kernel[1], dilation[1], stride[1])
  local across = count_places(width, kernel[2], dilation[2], stride[2])
  x = rows.take(x, window_indices(kernel[1], down, dilation[1], stride[1]), 3)
  x = rows.take(x, window_indices(kernel[2], across, dilation[2], stride[2]), 5)
  x = rows.transpose(x, {1, 2, 3, 5, 4, 6}) -- [batch, channels, kernel, kernel, down, across]
  return rows.reshape(x, {batch, channels * kernel[1] * kernel[2], down * across})
end

local function fold(x, output_size, kernel, dilation, padding, stride)
  check_rank("fold", x, 3, "[batch, channels * kernel, places]")
  output_size, kernel = pair_of("fold", "output_size", output_size),
    pair_of("fold", "kernel_size", kernel)
  dilation, padding, stride = pair_of("fold", "dilation", dilation),
    pair_of("fold", "padding", padding), pair_of("fold", "stride", stride)
  local batch, depth, places = table.unpack(x.shape)
  local height, width = output_size[1] + 2 * padding[1], output_size[2] + 2 * padding[2]
  local down = count_places(height, kernel[1], dilation[1], stride[1])
  local across = count_places(width, kernel[2], dilation[2], stride[2])
  local window = kernel[1] * kernel[2]
  if places ~= down * across or depth % window ~= 0 then
    errors.raise("fold: expected %d positions of windows of %d, got shape %s", down * across,
      window, errors.shape(x.shape))
  end
  local channels = depth // window
  local row = rows.reshape(window_indices(kernel[1], down, dilation[1], stride[1]),
    {kernel[1], 1, down, 1})
  local column = rows.reshape(window_indices(kernel[2], across, dilation[2], stride[2]),
    {1, kernel[2], 1, across})
  local position = rows.reshape(rows.add(rows.multiply(row, width), column), {window * places, 1})
  local values = rows.transpose(rows.reshape(x, {batch * channels, window * places}))
  local image = rows.scatter(position, values, {height * width, batch * channels})
  image = rows.reshape(rows.transpose(image), {batch, channels, height, width})
  return image:slice{{}, {}, {padding[1] + 1, padding[1] + output_size[1]},
    {padding[2] + 1, padding[2] + output_size[2]}}
end

---------------------------------------------------------------- pixels and channels

local function check_format(name, data_format)
  if data_format ~= "channels_last" and data_format ~= "channels_first" then
    errors.raise("%s: data_format should be \"channels_last\" or \"channels_first\", got %s", name,
      errors.describe(data_format))
  end
  return data_format == "channels_last"
end

local function depth_to_space(x, block, data_format)
  local last = check_format("depth_to_space", data_format)
  check_rank("depth_to_space", x, 4, "of 4 axes")
  local shape = x.shape
  local channels = last and shape[4] or shape[2]
  if channels % (block * block) ~= 0 then
    errors.raise("depth_to_space: the number of channels (%d) should be a multiple of %d",
      channels, block * block)
  end
  local depth = channels // (block * block)
  if last then
    local batch, height, width = shape[1], shape[2], shape[3]
    x = rows.transpose(rows.reshape(x, {batch, height, width, block, block, depth}),
      {1, 2, 4, 3, 5, 6})
    return rows.reshape(x, {batch, height * block, width * block, depth})
  end
  local batch, height, width = shape[1], shape[3], shape[4]
  x = rows.transpose(rows.reshape(x, {batch, depth, block, block, height, width}),
    {1, 2, 5, 3, 6, 4})
  return rows.reshape(x, {batch, depth, height * block, width * block})
end

local function space_to_depth(x, block, data_format)
  local last = check_format("space_to_depth", data_format)
  check_rank("space_to_depth", x, 4, "of 4 axes")
  local shape = x.shape
  local batch, channels = shape[1], last and shape[4] or shape[2]
  local height, width = last and shape[2] or shape[3], last and shape[3] or shape[4]
  if height % block ~= 0 or width % block ~= 0 then
    errors.raise("space_to_depth: %d by %d does not divide into blocks of %d", height, width, block)
  end
  local down, across = height // block, width // block
  if last then
    x = rows.transpose(rows.reshape(x, {batch, down, block, across, block, channels}),
      {1, 2, 4, 3, 5, 6})
    return rows.reshape(x, {batch, down, across, channels * block * block})
  end
  x = rows.transpose(rows.reshape(x, {batch, channels, down, block, across, block}),
    {1, 2, 4, 6, 3, 5})
  return rows.reshape(x, {batch, channels * block * block, down, across})
end

local function psnr(x1, x2, max_val)
  if errors.shape(x1.shape) ~= errors.shape(x2.shape) then
    errors.raise("psnr: expected two inputs of one shape, got %s and %s", errors.shape(x1.shape),
      errors.shape(x2.shape))
  end
  local mean = rows.mean(rows.square(rows.subtract(x1, x2)))
  return rows.subtract(20 * math.log(max_val, 10), rows.multiply(rows.log10(mean), 10))
end

-- After Martins and Astudillo, "From softmax to sparsemax" (2016), but with Keras's threshold.
-- Keras adds up the partial sums of the support, where the paper takes the last, so rows whose
-- support has several elements do not sum to 1.
local function sparsemax(x, axis)
  define.check_axis("sparsemax", axis, x)
  local logits = rows.moveaxis(x, axis, -1)
  local size = logits.shape[#logits.shape]
  local sorted = rows.flip(rows.sort(logits, -1), -1)
  local sums = rows.cumsum(sorted, -1)
  local rank = rows.cast(rows.arange(1, size + 1), x.dtype)
  local supports = rows.greater(rows.add(rows.multiply(sorted, rank), 1.0), sums)
  local count = rows.sum(rows.cast(supports, x.dtype), -1, true)
  local total = rows.sum(rows.where(supports, sums, 0.0), -1, true)
  local threshold = rows.divide(rows.subtract(total, 1.0), count)
  return rows.moveaxis(rows.maximum(rows.subtract(logits, threshold), 0.0), -1, axis)
end

---------------------------------------------------------------- adaptive pooling

local function divisor(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

-- The windows of an axis: output i covers floor(i size / n) up to ceil((i + 1) size / n). Returns
-- the elements of each window along an extra axis, a mask of those inside the window, and the
-- lengths of the windows; the last two have the axes of x and the extra one.
local function adaptive_windows(x, axis, n)
  local shape = x.shape
  local size, ones = shape[axis], {}
  for i = 1, #shape + 1 do ones[i] = 1 end
  local longest = (n - divisor(size, n) + size + n - 1) // n
  rows.zeros({n, longest}, {dtype = "int64"}) -- says so where memory cannot hold the windows
  local outputs = rows.reshape(rows.arange(0, n, {dtype = "int64"}), {n, 1})
  local starts = rows.floor_divide(rows.multiply(outputs, size), n)
  local ends = rows.floor_divide(rows.add(rows.multiply(outputs, size), size + n - 1), n)
  local places = rows.add(starts,
    rows.reshape(rows.arange(0, longest, {dtype = "int64"}), {1, longest}))
  local mask = table.move(ones, 1, #ones, 1, {})
  mask[axis], mask[axis + 1], ones[axis] = n, longest, n
  -- repeats the last one if a window is shorter
  local taken = rows.take(x, rows.minimum(places, rows.subtract(ends, 1)), axis)
  return taken, rows.reshape(rows.less(places, ends), mask),
    rows.reshape(rows.subtract(ends, starts), ones)
end

local function adaptive_max(x, axis, n)
  local taken = adaptive_windows(x, axis, n)
  return rows.max(taken, axis + 1)
end

local function adaptive_mean(x, axis, n)
  if not x.dtype:find "float" then x = rows.cast(x, engine.get_floatx()) end
  local taken, inside, lengths = adaptive_windows(x, axis, n)
  local sums = rows.sum(rows.where(inside, taken, rows.zeros_like(taken)), axis + 1, true)
  return rows.squeeze(rows.divide(sums, rows.cast(lengths, x.dtype)), axis + 1)
end

local function check_windows(name, x, axis, size)
  if math.type(size) ~= "integer" or size < 1 then
    errors.raise("%s: output_size should be positive integers, got %s", name, errors.describe(size))
  end
  if x.shape[axis] == 0 then
    errors.raise("%s: axis %d of the input is empty, so there is nothing to pool; its shape is %s",
      name, axis, errors.shape(x.shape))
  end
end

local function adaptive_pool(name, pool)
  return function(x, output_size, data_format)
    data_format = data_format or require("cusp.base.config").image_data_format()
    local first = check_format(name, data_format) and 2 or 3
    local spatial = #x.shape - 2
    if spatial < 1 or spatial > 3 then
      errors.raise("%s: expected 3 to 5 axes, got shape %s", name, errors.shape(x.shape))
    end
    if type(output_size) == "table" and #output_size ~= spatial then
      errors.raise("%s: output_size should be an integer or %d of them, got %s", name, spatial,
        errors.describe(output_size))
    end
    for i = 1, spatial do
      local size = type(output_size) == "table" and output_size[i] or output_size
      if size then
        check_windows(name, x, first + i - 1, size)
        x = pool(x, first + i - 1, size)
      end
    end
    return x
  end
end

---------------------------------------------------------------- connectionist temporal
---------------------------------------------------------------- classification

-- Effectively log(0), but finite, so that gradients are finite.
local log_epsilon = -1e5

-- The logarithms of the probabilities of the labels, [batch, time, labels], and of the blank,
-- [batch, time, 1]; and 1 for steps behind the end, [batch, time].
local function ctc_scores(target, output, output_length, mask_index)
  local log_probabilities = rows.log_softmax(rows.cast(output,
    output.dtype == "float64" and "float64" or "float32"))
  local dtype = log_probabilities.dtype
  local emit = rows.matmul(log_probabilities,
    rows.swapaxes(rows.one_hot(target, output.shape[3], -1, dtype), 2, 3))
  local blank = log_probabilities:slice{{}, {}, {mask_index + 1, mask_index + 1}}
  local padded = rows.cast(rows.greater_equal(rows.arange(0, output.shape[2], {dtype = "int32"}),
    rows.expand_dims(output_length, 2)), dtype)
  return emit, blank, padded
end

-- Whether a label is repeated next: then a blank must come between.
local function ctc_repeats(target, dtype)
  local batch, labels = table.unpack(target.shape)
  local repeats = rows.zeros({batch, 1}, dtype)
  if labels <= 1 then return repeats end
  local same = rows.equal(target:slice{{}, {1, labels - 1}}, target:slice{{}, {2, labels}})
  return rows.concatenate({rows.cast(same, dtype), repeats}, 2)
end

-- Graves et al., "Connectionist temporal classification" (2006). The forward variables of blanks
-- (one before each label and one after the last) and of labels are separate: [batch, labels + 1]
-- and [batch, labels].
local function ctc_loss(target, output, target_length, output_length, mask_index)
  if #output.shape ~= 3 or #target.shape ~= 2 then
    errors.raise(
      "ctc_loss: expected target [batch, labels] and output [batch, time, classes], got %s and %s",
      errors.shape(target.shape),
      errors.shape(output.shape))
  end
  local batch, time, labels = output.shape[1], output.shape[2], target.shape[2]
  local emit, blank, padded = ctc_scores(target, output, output_length, mask_index)
  local dtype = emit.dtype
  local repeats = ctc_repeats(target, dtype)
  local forbid_direct, forbid_blank = rows.multiply(repeats, log_epsilon),
    rows.multiply(rows.subtract(1.0, repeats), log_epsilon)

  local function head(phi) return phi:slice{{}, {1, labels}} end
  local function from_emit(phi, score)
    return rows.concatenate({phi:slice{{}, {1, 1}},
      rows.logaddexp(phi:slice{{}, {2, labels + 1}}, score)}, 2)
  end
  local phi = rows.concatenate({rows.zeros({batch, 1}, dtype),
    rows.full({batch, labels}, log_epsilon, dtype)}, 2)
  local emitted = rows.full({batch, labels}, log_epsilon, dtype)
  for step = 1, time do
    local label_score, blank_score = emit:slice{{}, step, {}}, blank:slice{{}, step, {}}
    local pad = padded:slice{{}, {step, step}}
    local open = from_emit(phi, rows.add(emitted, forbid_direct))
    local next_emitted = rows.add(rows.logaddexp(head(open), emitted), label_score)
    local next_phi = from_emit(rows.add(open, blank_score),
      rows.add(rows.add(emitted, blank_score), forbid_blank))
    local go = rows.subtract(1.0, pad)
    emitted = rows.add(rows.multiply(emitted, pad), rows.multiply(next_emitted, go))
    phi = rows.add(rows.multiply(phi, pad), rows.multiply(next_phi, go))
  end
  phi = from_emit(phi, emitted)
  local last = rows.one_hot(rows.minimum(target_length, labels), labels + 1, -1, dtype)
  return rows.negative(rows.sum(rows.multiply(phi, last), 2))
end

local function ctc_greedy(inputs, lengths, merge_repeated, mask_index)
  local batch, time = inputs.shape[1], inputs.shape[2]
  local steps = rows.arange(0, time, {dtype = "int32"})
  local outside = rows.greater_equal(steps, rows.expand_dims(rows.cast(lengths, "int32"), 2))
  local indices = rows.where(outside, mask_index, rows.cast(rows.argmax(inputs, -1), "int32"))
  local scores = rows.where(outside, 0.0, rows.max(inputs, -1))
  if merge_repeated and time > 1 then
    local again = rows.equal(indices:slice{{}, {2, time}}, indices:slice{{}, {1, time - 1}})
    again = rows.concatenate({rows.zeros({batch, 1}, "bool"), again}, 2)
    indices = rows.where(again, mask_index, indices)
  end
  local blank = rows.equal(indices, mask_index)
  indices = rows.where(blank, -1, indices)
  local order = rows.argsort(rows.where(blank, time, rows.broadcast_to(steps, {batch, time})), -1)
  return rows.expand_dims(rows.take_along_axis(indices, order, -1), 1),
    rows.negative(rows.sum(scores, 2, true))
end

local function log_add(a, b)
  if a < b then a, b = b, a end
  if b == -math.huge then return a end
  return a + math.log(1 + math.exp(b - a))
end

-- One step of the search: each beam stays (by a blank or its last label) or is extended by a label.
local function extend_beams(beams, scores, classes, mask_index)
  local grown, list = {}, {}
  local function beam_of(path, labels)
    local beam = grown[path]
    if not beam then
      beam = {path = path, labels = labels, blank = -math.huge, label = -math.huge}
      grown[path], list[#list + 1] = beam, beam
    end
    return beam
  end
  for _, beam in ipairs(beams) do
    local total = log_add(beam.blank, beam.label)
    local last = beam.labels[#beam.labels]
    local stays = beam_of(beam.path, beam.labels)
    stays.blank = log_add(stays.blank, total + scores[mask_index + 1])
    if last then stays.label = log_add(stays.label, beam.label + scores[last + 1]) end
    for class = 0, classes - 1 do
      if class ~= mask_index then
        local labels = {table.unpack(beam.labels)}
        labels[#labels + 1] = class
        local next_beam = beam_of(beam.path .. "," .. class, labels)
        local before = class == last and beam.blank or total
        next_beam.label = log_add(next_beam.label, before + scores[class + 1])
      end
    end
  end
  return list
end

local function ctc_beam_search(inputs, lengths, width, top_paths, mask_index)
  if top_paths > width then
    errors.raise("ctc_decode: top_paths should be at most beam_width (%d), got %d", width,
      top_paths)
  end
  local batch, time, classes = table.unpack(inputs.shape)
  local scores, sizes = rows.log_softmax(inputs):tolist(), lengths:tolist()
  local paths, totals = {}, {}
  for path = 1, top_paths do paths[path] = {} end
  for item = 1, batch do
    local beams = {{path = "", labels = {}, blank = 0.0, label = -math.huge}}
    for step = 1, math.min(time, sizes[item]) do
      beams = extend_beams(beams, scores[item][step], classes, mask_index)
      plain.sort(beams, function(a, b)
        return log_add(a.blank, a.label) > log_add(b.blank, b.label)
      end)
      for i = #beams, width + 1, -1 do beams[i] = nil end
    end
    totals[item] = {}
    for path = 1, top_paths do
      local beam = beams[path] or {labels = {}, blank = -math.huge, label = -math.huge}
      local labels = {}
      for step = 1, time do labels[step] = beam.labels[step] or -1 end
      paths[path][item], totals[item][path] = labels, log_add(beam.blank, beam.label)
    end
  end
  return engine.tensor(paths, {dtype = "int32"}), engine.tensor(totals, {dtype = inputs.dtype})
end

local function ctc_decode(inputs, lengths, strategy, beam_width, top_paths, merge_repeated,
  mask_index)
  if #inputs.shape ~= 3 then
    errors.raise("ctc_decode: expected inputs [batch, time, classes], got shape %s",
      errors.shape(inputs.shape))
  end
  inputs = rows.cast(inputs, inputs.dtype == "float64" and "float64" or "float32")
  mask_index = mask_index or inputs.shape[3] - 1
  if strategy == "greedy" then return ctc_greedy(inputs, lengths, merge_repeated, mask_index) end
  if strategy == "beam_search" then
    return ctc_beam_search(inputs, lengths, beam_width, top_paths, mask_index)
  end
  errors.raise("ctc_decode: strategy should be \"greedy\" or \"beam_search\", got %q", strategy)
end

define.ops{
  {"unfold", "x, kernel_size: ints, dilation: ints = 1, padding: ints = 0, stride: ints = 1",
    "Patches of images [batch, channels, height, width] as columns [batch, channels * kernel, "
    .. "places].", unfold},
  {"fold", "x, output_size: ints, kernel_size: ints, dilation: ints = 1, padding: ints = 0, "
    .. "stride: ints = 1",
    "Columns of patches laid back into images, where they overlap added up.", fold},
  {"depth_to_space", "x, block_size: int, data_format: string = channels_last",
    "Blocks of channels as blocks of pixels.",
    depth_to_space},
  {"space_to_depth", "x, block_size: int, data_format: string = channels_last",
    "Blocks of pixels as channels.", space_to_depth},
  {"psnr", "x1, x2, max_val: float", "Peak signal-to-noise ratio, in decibels.", psnr},
  {"sparsemax", "x, axis: axis = -1", "The nearest probabilities, many of which are 0.", sparsemax},
  {"adaptive_average_pool", "inputs, output_size: ints, data_format: string = nil",
    "Means of as many windows as are asked for.",
    adaptive_pool("adaptive_average_pool", adaptive_mean)},
  {"adaptive_max_pool", "inputs, output_size: ints, data_format: string = nil",
    "Maxima of as many windows as are asked for.",
    adaptive_pool("adaptive_max_pool", adaptive_max)},
  {"ctc_loss", "target, output, target_length, output_length, mask_index: int = 0",
    "Minus the log probability of each label sequence, over all alignments.", ctc_loss},
  {"ctc_decode",
    "inputs, sequence_lengths, strategy: string = greedy, beam_width: int = 100, top_paths: int = "
    .. "1, merge_repeated: bool = true, "
      .. "mask_index: int = 0",
    "The likely label sequences [paths, batch, time], filled up with -1, and their scores.",
    ctc_decode},
}
