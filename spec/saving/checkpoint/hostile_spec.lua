-- Untrusted checkpoints: damaged and crafted ones. Each gives an error that names the file, or
-- loads the right values; the model is never partly loaded, and nothing takes long.
local bundle = require "cusp.saving.checkpoint.bundle"
local checkpoint = require "cusp.saving.checkpoint"
local cusp = require "cusp"
local files = require "cusp.engine".files
local folder = require "spec.support.folder"
local mutate = require "spec.support.mutate"
local object_graph = require "cusp.saving.checkpoint.object_graph"
local protobuf = require "cusp.formats.protobuf"
local sorted_table = require "cusp.saving.checkpoint.sorted_table"
local message_of = require "spec.support.message"
local layers = cusp.layers

-- seconds for a file of a few kilobytes, also under sanitizers on a busy machine
local slowest <const> = 5

local function model_of_file()
  local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(4), layers.Dense(2)}
  model:compile{optimizer = "adam", loss = "mse"}
  model.optimizer:ensure_built(model.trainable_weights)
  return model
end

local function bytes_of(model)
  local parts = {}
  for i, variable in ipairs(model.weights) do parts[i] = variable.value:tobytes() end
  for _, variable in ipairs(model.optimizer.variables) do
    parts[#parts + 1] = variable.value:tobytes()
  end
  return table.concat(parts, "|")
end

local out = folder.new()
local original, prefix = model_of_file(), out.path .. "/weights"
checkpoint.save(prefix, original)
local saved = {index = mutate.read(prefix .. ".index"),
  data = mutate.read(prefix .. ".data-00000-of-00001"), values = bytes_of(original)}
local target = model_of_file()
local untouched = bytes_of(target)

-- Loads the present files: expects an error that names the file and leaves the model unchanged, or
-- the saved values. Values that the graph no longer connects with the model may be unchanged; with
-- `made_up`, it may connect anything.
local function try(what, made_up)
  local start = os.clock()
  local ok, result = pcall(checkpoint.load, prefix, target)
  assert(os.clock() - start < slowest, what .. ": took " .. os.clock() - start .. " s")
  local now = bytes_of(target)
  if ok then
    result:expect_partial()
    if now ~= saved.values and not made_up then
      assert(#result._restoration:unmatched() > 0, what .. ": loaded something else")
    end
    target = model_of_file()
    untouched = bytes_of(target)
  else
    assert(now == untouched, what .. ": the model has changed: " .. tostring(result))
    assert(tostring(result):find(prefix, 1, true),
      what .. ": does not name the file: " .. tostring(result))
  end
  return ok
end

-- The positions of the blocks in an index.
local function blocks_of(bytes)
  local footer = bytes:sub(-48)
  local handles, position = {}, 1
  for i = 1, 4 do handles[i], position = sorted_table.read_varint(footer, position) end
  return {{0, handles[1] - 5}, {handles[1], handles[2]}, {handles[3], handles[4]}}
end

local blocks = blocks_of(saved.index)

-- Fixes the checksums, so that they do not reveal a change.
local function with_checksums(bytes)
  for _, block in ipairs(blocks) do
    local stop = block[1] + block[2] + 1
    if #bytes >= stop + 4 then
      bytes = bytes:sub(1, stop)
        .. string.pack("<I4", files.masked_crc32c(bytes:sub(block[1] + 1, stop)))
        .. bytes:sub(stop + 5)
    end
  end
  return bytes
end

-- The checkpoint with another graph, or with entries changed by f.
local function rewrite(graph, f)
  local entries = {}
  mutate.write(prefix .. ".index", saved.index)
  mutate.write(prefix .. ".data-00000-of-00001", saved.data)
  local index = sorted_table.read(prefix .. ".index")
  for i, entry in ipairs(index) do
    local message = entry.key == "" and "tensorflow.BundleHeaderProto"
      or "tensorflow.BundleEntryProto"
    local proto = protobuf.decode(message, entry.value)
    if f then proto = f(entry.key, proto) or proto end
    if entry.key == object_graph.key and graph then
      local lengths = files.crc32c(string.pack("<I4", #graph))
      local stored = string.pack("<I4", ((lengths >> 15 | lengths << 17) + 0xa282ead8) & 0xffffffff)
      local start = #saved.data
      local bytes = sorted_table.varint(#graph) .. stored .. graph
      mutate.write(prefix .. ".data-00000-of-00001", saved.data .. bytes)
      local crc = files.crc32c(graph, files.crc32c(stored, lengths))
      proto.offset, proto.size, proto.crc32c = start, #bytes,
        ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff
    end
    entries[i] = {key = entry.key, value = protobuf.encode(message, proto)}
  end
  mutate.write(prefix .. ".index", sorted_table.write(entries))
end

local graph_bytes = bundle.open(prefix):strings(object_graph.key)[1]

describe("a damaged checkpoint", function()
  teardown(function() os.execute(("rm -rf '%s'"):format(out.path)) end)

  it("is refused or right, whatever happened to its index", function()
    for name, bytes in mutate.mutations(saved.index, {seed = 1, count = 400}) do
      mutate.write(prefix .. ".index", bytes)
      mutate.write(prefix .. ".data-00000-of-00001", saved.data)
      try("index: " .. name)
    end
  end)

  it("is refused or right, whatever happened to its index if the checksums fit", function()
    for name, bytes in mutate.mutations(saved.index, {seed = 2, count = 500}) do
      mutate.write(prefix .. ".index", with_checksums(bytes))
      mutate.write(prefix .. ".data-00000-of-00001", saved.data)
      try("index with checksums: " .. name)
    end
  end)

  it("is refused or right, whatever happened to its data", function()
    mutate.write(prefix .. ".index", saved.index)
    for name, bytes in mutate.mutations(saved.data, {seed = 3, count = 300}) do
      mutate.write(prefix .. ".data-00000-of-00001", bytes)
      try("data: " .. name)
    end
  end)

  it("is refused or right, whatever happened to its object graph", function()
    for name, bytes in mutate.mutations(graph_bytes, {seed = 4, count = 500}) do
      rewrite(bytes)
      try("graph: " .. name, true)
    end
  end)

  it("is refused where its files are none", function()
    for _, odd in pairs(mutate.odd_files(out.path)) do
      local bytes = odd.bytes
      if bytes then
        mutate.write(prefix .. ".index", bytes)
        assert.is_false(try "odd index")
        mutate.write(prefix .. ".index", saved.index)
        mutate.write(prefix .. ".data-00000-of-00001", bytes)
        assert.is_false(try "odd data")
      end
    end
    os.remove(prefix .. ".data-00000-of-00001")
    assert.matches("data%-00000%-of%-00001: No such file",
      message_of(checkpoint.load, prefix, target))
    os.remove(prefix .. ".index")
    assert.matches("weights.index: No such file", message_of(checkpoint.load, prefix, target))
    assert(os.execute(("mkdir '%s.index'"):format(prefix)))
    assert.matches("got a folder", message_of(checkpoint.load, prefix, target))
    os.remove(prefix .. ".index")
  end)
end)

local function entry_error(f)
  rewrite(nil, f)
  return message_of(checkpoint.load, prefix, target)
end

local kernel <const> = "layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE"

-- The kernel's entry with other fields.
local function with(fields)
  return function(key, proto)
    if key ~= kernel then return end
    for name, value in pairs(fields) do proto[name] = value end
  end
end

local function header(fields)
  return function(key, proto)
    if key ~= "" then return end
    for name, value in pairs(fields) do proto[name] = value end
  end
end

describe("a made-up checkpoint", function()
  setup(function() assert(os.execute(("mkdir -p '%s'"):format(out.path))) end)
  teardown(function() os.execute(("rm -rf '%s'"):format(out.path)) end)

  it("has entries that cannot be", function()
    local huge = {dim = {{size = 1 << 40}, {size = 1 << 40}}}
    assert.matches("kernel.*invalid shape", entry_error(with{shape = huge}))
    assert.matches("invalid shape", entry_error(with{shape = {dim = {{size = -1}, {size = 3}}}}))
    assert.matches("does not match its shape",
      entry_error(with{shape = {dim = {{size = math.maxinteger}}}}))
    assert.matches("does not match its shape", entry_error(with{shape = {dim = {{size = 4}}}}))
    assert.matches("unknown rank", entry_error(with{shape = {unknown_rank = true}}))
    assert.matches("should be the 48 bytes at offset %d+, but",
      entry_error(with{offset = math.maxinteger}))
    assert.matches("has the offset %-8", entry_error(with{offset = -8}))
    assert.matches("data file 1 of 1", entry_error(with{shard_id = 1}))
    assert.matches("data file %-1 of 1", entry_error(with{shard_id = -1}))
    assert.matches("is float32 in the model, but string", entry_error(with{dtype = "DT_STRING"}))
    assert.matches("is float32 in the model, but DT_RESOURCE",
      entry_error(with{dtype = "DT_RESOURCE"}))
    assert.matches("slices %(a partitioned variable%)",
      entry_error(with{slices = {{extent = {{start = 0, length = 1}}}}}))
    assert.matches("checksum of '" .. kernel:gsub("%p", "%%%0") .. "' does not match",
      entry_error(with{crc32c = 1}))
    local strings = {dtype = "DT_STRING", shape = {dim = {{size = 1 << 50}}}}
    local function graph(key, proto)
      if key == object_graph.key then
        for name, value in pairs(strings) do proto[name] = value end
      end
    end
    assert.matches("claims to hold %d+ strings", entry_error(graph))
  end)

  it("has a header that cannot be", function()
    assert.matches("claims 0 data files", entry_error(header{num_shards = 0}))
    assert.matches("claims %-5 data files", entry_error(header{num_shards = -5}))
    assert.matches("claims 2147483647 data files", entry_error(header{num_shards = 2147483647}))
    assert.matches("weights.data%-00000%-of%-00002: No such file",
      entry_error(header{num_shards = 2}))
  end)

  local function graph_error(nodes)
    rewrite(protobuf.encode("tensorflow.TrackableObjectGraph", {nodes = nodes}))
    return message_of(checkpoint.load, prefix, target)
  end

  it("has an object graph that cannot be", function()
    assert.matches("no objects", graph_error{})
    assert.matches("node 0 has the child node 7, but there are only 1",
      graph_error{{children = {{node_id = 7, local_name = "x"}}}})
    assert.matches("node 0 has the child node %-1",
      graph_error{{children = {{node_id = -1, local_name = "x"}}}})
    assert.matches("two children named 'x'",
      graph_error{{children = {{node_id = 0, local_name = "x"}, {node_id = 0, local_name = "x"}}}})
    local slot = {original_variable_node_id = 0, slot_name = "m", slot_variable_node_id = 9}
    assert.matches("a slot in node 9", graph_error{{slot_variables = {slot}}})
    assert.matches("none of the weights of '.*' are in this checkpoint, whose root has: self",
      graph_error{{children = {{node_id = 0, local_name = "self"}}}})
  end)

  it("has an object graph that goes in circles", function()
    local names = {"layer-0", "layer-1", "layer_with_weights-0", "layer_with_weights-1", "kernel",
      "bias", "optimizer", "_variables", "0"}
    local nodes = {}
    for i = 1, 5 do
      nodes[i] = {children = {},
        attributes = {{name = "VARIABLE_VALUE", full_name = "x", checkpoint_key = kernel}}}
      for k, name in ipairs(names) do
        nodes[i].children[k] = {node_id = (i * k) % 5, local_name = name}
      end
    end
    rewrite(protobuf.encode("tensorflow.TrackableObjectGraph", {nodes = nodes}))
    try("circles", true)
  end)

  it("has an object graph deeper than any model", function()
    local nodes = {}
    for i = 1, 20000 do
      nodes[i] = {
        children = {{node_id = i % 20000, local_name = "next"}},
        attributes = {{name = "VARIABLE_VALUE", full_name = "x", checkpoint_key = "none"}},
      }
    end
    nodes[1].children[2] = {node_id = 1, local_name = "layer-0"}
    rewrite(protobuf.encode("tensorflow.TrackableObjectGraph", {nodes = nodes}))
    try("deep", true)
  end)

  it("speaks of tensors that are not there", function()
    local other = graph_bytes:gsub("layer_with_weights%-0/kernel", "layer_with_weights-0/kennel")
    rewrite(other)
    assert.matches("is stored as 'layer_with_weights%-0/kennel.*there is no such tensor",
      message_of(checkpoint.load, prefix, target))
  end)

  it("is compressed, or out of order, or has blocks within blocks", function()
    local compressed = saved.index:sub(1, blocks[1][2]) .. "\1" .. saved.index:sub(blocks[1][2] + 2)
    mutate.write(prefix .. ".index", with_checksums(compressed))
    assert.matches("compressed %(snappy%)", message_of(checkpoint.load, prefix, target))
    local function table_error(index)
      mutate.write(prefix .. ".index", with_checksums(index))
      return message_of(sorted_table.read, prefix .. ".index")
    end
    assert.matches("the keys are not in order",
      table_error((saved.index:gsub("layer_with", "\1ayer_with", 1))))
    assert.matches("footer cannot be read",
      table_error(saved.index:sub(1, -49) .. ("\xff"):rep(40) .. saved.index:sub(-8)))
    assert.matches("last bytes are not those", table_error(saved.index .. "\0"))
    assert.matches("are too few", table_error "short")
  end)

  it("without an object graph is for readers only", function()
    local writer = bundle.create(prefix .. "-raw")
    writer:add("w", cusp.ones{2})
    writer:commit()
    assert.matches("no object graph", message_of(checkpoint.load, prefix .. "-raw", target))
    assert.same({1, 1}, checkpoint.load_variable(prefix .. "-raw", "w"):tolist())
  end)

  it("of the other order of bytes, and of several data files, is read", function()
    local first = {num_shards = 2, endianness = "BIG", version = {producer = 1}}
    local big = {{key = "", value = protobuf.encode("tensorflow.BundleHeaderProto", first)}}
    local stored = {[0] = string.pack(">fff", 1, 2, 3), string.pack(">i4i4", -5, 70000)}
    for shard, dtype in pairs{[0] = "DT_FLOAT", "DT_INT32"} do
      mutate.write(("%s-big.data-%05d-of-00002"):format(prefix, shard), stored[shard])
      big[#big + 1] = {key = dtype, value = protobuf.encode("tensorflow.BundleEntryProto", {
        dtype = dtype, shape = {dim = {{size = #stored[shard] // 4}}}, shard_id = shard,
        size = #stored[shard],
        crc32c = files.masked_crc32c(stored[shard]),
      })}
    end
    mutate.write(prefix .. "-big.index", sorted_table.write(big))
    local reader <close> = checkpoint.reader(prefix .. "-big")
    assert.same({1, 2, 3}, reader:tensor("DT_FLOAT"):tolist())
    assert.same({-5, 70000}, reader:tensor("DT_INT32"):tolist())
  end)
end)
