#define _GNU_SOURCE
#include "onednn.h"

#include "../base/status.h"

#include <dlfcn.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cusp_onednn *table;
static char failure[512] = "onednn.so was not found";
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool try_load(const char *directory, const char *rest) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s/%sonednn.so", directory, rest) >= (int)sizeof path)
    return false;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    if (reason && !strstr(reason, "cannot open shared object file: No such file"))
      snprintf(failure, sizeof failure, "%s", reason);
    return false;
  }
  const cusp_onednn *found = dlsym(library, CUSP_ONEDNN_SYMBOL);
  if (found && found->version == CUSP_ONEDNN_VERSION) {
    table = found;
    return true;
  }
  snprintf(failure, sizeof failure, "%.400s belongs to another version", path);
  dlclose(library);
  return false;
}

/** Directory of the executable or shared object that this code is in. */
static bool own_directory(char *directory, size_t bytes) {
  Dl_info info;
  char real[4096];
  if (!dladdr((void *)&own_directory, &info) || !info.dli_fname)
    return false;
  /* of a program, dladdr gives argv[0], which need not be a path */
  const char *name = strchr(info.dli_fname, '/') ? info.dli_fname : "/proc/self/exe";
  if (!realpath(name, real) && !realpath("/proc/self/exe", real))
    return false;
  return snprintf(directory, bytes, "%s", dirname(real)) < (int)bytes;
}

/* CUSP_LIBRARY_DIR; beside this code (engine.so); where the build and `make install` put it, as seen from the program. */
static void load(void) {
  static const char *const places[] = {"", "lib/cusp/", "../lib/cusp/", "../lib/lua/5.4/cusp/"};
  char directory[4096];
  const char *given = getenv("CUSP_LIBRARY_DIR");
  if (given && try_load(given, ""))
    return;
  if (!own_directory(directory, sizeof directory))
    return;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (try_load(directory, places[i]))
      return;
}

const cusp_onednn *cusp_onednn_load(void) {
  pthread_once(&once, load);
  if (!table)
    cusp_fail(CUSP_EBACKEND, "oneDNN is not available (Debian package libdnnl2): %s", failure);
  return table;
}
