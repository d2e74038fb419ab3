local files = require("cusp.engine").files
local folders = require "spec.support.folder"
local zip = require "cusp.formats.zip"

local fixture = "spec/fixtures/numpy/members.zip"

describe("zip", function()
  local scope = folders.new()
  local folder = scope.path

  teardown(function() scope:remove() end)

  local function contents(path)
    local reader <close> = files.open(path)
    return reader:read(0, reader.size)
  end

  local function write(name, bytes)
    local path = folder .. "/" .. name
    local writer <close> = files.create(path)
    writer:write(bytes)
    writer:commit()
    return path
  end

  --- An archive with text members as a file, its bytes changed by `change(bytes)`.
  local function changed(members, change)
    local path = folder .. "/plain.zip"
    local writer = zip.create(path)
    for _, member in ipairs(members) do writer:add(member[1], member[2], member[3]) end
    writer:close()
    return write("changed.zip", change(contents(path)))
  end

  --- Sets bytes in the directory entry of the only member, at an offset in that entry.
  local function patch_entry(bytes, offset, value)
    local entry = bytes:find("PK\1\2", 1, true)
    return bytes:sub(1, entry - 1 + offset) .. value .. bytes:sub(entry + offset + #value)
  end

  local function refused(path, name, pattern, options)
    local archive <close> = zip.open(path, options)
    -- A compressed member is not stored, damaged or not.
    local compressed = archive:has(name) and select(2, pcall(archive.stored, archive, name)) == nil
    for _, method in ipairs{"read", "extract", not compressed and "stored" or nil} do
      local ok, message = pcall(archive[method], archive, name)
      assert.is_false(ok, method)
      assert.matches(pattern, message)
      assert.matches(path, message, 1, true)
      assert.matches("'" .. name .. "'", message, 1, true)
    end
  end

  it("reads what Python's zipfile wrote, stored and deflated", function()
    local archive <close> = zip.open(fixture)
    local names = {"stored.txt", "deflated.txt", "bzip2.txt", "../outside.txt", "/root.txt",
      "folder/", "née.txt"}
    assert.same(names, archive:names())
    local text = ("hello "):rep(100)
    assert.equal(text, archive:read "stored.txt")
    assert.equal(text, archive:read "deflated.txt")
    assert.equal(600, archive:size "deflated.txt")
    assert.equal("", archive:read "née.txt")
    assert.is_true(archive:has "née.txt")
    assert.is_false(archive:has "nee.txt")
    local reader <close> = files.open(fixture)
    assert.equal(text, reader:read(archive:stored "stored.txt"))
    assert.is_nil(archive:stored "deflated.txt")
    assert.is_nil(archive:stored "née.txt")
  end)

  it("extracts to temporary files that go with the archive, whatever the members are called",
    function()
    local archive = zip.open(fixture)
    local paths = {}
    for _, name in ipairs{"stored.txt", "deflated.txt", "../outside.txt", "/root.txt"} do
      local path = archive:extract(name)
      assert.equal(archive:read(name), contents(path))
      assert.is_nil(path:find("outside", 1, true) or path:find("root.txt", 1, true))
      paths[#paths + 1] = path
    end
    archive:close()
    for _, path in ipairs(paths) do assert.is_false(files.exists(path)) end
    assert.has_error(function() archive:names() end)
  end)

  it("writes archives that depend on their members alone", function()
    local path = folder .. "/written.zip"
    local source = write("source.bin", ("\0\1\2"):rep(100000))
    local function save()
      local writer <close> = zip.create(path)
      writer:add("a/b.txt", "text")
      writer:add("zeros", ("\0"):rep(100000), {compress = true})
      writer:add("née", "")
      writer:add_file("source", source)
      writer:add("pieces", {"x", require("cusp.engine").tensor({1, 2}, {dtype = "int16"}), "y"})
      writer:close()
      return contents(path)
    end
    local first = save()
    assert.equal(first, save())
    assert.is_true(#first < 302000)
    local archive <close> = zip.open(path)
    assert.same({"a/b.txt", "zeros", "née", "source", "pieces"}, archive:names())
    assert.equal("text", archive:read "a/b.txt")
    assert.equal(("\0"):rep(100000), archive:read "zeros")
    assert.equal(contents(source), archive:read "source")
    assert.equal("x\1\0\2\0y", archive:read "pieces")
  end)

  it("reads a file that was added even if it is gone when the archive is written", function()
    local source = write("gone.txt", "still here")
    local path = folder .. "/gone.zip"
    local writer <close> = zip.create(path)
    writer:add_file("gone.txt", source)
    files.remove(source)
    writer:close()
    local archive <close> = zip.open(path)
    assert.equal("still here", archive:read "gone.txt")
  end)

  it("writes an archive without members", function()
    local path = folder .. "/empty.zip"
    zip.create(path):close()
    local archive <close> = zip.open(path)
    assert.same({}, archive:names())
  end)

  it("leaves what was there until the archive is whole", function()
    local path = write("old.zip", "old")
    do
      local writer <close> = zip.create(path)
      writer:add("a", "new")
    end
    assert.equal("old", contents(path))
    local writer = zip.create(path)
    writer:add("a", "new")
    writer:abort()
    assert.equal("old", contents(path))
    local ok, message = pcall(function()
      local other <close> = zip.create(path)
      other:add_file("missing", folder .. "/missing.bin")
    end)
    assert.is_false(ok)
    assert.matches("'missing': .*/missing.bin: .*No such file", message)
    assert.equal("old", contents(path))
    for _, name in ipairs(files.list(folder)) do
      assert.is_nil(name:find("old.zip.", 1, true), name)
    end
  end)

  it("leaves the old archive where the disk is full", function()
    local script = write("full.lua", [[
      local zip = require "cusp.formats.zip"
      local writer = zip.create(arg[1])
      writer:add("a", ("x"):rep(1 << 20))
      print(select(2, pcall(writer.close, writer)))
    ]])
    local path = write("kept.zip", "old")
    -- A limit on file size, in units of 512 bytes, simulates a full disk.
    local command = ("trap '' XFSZ; ulimit -f 200; exec '%s' '%s' '%s' 2>&1"):format(arg[-1]
      or "build/cusp", script, path)
    local pipe = assert(io.popen(command))
    local answer = pipe:read "a"
    pipe:close()
    assert.matches("kept.zip: the archive cannot be written: .*File too large", answer)
    assert.equal("old", contents(path))
  end)

  it("names the archive, the member and the reason for members that it does not read", function()
    refused(fixture, "bzip2.txt", "method 12; only stored %(0%) and deflated %(8%)")
    refused(fixture, "stored.txtt", "no such member %(did you mean 'stored.txt'%?%)")
    local encrypted = changed({{"a", "secret"}}, function(bytes)
      bytes = bytes:sub(1, 6) .. "\1\8" .. bytes:sub(9)
      return patch_entry(bytes, 8, "\1\8")
    end)
    refused(encrypted, "a", "encrypted")
  end)

  it("compares checksums and sizes", function()
    local text = ("abc"):rep(1000)
    local damaged = changed({{"a", text}}, function(bytes)
      return (bytes:gsub("abcabc", "abdabc", 1))
    end)
    refused(damaged, "a", "checksum")
    local deflated = {{"a", text, {compress = true}}}
    local broken = changed(deflated, function(bytes)
      return bytes:sub(1, 35) .. "\255\255" .. bytes:sub(38)
    end)
    refused(broken, "a", "zip: ")
    local longer = changed({{"a", text}}, function(bytes)
      return patch_entry(bytes, 24, string.pack("<I4", 5000))
    end)
    refused(longer, "a", "stored as it is, but claims 5000 bytes and occupies 3000")
    local shorter = changed(deflated, function(bytes)
      return patch_entry(bytes, 24, string.pack("<I4", 2000))
    end)
    refused(shorter, "a", "size that the archive's directory says")
    local beyond = changed({{"a", text}}, function(bytes)
      return patch_entry(bytes, 20, string.pack("<I4I4", 1 << 20, 1 << 20))
    end)
    refused(beyond, "a", "claims 1048576 bytes of an archive of")
  end)

  it("stops at bombs", function()
    local impossible = changed({{"a", "xx", {compress = true}}}, function(bytes)
      return patch_entry(bytes, 24, string.pack("<I4", 0x7FFFFFFF))
    end)
    refused(impossible, "a", "compressed ones cannot hold")
    local bomb = changed({{"a", ("\0"):rep(2 << 20), {compress = true}}}, function(bytes)
      return bytes
    end)
    refused(bomb, "a", "more than 1048576 come out .*`limit`", {limit = 1 << 20})
    local archive <close> = zip.open(bomb)
    local ok, message = pcall(archive.read, archive, "a", 1000)
    assert.is_false(ok)
    assert.matches("2097152 bytes, more than the 1000", message)
    assert.equal(2 << 20, #archive:read "a")
  end)

  it("counts all members that come out against the limit, each once", function()
    local path = folder .. "/many.zip"
    local writer = zip.create(path)
    for i = 1, 4 do writer:add("m" .. i, ("x"):rep(1000)) end
    writer:close()
    local archive <close> = zip.open(path, {limit = 3000})
    for _ = 1, 3 do
      for i = 1, 3 do assert.equal(1000, #archive:read("m" .. i)) end
    end
    assert.has_error(function() archive:read "m4" end)
  end)

  it("refuses what is no archive, and names that are none", function()
    local function fails(pattern, f, ...)
      local ok, message = pcall(f, ...)
      assert.is_false(ok)
      assert.matches(pattern, message)
    end
    fails("zip.open: expected the archive's path", zip.open)
    fails("No such file", zip.open, folder .. "/none.zip")
    fails("Is a directory", zip.open, folder)
    fails("Not a zip archive", zip.open, write("text.zip", "just text"))
    fails("Not a zip archive", zip.open, write("nothing.zip", ""))
    local writer <close> = zip.create(folder .. "/names.zip")
    fails("1 to 65535 bytes of UTF%-8", writer.add, writer, "", "x")
    fails("1 to 65535 bytes of UTF%-8", writer.add, writer, "a\0b", "x")
    fails("1 to 65535 bytes of UTF%-8", writer.add, writer, "\xff", "x")
    fails("expected a string or a tensor", writer.add, writer, "a", 5)
    writer:add("b", "")
    fails("already has a member 'b'", writer.add, writer, "b", "x")
  end)
end)
