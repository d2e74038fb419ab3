--- Classes and functions of one's own in files: Keras has these in `saving` and in `utils`.
-- @module cusp.utils.objects
return require "cusp.saving.objects"
