#define _GNU_SOURCE
#include "library.h"

#include <dlfcn.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct search {
  const char *name, *symbol;
  int version;
  char *failure;
  size_t failure_bytes;
} search;

static char place[4096]; /* given by the host; empty: none */

cusp_status cusp_library_set_place(const char *directory) {
  if (strlen(directory) >= sizeof place)
    return cusp_fail(CUSP_EVALUE, "the folder's name has %zu bytes; it may have %zu",
                     strlen(directory), sizeof place - 1);
  strcpy(place, directory);
  return CUSP_OK;
}

static const void *try_load(const search *s, const char *directory, const char *rest) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s/%s%s", directory, rest, s->name) >= (int)sizeof path)
    return NULL;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    if (reason && !strstr(reason, "cannot open shared object file: No such file"))
      snprintf(s->failure, s->failure_bytes, "%s", reason);
    return NULL;
  }
  const int *found = dlsym(library, s->symbol);
  if (found && *found == s->version)
    return found;
  snprintf(s->failure, s->failure_bytes, "%.400s belongs to another version", path);
  dlclose(library);
  return NULL;
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

const void *cusp_library_load(const char *name, const char *symbol, int version, char *failure,
                              size_t failure_bytes) {
  static const char *const places[] = {"", "cusp/", "lib/cusp/", "../lib/cusp/",
                                       "../lib/lua/5.4/cusp/"};
  search s = {name, symbol, version, failure, failure_bytes};
  char directory[4096];
  snprintf(failure, failure_bytes, "%s was not found", name);
  const char *given = getenv("CUSP_LIBRARY_DIR");
  const void *found = *place ? try_load(&s, place, "") : NULL;
  if (!found && given)
    found = try_load(&s, given, "");
  if (found || !own_directory(directory, sizeof directory))
    return found;
  for (size_t i = 0; !found && i < sizeof places / sizeof *places; i++)
    found = try_load(&s, directory, places[i]);
  return found;
}
