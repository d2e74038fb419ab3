rockspec_format = "3.0"
package = "cusp"
version = "scm-1"
source = {url = "git+file://."}
description = {
  summary = "Deep learning for Lua: Keras's interface over a C engine",
  detailed = [[
Tensors, gradients, layers, models and training in Lua 5.4, with Keras's names and meaning. Needs OpenBLAS, oneDNN, SLEEF,
HDF5 and others; docs/install.md and scripts/install-dependencies name the Debian packages.]],
  license = "MIT",
}
dependencies = {"lua ~> 5.4"}
build = {
  type = "make",
  build_variables = {CC = "$(CC)", LUA_CFLAGS = "-I$(LUA_INCDIR)"},
  install_variables = {
    CC = "$(CC)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
    PREFIX = "$(PREFIX)",
    LUADIR = "$(LUADIR)",
    LIBDIR = "$(LIBDIR)",
    BINDIR = "$(BINDIR)",
    DOCDIR = "$(PREFIX)/doc",
    ARCHIVEDIR = "$(PREFIX)/archive",
  },
}
