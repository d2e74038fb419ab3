--- The native module, which loads libhdf5 when the first file is opened.
-- @module cusp.formats.hdf5.library
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local ok, library = engine.attempt(require, "cusp.native.hdf5")
if not ok then errors.raise("hdf5: libhdf5 is needed (Debian: libhdf5-103-1): %s", library) end
return library
