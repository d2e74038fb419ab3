--- Sizes beyond memory, and lists without a limit, are refused immediately, with their size.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local layers, ops = cusp.layers, cusp.ops

local many = math.tointeger(4e10)
local image, volume, signal = ops.ones{1, 4, 4, 1}, ops.ones{1, 4, 4, 4, 1}, ops.ones{1, 4, 2}

local cases = {
  {"AdaptiveAveragePooling1D", function() return layers.AdaptiveAveragePooling1D(many)(signal) end},
  {"AdaptiveMaxPooling2D", function() return layers.AdaptiveMaxPooling2D(many)(image) end},
  {"AdaptiveAveragePooling3D", function()
    return layers.AdaptiveAveragePooling3D{{many, 1, 1}}(volume)
  end},
  {"adaptive_max_pool", function() return ops.adaptive_max_pool(signal, many) end},
  {"tensordot of infinitely many axes", function()
    return ops.tensordot(ops.ones{2, 2}, ops.ones{2, 2}, math.huge)
  end},
  {"one_hot", function() return ops.one_hot(cusp.tensor{1, 2}, many) end},
  {"multi_hot", function() return ops.multi_hot(cusp.tensor{1, 2}, many) end},
  {"a sum of zeros", function() return ops.sum(ops.zeros{many}):item() end},
  {"broadcast_to", function() return ops.sum(ops.broadcast_to(ops.ones{1}, {many})):item() end},
  {"tile", function() return ops.sum(ops.tile(ops.ones{4}, {many})):item() end},
  {"RepeatVector", function() return layers.RepeatVector(many)(ops.ones{1, 4}) end},
  {"UpSampling1D", function() return layers.UpSampling1D(many)(ops.ones{1, 4, 1}) end},
  {"ctc_decode", function()
    return ops.ctc_decode(ops.ones{1, 5, 4}, cusp.tensor{5},
      {strategy = "beam_search", top_paths = 20000000000})
  end},
  {"extract_patches_3d", function() return ops.image.extract_patches_3d(volume, {size = many}) end},
  {"resize", function() return ops.image.resize(image, {many, many}) end},
  {"Resizing", function() return layers.Resizing(many, 4)(image) end},
  {"CenterCrop", function() return layers.CenterCrop(many, many)(image) end},
  {"gaussian_blur", function()
    return ops.image.gaussian_blur(image, {kernel_size = {many, many}})
  end},
  {"elastic_transform", function() return ops.image.elastic_transform(image, {sigma = 1e9}) end},
  {"stft", function() return ops.stft(ops.ones{16}, many, 1, many) end},
  {"STFTSpectrogram", function() return layers.STFTSpectrogram{frame_length = math.maxinteger} end},
  {"CategoryEncoding", function() return layers.CategoryEncoding(many)(cusp.tensor{1, 2}) end},
  {"IntegerLookup", function()
    return layers.IntegerLookup{vocabulary = {1, 2}, num_oov_indices = many}(cusp.tensor{1, 2})
  end},
  {"TextVectorization", function()
    return layers.TextVectorization{output_sequence_length = many, vocabulary = {"a"}}{"a b"}
  end},
  {"pad_sequences", function() return cusp.utils.pad_sequences({{1, 2}}, {maxlen = many}) end},
  {"AUC", function() return cusp.metrics.AUC{num_thresholds = many} end},
  {"PrecisionAtRecall", function()
    return cusp.metrics.PrecisionAtRecall{recall = 0.5, num_thresholds = many}
  end},
  {"MeanIoU", function() return cusp.metrics.MeanIoU(many) end},
}

describe("sizes", function()
  for _, case in ipairs(cases) do
    it("have a bound: " .. case[1], function()
      local start = os.clock()
      local ok, text = pcall(case[2])
      assert.is_false(ok)
      assert(os.clock() - start < 2, tostring(text))
      text = tostring(text)
      assert(text:find "out of memory" or text:find "at most" or text:find "does not fit", text)
    end)
  end

  it("of many n-grams end with the text", function()
    local layer = layers.TextVectorization{ngrams = many, vocabulary = {"a", "b", "a b"}}
    assert.same({{2, 3, 4}}, layer{"a b"}:tolist())
  end)

  it("of pooled outputs may be larger than those of inputs", function()
    local x = cusp.tensor({1, 2, 3}, {shape = {1, 3, 1}, dtype = "float32"})
    assert.same({{{1}, {2}, {2}, {3}, {3}}}, layers.AdaptiveMaxPooling1D(5)(x):tolist())
    assert.same({{{1}, {1.5}, {2}, {2.5}, {3}}}, layers.AdaptiveAveragePooling1D(5)(x):tolist())
    assert.same({1, 100000, 1}, layers.AdaptiveAveragePooling1D(100000)(x).shape)
  end)

  it("of IDX files whose rows hold nothing are refused", function()
    local directory <close> = folder.new()
    local path = directory.path .. "/rows"
    local file = assert(io.open(path, "wb"))
    file:write("\0\0\8\2", (">I4I4"):pack(0xffffffff, 0))
    file:close()
    local ok, text = pcall(cusp.data.from_idx, path)
    assert.is_false(ok)
    assert.matches("rows that hold nothing", tostring(text))
  end)

  it("of infinite shape parameters give infinite gamma numbers", function()
    assert.same({math.huge, math.huge}, cusp.random.gamma({2}, math.huge):tolist())
  end)
end)
