--- Files of a directory with their classes, for `image_dataset_from_directory` and
-- `text_dataset_from_directory`.
-- @module cusp.utils.directory
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local random_state = require "cusp.utils.random_state"

local directory = {}

---------------------------------------------------------------- arguments

--- Checks the common arguments of the two functions by Keras's rules.
-- @tparam string owner
-- @tparam table options
function directory.check(owner, options)
  local labels = options.labels
  if labels ~= "inferred" and labels ~= nil then
    if type(labels) ~= "table" and not engine.is_tensor(labels) then
      errors.raise(
        "%s: labels should be \"inferred\" (from the names of the subdirectories), a list of "
        .. "integers, one for each file in the "
        .. "order of their paths, or cusp.null for none; got %s", owner, errors.describe(labels))
    end
    if options.class_names then
      errors.raise("%s: class_names requires labels = \"inferred\"", owner)
    end
  end
  local split, subset = options.validation_split, options.subset
  if split and (split <= 0 or split >= 1) then
    errors.raise("%s: validation_split should be between 0 and 1, got %s", owner,
      plain.tostring(split))
  end
  if (split ~= nil) ~= (subset ~= nil) then
    errors.raise("%s: subset and validation_split should be given together", owner)
  end
  if split and options.shuffle and not options.seed then
    errors.raise(
      "%s: if validation_split is used and the data are shuffled, a seed must be given, so that "
      .. "the training and the validation "
      .. "subset do not overlap", owner)
  end
end

---------------------------------------------------------------- files

local MOST_DEPTH = 64 -- of directories that links may lead to

local function join(path, name)
  if name == "" then return path end
  return path:sub(-1) == "/" and path .. name or path .. "/" .. name
end

-- All directories below `path`, including itself, as paths relative to it.
local function walk(path, relative, follow_links, out, depth)
  out[#out + 1] = relative
  if depth > MOST_DEPTH then
    errors.raise("%s: the directories are nested more than %d deep; do links form a cycle?", path,
      MOST_DEPTH)
  end
  for _, name in ipairs(engine.files.list(join(path, relative))) do
    local inner = relative == "" and name or relative .. "/" .. name
    local full = join(path, inner)
    if engine.files.is_directory(full) and (follow_links or not engine.data.is_link(full)) then
      walk(path, inner, follow_links, out, depth + 1)
    end
  end
  return out
end

local function has_format(name, formats)
  name = plain.lower(name)
  for _, format in ipairs(formats) do
    if #name > #format and name:sub(-#format) == format then return true end
  end
  return false
end

-- The files below a directory, in order of the names of their directories and their own.
local function files_below(path, formats, follow_links, out)
  local directories = walk(path, "", follow_links, {}, 0)
  plain.sort(directories)
  for _, relative in ipairs(directories) do
    local inside = join(path, relative)
    for _, name in ipairs(engine.files.list(inside)) do
      if has_format(name, formats) and not engine.files.is_directory(join(inside, name)) then
        out[#out + 1] = join(inside, name)
      end
    end
  end
  return out
end

local function class_directories(owner, path, class_names)
  local found, known = {}, {}
  for _, name in ipairs(engine.files.list(path)) do
    if name:sub(1, 1) ~= "." and engine.files.is_directory(join(path, name)) then
      found[#found + 1], known[name] = name, true
    end
  end
  for _, name in ipairs(class_names or {}) do
    if not known[name] then
      errors.raise(
        "%s: class_names should be names of the subdirectories of %s: expected %s (or some of "
        .. "them), got '%s'%s", owner, path,
        table.concat(found, ", "), plain.tostring(name), errors.suggestion(name, found))
    end
  end
  return class_names or found
end

local function sorted_labels(labels)
  local seen, list = {}, {}
  for _, label in ipairs(labels) do
    if not seen[label] then list[#list + 1], seen[label] = label, true end
  end
  plain.sort(list)
  for i, label in ipairs(list) do list[i] = plain.tostring(label) end
  return list
end

local function given_labels(owner, path, labels, files)
  local list = type(labels) == "table" and labels or labels:flat()
  if #list ~= #files then
    errors.raise("%s: there are %d labels, but %d files in %s; expected as many of each", owner,
      #list, #files, path)
  end
  return table.move(list, 1, #list, 1, {}), sorted_labels(list)
end

local function say(options, ...)
  if options.verbose then io.stdout:write((...):format(select(2, ...)), "\n") end
end

--- The files and their labels, optionally shuffled.
-- @tparam string owner
-- @tparam string path
-- @tparam table options `labels`, `class_names`, `formats`, `shuffle`, `seed`, `follow_links`,
-- `verbose`
-- @treturn {string,...} paths
-- @treturn ?{integer,...} labels
-- @treturn ?{string,...} class names
function directory.index(owner, path, options)
  if not engine.files.is_directory(path) then
    errors.raise("%s: %s is not a directory", owner, path)
  end
  local files, labels, class_names = {}, nil, nil
  if options.labels == "inferred" then
    class_names, labels = class_directories(owner, path, options.class_names), {}
    for i, name in ipairs(class_names) do
      local before = #files
      files_below(join(path, name), options.formats, options.follow_links, files)
      for k = before + 1, #files do labels[k] = i - 1 end
    end
  else
    files_below(path, options.formats, options.follow_links, files)
    if options.class_names then
      errors.raise("%s: class_names requires labels", owner)
    end
    if options.labels ~= nil then
      labels, class_names = given_labels(owner, path, options.labels, files)
    end
  end
  if labels then say(options, "Found %d files belonging to %d classes.", #files, #class_names)
  else say(options, "Found %d files.", #files) end
  if options.shuffle then
    random_state.shuffle(options.seed, files)
    if labels then random_state.shuffle(options.seed, labels) end
  end
  return files, labels, class_names
end

---------------------------------------------------------------- subsets

local function part(list, first, last) return list and table.move(list, first, last, 1, {}) end

--- The files and labels of one subset: "training", "validation", or all (nil).
function directory.subset(options, files, labels, subset)
  if not subset then return files, labels end
  local validation = math.floor(options.validation_split * #files)
  local training = #files - validation
  if subset == "training" then
    say(options, "Using %d files for training.", training)
    return part(files, 1, training), part(labels, 1, training)
  end
  say(options, "Using %d files for validation.", validation)
  return part(files, training + 1, #files), part(labels, training + 1, #files)
end

--- Labels as a tensor in the form of `label_mode`; nil without labels.
function directory.encode_labels(labels, label_mode, classes)
  if not labels or not label_mode then return nil end
  if label_mode == "int" then return engine.tensor(labels, {dtype = "int32"}) end
  if label_mode == "binary" then
    return engine.tensor(labels, {dtype = "float32", shape = {#labels, 1}})
  end
  return engine.ops.one_hot(engine.tensor(labels, {dtype = "int32"}), classes, -1, "float32")
end

--- Makes one dataset, or both.
-- @tparam string owner
-- @tparam table options
-- @tparam string what "images", for messages
-- @tparam function make makes a dataset from paths, labels and whether to shuffle
-- @return a Dataset, or with subset "both" two of them
function directory.datasets(owner, path, options, what, make)
  local files, labels, class_names = directory.index(owner, path, options)
  if options.label_mode == "binary" and #class_names ~= 2 then
    errors.raise("%s: with label_mode = \"binary\" there must be exactly 2 classes, got %d: %s",
      owner, #class_names,
      table.concat(class_names, ", "))
  end
  local function subset(name, shuffle)
    local own_files, own_labels = directory.subset(options, files, labels, name)
    if #own_files == 0 then
      errors.raise("%s: no %s%s found in directory %s; the formats are %s", owner,
        name and name .. " " or "", what, path,
        table.concat(options.formats, ", "))
    end
    local dataset = make(own_files,
      directory.encode_labels(own_labels, options.label_mode, class_names and #class_names),
      shuffle)
    rawset(dataset, "class_names", class_names)
    rawset(dataset, "file_paths", own_files)
    return dataset
  end
  if options.subset == "both" then
    return subset("training", options.shuffle), subset("validation", false)
  end
  return subset(options.subset, options.shuffle)
end

return directory
