-- Whatever interrupts a save, the checkpoint is the old one or the new one.
local bundle = require "cusp.saving.checkpoint.bundle"
local checkpoint = require "cusp.saving.checkpoint"
local cusp = require "cusp"
local files = require "cusp.engine".files
local folder = require "spec.support.folder"

local program <const> = (os.getenv "CUSP_BUILD" or "build") .. "/cusp"
local whole <const> = {"checkpoint", "weights.data-00000-of-00001", "weights.index"}

local function model_of(size, value)
  local model = cusp.Sequential{cusp.Input{shape = {size}}, cusp.layers.Dense(size)}
  model:set_weights{cusp.full({size, size}, value), cusp.full({size}, value)}
  return model
end

-- The single number that all weights of a checkpoint have.
local function value_in(prefix, size)
  local model = model_of(size, 0)
  checkpoint.load(prefix, model):assert_consumed()
  local values = {}
  for i, variable in ipairs(model.weights) do
    local low, high = cusp.ops.min(variable):item(), cusp.ops.max(variable):item()
    assert.equal(low, high)
    values[i] = low
  end
  assert.equal(values[1], values[2])
  return values[1]
end

local function visible(path)
  local result = {}
  for _, name in ipairs(files.list(path)) do
    if name:sub(1, 1) ~= "." then result[#result + 1] = name end
  end
  return result
end

local function run_saver(prefix, step)
  local ok, _, code = os.execute(
    ("%s spec/saving/checkpoint/crashing_saver.lua '%s' %d 2>/dev/null"):format(program, prefix,
      step))
  return ok and 0 or code
end

describe("saving a checkpoint over another", function()
  it("leaves the old one or the new one, stopped before any of its steps", function()
    local seen, step = {}, 0
    repeat
      step = step + 1
      local out <close> = folder.new()
      local prefix = out.path .. "/weights"
      checkpoint.save(prefix, model_of(3, 1))
      local code = run_saver(prefix, step)
      assert.is_true(code == 9 or code == 0, "step " .. step .. " ended with " .. tostring(code))
      local value = value_in(prefix, 3)
      assert.is_true(value == 1 or value == 2)
      seen[value] = (seen[value] or 0) + 1
      assert.equal(prefix, checkpoint.latest_checkpoint(out.path))
      checkpoint.save(prefix, model_of(3, 5)) -- the next save is no worse for it
      assert.equal(5, value_in(prefix, 3))
      if not files.exists(prefix .. ".data-00000-of-00002") then
        assert.same(whole, visible(out.path))
      end
      checkpoint.save(prefix, model_of(3, 6))
      assert.equal(6, value_in(prefix, 3))
      assert.same(whole, visible(out.path))
    until code == 0
    assert.is_true(seen[1] > 3 and seen[2] > 3)
  end)

  it("leaves the old one or the new one, killed at any time", function()
    local out <close> = folder.new()
    local prefix = out.path .. "/weights"
    checkpoint.save(prefix, model_of(700, 1))
    for round = 1, 8 do
      os.execute(
        ("timeout -s KILL %.3f %s spec/saving/checkpoint/crashing_saver.lua '%s' 0 1000 "
          .. ">/dev/null 2>&1"):format(
        0.25 + 0.037 * round, program, prefix))
      local value = value_in(prefix, 700)
      assert.is_true(value == 1 or value == 2)
    end
    checkpoint.save(prefix, model_of(700, 3))
    checkpoint.save(prefix, model_of(700, 4))
    assert.equal(4, value_in(prefix, 700))
    assert.same(whole, visible(out.path))
  end)

  it("leaves the old one where the disk is full, and no hidden files", function()
    local out <close> = folder.new()
    local prefix = out.path .. "/weights"
    checkpoint.save(prefix, model_of(3, 1))
    local saved, bytes = false, 0
    repeat
      bytes = bytes + 37
      files.fail_after(bytes)
      local ok, message = pcall(checkpoint.save, prefix, model_of(3, 2))
      files.fail_after(0)
      if ok then
        saved = true
      else
        assert.matches("cannot be written: No space left", message)
      end
      local value = value_in(prefix, 3)
      assert.is_true(value == 2 or value == 1 and not ok)
      if value == 1 then assert.same(whole, files.list(out.path)) end
      checkpoint.save(prefix, model_of(3, 1))
      checkpoint.save(prefix, model_of(3, 1))
      assert.same(whole, files.list(out.path))
    until saved
  end)

  it("of several data files leaves none of these", function()
    local out <close> = folder.new()
    local prefix = out.path .. "/weights"
    checkpoint.save(prefix, model_of(3, 1))
    files.rename(prefix .. ".data-00000-of-00001", prefix .. ".data-00000-of-00003")
    for shard = 1, 2 do
      local writer = files.create(("%s.data-%05d-of-00003"):format(prefix, shard))
      writer:commit()
    end
    local protobuf, sorted_table = require "cusp.formats.protobuf",
      require "cusp.saving.checkpoint.sorted_table"
    local entries = sorted_table.read(prefix .. ".index")
    entries[1].value = protobuf.encode("tensorflow.BundleHeaderProto",
      {num_shards = 3, version = {producer = 1}})
    local writer = files.create(prefix .. ".index")
    writer:write(sorted_table.write(entries))
    writer:commit()
    assert.equal(1, value_in(prefix, 3))
    assert.equal(3, bundle.open(prefix).shards)
    checkpoint.save(prefix, model_of(3, 2))
    assert.equal(2, value_in(prefix, 3))
    assert.same(whole, files.list(out.path))
  end)
end)
