local cusp = require "cusp"
local folder = require "spec.support.folder"
local files = require "cusp.engine".files
local text_files = require "spec.support.text_files"
local message_of = require "spec.support.message"

local function contents(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local bytes = file:read "a"
  file:close()
  return bytes
end

local put = text_files.write

describe("files.crc32c", function()
  it("gives the values of RFC 3720", function()
    assert.equal(0xe3069283, files.crc32c "123456789")
    assert.equal(0x8a9136aa, files.crc32c(("\0"):rep(32)))
    assert.equal(0x62a8ab43, files.crc32c(("\xff"):rep(32)))
    assert.equal(0, files.crc32c "")
  end)

  it("goes on from a checksum, for strings and tensors alike, whatever their length", function()
    local t = cusp.random.uniform{50021}
    local bytes = t:tobytes()
    assert.equal(files.crc32c(bytes), files.crc32c(t))
    for _, cut in ipairs{0, 1, 7, 255, 768, 12289, 40000, #bytes} do
      assert.equal(files.crc32c(bytes),
        files.crc32c(bytes:sub(cut + 1), files.crc32c(bytes:sub(1, cut))))
    end
  end)

  it("is masked as TensorFlow masks it", function()
    local crc = files.crc32c "123456789"
    assert.equal(((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff,
      files.masked_crc32c "123456789")
  end)
end)

describe("files.open", function()
  it("reads strings and tensors at offsets, in either order of bytes", function()
    local out <close> = folder.new()
    local path = out.path .. "/data"
    put(path, "ab" .. string.pack("<fff>i2i2", 1, -2, 0.5, -3, 258) .. "\0\1\7")
    local reader <close> = files.open(path)
    assert.equal(21, reader.size)
    assert.equal(path, reader.path)
    assert.equal("ab", reader:read(0, 2))
    assert.equal("", reader:read(21, 0))
    assert.same({{1, -2, 0.5}}, reader:tensor(2, "float32", {1, 3}):tolist())
    assert.same({-3, 258}, reader:tensor(14, "int16", {2}, true):tolist())
    assert.same({false, true, true}, reader:tensor(18, "bool", {3}):tolist())
    local t, crc = reader:tensor(2, "float32", {3}, false, true)
    assert.equal(files.crc32c(t), crc)
    assert.equal(crc, reader:crc32c(2, 12))
    assert.same({0, 4}, reader:tensor(21, "float64", {0, 4}).shape)
  end)

  it("refuses ranges beyond the file before it takes memory, naming file and offset", function()
    local out <close> = folder.new()
    local path = out.path .. "/data"
    put(path, ("x"):rep(100))
    local reader <close> = files.open(path)
    for _, range in ipairs{{100, 1}, {0, 101}, {math.maxinteger, 1}, {1, math.maxinteger},
      {101, 0}} do
      assert.matches(
        path .. ": offset %d+: expected %d+ bytes there, but the file has only 100 bytes",
        message_of(reader.read, reader, range[1], range[2]))
      assert.matches("has only 100", message_of(reader.crc32c, reader, range[1], range[2]))
    end
    for _, shape in ipairs{{26}, {math.maxinteger}, {1 << 40, 1 << 40}, {3037000500, 3037000500}} do
      assert.matches(path, message_of(reader.tensor, reader, 0, "float32", shape))
    end
    assert.matches("offset should be an integer of 0 or more, got %-1",
      message_of(reader.read, reader, -1, 1))
    assert.matches("expected a dtype", message_of(reader.tensor, reader, 0, nil, {}))
    reader:close()
    assert.matches("one that has been closed", message_of(reader.read, reader, 0, 1))
  end)

  it("opens regular files only", function()
    local out <close> = folder.new()
    assert.matches("got a folder", message_of(files.open, out.path))
    assert.matches("special file", message_of(files.open, "/dev/null"))
    assert.matches("No such file", message_of(files.open, out.path .. "/none"))
    assert.matches("zero byte", message_of(files.open, "a\0b"))
    assert.matches("expected a path, got nil", message_of(files.open))
  end)
end)

describe("files.create", function()
  it("puts a file in its place when it is committed, and leaves nothing when it is not", function()
    local out <close> = folder.new()
    local path = out.path .. "/data"
    put(path, "old")
    do
      local writer <close> = files.create(path)
      writer:write("new", "er")
      assert.equal(5, writer.position)
      assert.equal("old", contents(path))
      assert.matches("^" .. out.path .. "/%.data%.", writer.temporary)
    end
    assert.equal("old", contents(path))
    assert.same({"data"}, files.list(out.path))
    local writer = files.create(path)
    writer:write("new", cusp.tensor({1, 2}, {dtype = "int16"}))
    writer:write_at(1, "E")
    writer:write_at(3, cusp.tensor({3}, {dtype = "int16"}), true)
    writer:commit()
    assert.equal("nEw\0\3\2\0", contents(path))
    assert.same({"data"}, files.list(out.path))
    assert.matches("committed or aborted", message_of(writer.write, writer, "x"))
  end)

  it("writes what views show, and large pieces between small ones", function()
    local out <close> = folder.new()
    local path = out.path .. "/data"
    local t = cusp.random.uniform{300, 200}
    local writer = files.create(path)
    writer:write("begin", t, "middle", cusp.ops.transpose(t), cusp.Variable(t))
    writer:commit()
    assert.equal("begin" .. t:tobytes() .. "middle" .. cusp.ops.transpose(t):tobytes()
      .. t:tobytes(), contents(path))
  end)

  it("fails as a whole where a disk is full, at every number of bytes", function()
    local out <close> = folder.new()
    local path = out.path .. "/data"
    put(path, "old")
    local large = ("x"):rep(100000)
    for _, bytes in ipairs{1, 3, 65536, 100000, 200000} do
      files.fail_after(bytes)
      local ok, message = pcall(function()
        local writer <close> = files.create(path)
        writer:write("abc", large, "d", large, "e")
        writer:commit()
      end)
      files.fail_after(0)
      assert.is_false(ok)
      assert.matches(path .. ": cannot be written: No space left", message)
      assert.equal("old", contents(path))
      assert.same({"data"}, files.list(out.path))
    end
  end)

  it("says where it cannot write", function()
    local out <close> = folder.new()
    assert.matches("/none/data: cannot be written: No such file",
      message_of(files.create, out.path .. "/none/data"))
    assert.matches("it is a folder", message_of(files.create, out.path))
    assert.matches("it is a special file", message_of(files.create, "/dev/null"))
    local writer <close> = files.create(out.path .. "/data")
    assert.matches("expected a string or a tensor, got a table",
      message_of(writer.write, writer, {}))
  end)

  it("follows symbolic links and keeps permissions", function()
    local out <close> = folder.new()
    put(out.path .. "/real", "old")
    assert(os.execute(("chmod 640 '%s/real' && ln -s real '%s/link'"):format(out.path, out.path)))
    local writer = files.create(out.path .. "/link")
    writer:write "new"
    writer:commit()
    assert.equal("new", contents(out.path .. "/real"))
    local pipe = io.popen(("stat -c %%a '%s/real'; readlink '%s/link'"):format(out.path, out.path))
    assert.equal("640\nreal\n", pipe:read "a")
    pipe:close()
  end)

  it("takes the file that a library put in the hidden one's place", function()
    local out <close> = folder.new()
    local writer = files.create(out.path .. "/data")
    put(writer.temporary .. ".other", "by name")
    os.rename(writer.temporary .. ".other", writer.temporary)
    writer:commit()
    assert.equal("by name", contents(out.path .. "/data"))
  end)

  it("commits several, or none", function()
    local out <close> = folder.new()
    local a, b = files.create(out.path .. "/a"), files.create(out.path .. "/b")
    a:write "1"
    b:write "2"
    files.commit{a, b}
    assert.same({"a", "b"}, files.list(out.path))
    local c, d = files.create(out.path .. "/a"), files.create(out.path .. "/b")
    c:write "3"
    files.fail_after(1)
    d:write(("x"):rep(10))
    local ok = pcall(files.commit, {c, d})
    files.fail_after(0)
    assert.is_false(ok)
    assert.equal("1", contents(out.path .. "/a"))
    c:abort()
    d:abort()
    assert.same({"a", "b"}, files.list(out.path))
  end)

  it("leaves nothing of a writer that was forgotten", function()
    local out <close> = folder.new()
    files.create(out.path .. "/data"):write "x"
    collectgarbage()
    assert.same({}, files.list(out.path))
  end)
end)

describe("folders", function()
  it("are made, listed, looked at and removed", function()
    local out <close> = folder.new()
    files.make_directories(out.path .. "/a/b/c")
    files.make_directories(out.path .. "/a/b")
    assert.is_true(files.is_directory(out.path .. "/a/b/c"))
    assert.is_false(files.exists(out.path .. "/none"))
    put(out.path .. "/a/file", "1")
    assert.is_false(files.is_directory(out.path .. "/a/file"))
    assert.same({"b", "file"}, files.list(out.path .. "/a"))
    assert.near(os.time(), files.modified(out.path .. "/a/file"), 10)
    assert.is_nil(files.modified(out.path .. "/none"))
    files.rename(out.path .. "/a/file", out.path .. "/a/other")
    assert.is_true(files.link(out.path .. "/a/other", out.path .. "/a/second"))
    assert.same({"b", "other", "second"}, files.list(out.path .. "/a"))
    assert.is_true(files.remove(out.path .. "/a/other"))
    assert.is_false(files.remove(out.path .. "/a/other"))
    assert.matches("No such file", message_of(files.list, out.path .. "/none"))
    assert.matches("there is a file of that name",
      message_of(files.make_directories, out.path .. "/a/second"))
    assert.matches("/a/second", message_of(files.make_directories, out.path .. "/a/second/x"))
  end)
end)
