--- User-defined classes and functions in files: Keras has these in both `saving` and `utils`.
-- @module cusp.utils.objects
return require "cusp.saving.objects"
