/* The hash by which rows of the operation table are found. */

#include "table.h"

#include <pthread.h>
#include <string.h>

static const cusp_op *slots[CUSP_TABLE_CAPACITY];
static pthread_once_t filled = PTHREAD_ONCE_INIT;

/* FNV-1a. */
static uint32_t hash_name(const char *name) {
  uint32_t hash = 2166136261u;
  for (; *name; name++)
    hash = (hash ^ (unsigned char)*name) * 16777619u;
  return hash;
}

/* The slot where `name` is, or the empty one where it would go. */
static int find_slot(const char *name) {
  uint32_t i = hash_name(name) & (CUSP_TABLE_CAPACITY - 1);
  while (slots[i] && strcmp(slots[i]->name, name) != 0)
    i = (i + 1) & (CUSP_TABLE_CAPACITY - 1);
  return (int)i;
}

static void fill(void) {
  int count = 0;
  for (const cusp_op *const *family = cusp_op_families; *family; family++)
    for (const cusp_op *op = *family; op->name; op++) {
      int slot = find_slot(op->name);
      cusp_assert(!slots[slot] && count < CUSP_TABLE_CAPACITY / 2);
      if (slots[slot] || count >= CUSP_TABLE_CAPACITY / 2)
        continue;
      slots[slot] = op;
      count++;
    }
}

int cusp_op_slot(const char *name) {
  pthread_once(&filled, fill);
  int slot = find_slot(name);
  return slots[slot] ? slot : -1;
}

const cusp_op *cusp_op_find(const char *name) {
  int slot = cusp_op_slot(name);
  return slot < 0 ? NULL : slots[slot];
}
