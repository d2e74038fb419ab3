--- Libraries that only some programs need, loaded on demand.
-- @module cusp.base.native
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local native = {}

-- The Debian packages behind each module: for running, and for building.
local packages = {
  cairo = {"libcairo2", "libcairo2-dev"},
  hdf5 = {"libhdf5-103-1", "libhdf5-dev"},
  images = {"libpng16-16 libjpeg62-turbo", "libpng-dev libjpeg62-turbo-dev"},
  mpi = {"libopenmpi3 openmpi-bin", "libopenmpi-dev"},
  png = {"libpng16-16", "libpng-dev"},
  protobuf = {"libprotobuf-c1", "libprotobuf-c-dev protobuf-c-compiler"},
  zip = {"libzip4", "libzip-dev"},
  zlib = {"zlib1g", "zlib1g-dev"},
  zmq = {"libzmq5 libnettle8", "libzmq3-dev nettle-dev"},
}

--- The module `cusp.native.NAME`.
-- @tparam string name the folder of `bindings/`
-- @tparam string what the feature that needs it, for the message: "history:plot"
-- @treturn table
-- @raise if it cannot be loaded, naming the packages
function native.load(name, what)
  local ok, found = engine.attempt(require, "cusp.native." .. name)
  if ok then return found end
  local why = found:match "^module .- not found" and "it was not built"
    or found:match "[^%s][^\n]*$"
  local package = packages[name]
  errors.raise("%s needs cusp.native.%s, which cannot be loaded: %s%s", what, name, why,
    package and ("; install %s (to build it: %s, then make)"):format(package[1], package[2])
    or "; build it with make")
end

return native
