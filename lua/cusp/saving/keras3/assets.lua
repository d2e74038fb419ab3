--- The assets of Keras 3's archives: vocabularies as text files,
-- `assets/layers/string_lookup/vocabulary.txt`, one token per line. Cusp's layers store theirs in
-- the configuration, which Keras also reads, so assets are only read.
-- @module cusp.saving.keras3.assets
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local keras3_paths = require "cusp.saving.shared.paths"

local assets = {}

--- Loads the assets of an archive into the layers of a model.
-- @tparam table source `path`; `has(name)`; `text(name)`
-- @tparam Model model
-- @raise naming the archive and the member that a layer cannot use
function assets.load(source, model)
  for _, part in ipairs(keras3_paths.of(model, false)) do
    local name = ("assets/%s/vocabulary.txt"):format(part.path)
    if part.kind == "layer" and part.object.load_vocabulary and source.has(name) then
      local ok, message = engine.attempt(part.object.load_vocabulary, part.object,
        source.text(name))
      if not ok then
        errors.raise("load_model: %s: %s: %s", source.path, name, tostring(message))
      end
    end
  end
end

return assets
