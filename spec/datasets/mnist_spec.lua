local cusp = require "cusp"

--- An IDX file of uint8 with these sizes and bytes.
local function write(path, sizes, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(string.pack(">BBBB", 0, 0, 8, #sizes))
  for _, size in ipairs(sizes) do file:write(string.pack(">I4", size)) end
  file:write(bytes)
  file:close()
end

describe("cusp.datasets.mnist", function()
  local mnist = cusp.datasets.mnist
  local directory

  before_each(function()
    directory = os.tmpname()
    os.remove(directory)
    assert(os.execute("mkdir " .. directory))
  end)

  after_each(function() os.execute("rm -r " .. directory) end)

  local function write_half(half, samples, ending)
    write(directory .. "/" .. half .. "-images" .. ending .. "idx3-ubyte", {samples, 2, 3},
      ("\1\2\3\4\5\6"):rep(samples))
    write(directory .. "/" .. half .. "-labels" .. ending .. "idx1-ubyte", {samples},
      ("\7"):rep(samples))
  end

  it("reads both halves of a directory", function()
    write_half("train", 3, "-")
    write_half("t10k", 2, ".")
    local train, test = mnist.load_data(directory)
    assert.same({3, 2, 3}, train[1].shape)
    assert.same({{1, 2, 3}, {4, 5, 6}}, train[1][2]:tolist())
    assert.same({7, 7}, test[2]:tolist())
    assert.equal("uint8", test[1].dtype)
  end)

  it("reads files compressed by gzip", function()
    write_half("train", 3, "-")
    assert(os.execute("gzip " .. directory .. "/*"))
    local train, test = mnist.load_data(directory)
    assert.same({3, 2, 3}, train[1].shape)
    assert.is_nil(test)
  end)

  it("gives the one half there is, or the file that is named", function()
    write_half("t10k", 2, "-")
    local images, none = mnist.load_data(directory)
    assert.same({2, 2, 3}, images[1].shape)
    assert.is_nil(none)
    images = mnist.load_data{path = directory .. "/t10k-images-idx3-ubyte"}
    assert.same({7, 7}, images[2]:tolist())
  end)

  it("says what is missing or wrong", function()
    assert.error_matches(function()
      mnist.load_data(directory)
    end, "there is no 'train%-images%-idx3%-ubyte'")
    assert.error_matches(function() mnist.load_data() end, "path")
    write_half("train", 3, "-")
    write(directory .. "/train-labels-idx1-ubyte", {2}, "\1\2")
    assert.error_matches(function()
      mnist.load_data(directory)
    end, "got %[3, 2, 3%] in .* and %[2%] in")
    os.remove(directory .. "/train-labels-idx1-ubyte")
    assert.error_matches(function()
      mnist.load_data(directory)
    end, "train%-labels%-idx1%-ubyte' beside the images")
    write(directory .. "/train-labels-idx1-ubyte", {200}, "\1\2")
    assert.error_matches(function()
      mnist.load_data(directory)
    end, "train%-labels%-idx1%-ubyte: its header says %[200%]")
  end)
end)
