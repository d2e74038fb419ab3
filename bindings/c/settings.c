/* What holds for the whole process: memory, threads, the interrupt. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ memory */

static void *allocate_by_libc(void *data, size_t bytes, size_t alignment) {
  (void)data;
  void *block = NULL;
  return posix_memalign(&block, alignment, bytes) == 0 ? block : NULL;
}

static void release_to_libc(void *data, void *block, size_t bytes) {
  (void)data;
  (void)bytes;
  free(block);
}

static cusp_allocator allocator = {allocate_by_libc, release_to_libc, NULL};

CUSP_API cusp_result cusp_set_allocator(const cusp_allocator *given) {
  if (!given || !given->allocate || !given->release)
    return cusp_c_fail(CUSP_ERROR_VALUE, "cusp_set_allocator: expected two functions, got NULL");
  cusp_memory_source source = {given->allocate, given->release, given->data};
  cusp_status status = cusp_memory_set_source(&source);
  if (status != CUSP_OK)
    return cusp_c_fail_engine(status, "cusp_set_allocator");
  allocator = *given;
  return CUSP_SUCCESS;
}

CUSP_API uint64_t cusp_memory_in_use(void) { return cusp_memory_live(); }

void *cusp_c_lua_alloc(void *data, void *block, size_t old_bytes, size_t bytes) {
  (void)data;
  if (allocator.allocate == allocate_by_libc) {
    if (bytes)
      return realloc(block, bytes);
    free(block);
    return NULL;
  }
  void *moved = bytes ? allocator.allocate(allocator.data, bytes, sizeof(max_align_t)) : NULL;
  if (block && moved)
    memcpy(moved, block, old_bytes < bytes ? old_bytes : bytes);
  if (block && (moved || !bytes))
    allocator.release(allocator.data, block, old_bytes);
  return moved;
}

/* ------------------------------------------------------------------ threads, folders */

CUSP_API cusp_result cusp_set_threads(int count) {
  cusp_status status = cusp_set_num_threads(count);
  return status == CUSP_OK ? CUSP_SUCCESS : cusp_c_fail_engine(status, "cusp_set_threads");
}

CUSP_API int cusp_get_threads(void) { return cusp_get_num_threads(); }

CUSP_API cusp_result cusp_set_library_dir(const char *folder) {
  if (!folder)
    return cusp_c_fail(CUSP_ERROR_VALUE, "cusp_set_library_dir: expected a folder, got NULL");
  cusp_status status = cusp_library_set_place(folder);
  return status == CUSP_OK ? CUSP_SUCCESS : cusp_c_fail_engine(status, "cusp_set_library_dir");
}

/* ------------------------------------------------------------------ the interrupt */

static atomic_bool interrupted;

CUSP_API void cusp_set_interrupt(int value) {
  atomic_store(&interrupted, value != 0);
  if (value)
    cusp_interrupt();
  else
    cusp_interrupt_take();
}

bool cusp_c_interrupted(void) { return atomic_load_explicit(&interrupted, memory_order_relaxed); }

cusp_result cusp_c_check_interrupt(const char *what) {
  return cusp_c_interrupted() ? cusp_c_fail(CUSP_ERROR_INTERRUPTED, "%s: interrupted!", what)
                              : CUSP_SUCCESS;
}
