--- Files in the cache of data, checked and extracted. Nothing is downloaded.
-- @module cusp.utils.file
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local native = require "cusp.base.native"
local plain = require "cusp.base.plain"
local warnings = require "cusp.base.warnings"
local whole_file = require "cusp.base.whole_file"

local file = {}
local files = engine.files

local bind = arguments.named_binder("get_file", {
  {"fname", "string", optional = true}, {"origin", "string", optional = true},
  {"untar", "boolean", default = false}, {"md5_hash", "string", optional = true},
  {"file_hash", "string", optional = true}, {"cache_subdir", "string", default = "datasets"},
  {"hash_algorithm", "choice", choices = {"auto", "md5", "sha256"}, default = "auto"},
  {"extract", "boolean", default = false},
  {"archive_format", "any", default = "auto"}, {"cache_dir", "string", optional = true},
  {"force_download", "boolean", default = false},
}, false)

---------------------------------------------------------------- programs

local function run(command)
  local code, output, problems = native.load("process", "get_file").run(command)
  if not code then
    errors.raise("get_file: the program '%s' cannot be started: %s", command[1], output)
  end
  return code, output, problems
end

local function hash_of(path, algorithm)
  local code, output, problems = run{algorithm .. "sum", "--", path}
  if code ~= 0 then errors.raise("get_file: %ssum failed: %s", algorithm, problems) end
  return output:match "^\\?(%x+)"
end

-- Whether a file has the hash; the algorithm by the hash's length unless it is said.
local function has_hash(path, hash, algorithm)
  if algorithm == "auto" then algorithm = #hash == 64 and "sha256" or "md5" end
  return plain.lower(hash_of(path, algorithm)) == plain.lower(hash)
end

---------------------------------------------------------------- copying

local piece = 1 << 20

local function copy(from, to)
  local reader <close> = files.open(from)
  local writer <close> = files.create(to)
  for at = 0, reader.size - 1, piece do
    writer:write(reader:read(at, math.min(piece, reader.size - at)))
  end
  writer:commit()
end

local function unescape(path)
  return (path:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- The local file that an origin names; nil for what lies elsewhere.
local function local_path(origin)
  local scheme, rest = origin:match "^(%a[%w+.-]*)://(.*)$"
  if not scheme then return origin end
  if plain.lower(scheme) ~= "file" then return nil end
  local host, path = rest:match "^([^/]*)(/.*)$"
  if not path or host ~= "" and host ~= "localhost" then
    errors.raise("get_file: expected a URL such as file:///home/me/data.zip, got %q", origin)
  end
  return unescape(path)
end

local function obtain(origin, target, hash, algorithm)
  local from = local_path(origin)
  if not from then
    errors.raise("get_file: nothing is downloaded here: get %s by other means and put it at %s, or "
      .. "give the path of a local file as origin", origin, target)
  end
  if not files.exists(from) or files.is_directory(from) then
    errors.raise("get_file: there is no file %s", from)
  end
  if hash and not has_hash(from, hash, algorithm) then
    errors.raise("get_file: %s: the file has not the hash %s; is it incomplete?", from, hash)
  end
  files.make_directories(target:match "^(.*)/")
  if from ~= target then copy(from, target) end
end

---------------------------------------------------------------- extracting

local function check_member(archive, name)
  if name:find "^/" or ("/" .. name .. "/"):find("/../", 1, true) then
    errors.raise("get_file: %s: the archive has a member outside of its folder: %q", archive, name)
  end
end

local function is_zip(path)
  local reader <close> = files.open(path)
  return reader.size >= 4 and reader:read(0, 4) == "PK\3\4"
end

local function extract_zip(path, folder)
  local archive = require("cusp.formats.zip").open(path)
  local names = archive:names()
  for _, name in ipairs(names) do check_member(path, name) end
  for _, name in ipairs(names) do
    local whole = folder .. "/" .. name
    files.make_directories(name:sub(-1) == "/" and whole:sub(1, -2) or whole:match "^(.*)/")
    if name:sub(-1) ~= "/" then
      whole_file.write(whole, archive:read(name))
    end
  end
  archive:close()
end

-- Whether it is an archive that tar knows; then it is extracted.
local function extract_tar(path, folder)
  local code, list = run{"tar", "-tf", path}
  if code ~= 0 then return false end
  for name in list:gmatch "[^\n]+" do check_member(path, name) end
  files.make_directories(folder)
  local failed, _, problems = run{"tar", "-xf", path, "--no-same-owner", "-C", folder}
  if failed ~= 0 then errors.raise("get_file: %s: tar failed: %s", path, problems) end
  return true
end

local function extract(path, folder, formats)
  if type(formats) == "string" then formats = formats == "auto" and {"tar", "zip"} or {formats} end
  for _, format in ipairs(formats or {}) do
    if format ~= "tar" and format ~= "zip" then
      errors.raise("get_file: argument 'archive_format' should be \"auto\", \"tar\" or \"zip\", "
        .. "got %s", errors.describe(format))
    end
    if format == "zip" and is_zip(path) then
      extract_zip(path, folder)
      return
    end
    if format == "tar" and not is_zip(path) and extract_tar(path, folder) then return end
  end
  warnings.warn("get_file: %s is no archive that can be extracted", path)
end

---------------------------------------------------------------- the function

local function cache_folder(cache_dir, below)
  if below:find "^/" then return below end
  local home = os.getenv "HOME" or "."
  local base = cache_dir or os.getenv "KERAS_HOME" or home .. "/.keras"
  return base:gsub("^~", home) .. "/" .. below
end

-- Where the file goes, and where its contents are extracted to.
local function places(folder, fname, origin, extracts)
  local name = fname or (local_path(origin) or origin):gsub("[?#].*$", ""):match "[^/]*$"
  if name == "" then
    errors.raise("get_file: %q has no name of a file in it; give `fname`", origin)
  end
  if name:find "/" then
    errors.raise("get_file: argument 'fname' should be a name without a folder, got %q; give "
      .. "`cache_dir`", name)
  end
  local path = folder .. "/" .. name
  if not extracts then return path end
  if fname and fname:find(".", 1, true) then
    return path, folder .. "/" .. fname:match "^[^.]*" .. "_extracted"
  end
  return path .. "_archive", path
end

--- The path of a file in the cache, where it is copied to from where it lies; extracted where that
-- is asked for.
-- @tparam[opt] string fname its name in the cache; by default that of `origin`
-- @tparam string origin a path, or a URL `file:///...`; one of the network is answered from the
-- cache alone
-- @tparam[opt=false] boolean untar the older name of `extract`
-- @tparam[opt] string md5_hash the older name of `file_hash`
-- @tparam[opt] string file_hash expected of the file, SHA-256 or MD5
-- @tparam[opt="datasets"] string cache_subdir folder below the cache's, or a whole path
-- @tparam[opt="auto"] string hash_algorithm "md5", "sha256", or "auto": by the hash's length
-- @tparam[opt=false] boolean extract whether a tar or zip archive is extracted
-- @param[opt="auto"] archive_format "tar", "zip", a list of them, or "auto": either
-- @tparam[opt] string cache_dir `KERAS_HOME`, or `~/.keras`, by default
-- @tparam[opt=false] boolean force_download whether the file is copied again
-- @treturn string the path of the file, or of the folder that it was extracted to
-- @raise where there is no such file, or it has another hash
-- @usage cusp.utils.get_file{origin = "file:///home/me/names.zip", extract = true}
function file.get_file(...)
  local args = bind(...)
  local origin, hash, algorithm = args.origin, args.file_hash, args.hash_algorithm
  if origin == nil then errors.raise "get_file: argument 'origin' is missing" end
  if args.md5_hash and not hash then hash, algorithm = args.md5_hash, "md5" end
  local folder = cache_folder(args.cache_dir, args.cache_subdir)
  local path, extracted = places(folder, args.fname, origin, args.extract or args.untar)
  local there = not args.force_download and files.exists(path)
    and (not hash or has_hash(path, hash, algorithm))
  if not there then obtain(origin, path, hash, algorithm) end
  if not extracted then return path end
  extract(path, extracted, args.untar and "tar" or args.archive_format)
  return extracted
end

return file
