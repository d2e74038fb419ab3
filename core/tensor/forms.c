/* Forms of weights (see forms.h). */
#include "forms.h"

#include "../base/memory.h"

#include <pthread.h>
#include <string.h>

#define BUCKETS 4096

struct cusp_form {
  cusp_form *next, **link; /* among those of the same bucket */
  int64_t references;
  bool filled;
  cusp_form_key key; /* the manner lies behind the struct */
  void *bytes;
};

static cusp_form *buckets[BUCKETS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t settled = PTHREAD_COND_INITIALIZER; /* a form was filled, or given up */

static void lock(void) { pthread_mutex_lock(&mutex); }
static void unlock(void) { pthread_mutex_unlock(&mutex); }
__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(lock, unlock, unlock); }

static bool same(const cusp_form_key *a, const cusp_form_key *b) {
  return a->stamp == b->stamp && a->offset == b->offset && a->manner_bytes == b->manner_bytes &&
         memcmp(a->manner, b->manner, a->manner_bytes) == 0;
}

static cusp_form **bucket(uint32_t stamp) { return &buckets[stamp % BUCKETS]; }

static void enter(cusp_form *form) {
  cusp_form **head = bucket(form->key.stamp);
  form->next = *head;
  form->link = head;
  if (*head)
    (*head)->link = &form->next;
  *head = form;
}

static void leave(cusp_form *form) {
  *form->link = form->next;
  if (form->next)
    form->next->link = form->link;
}

static cusp_form *find(const cusp_form_key *key) {
  for (cusp_form *form = *bucket(key->stamp); form; form = form->next)
    if (form->bytes && same(&form->key, key))
      return form;
  return NULL;
}

static cusp_status make(cusp_form **out, const cusp_form_key *key, size_t bytes) {
  cusp_form *form;
  CUSP_TRY(cusp_alloc_zeroed((void **)&form, sizeof *form + key->manner_bytes));
  cusp_status status = cusp_alloc(&form->bytes, bytes ? bytes : 1);
  if (status != CUSP_OK) {
    cusp_free(form);
    return status;
  }
  form->references = 1;
  form->key = *key;
  form->key.manner = memcpy(form + 1, key->manner, key->manner_bytes);
  enter(form);
  *out = form;
  return CUSP_OK;
}

cusp_status cusp_form_get(cusp_form **out, const cusp_form_key *key, size_t bytes, bool *fill) {
  lock();
  cusp_status status = CUSP_OK;
  *out = find(key);
  while (*out && !(*out)->filled) {
    pthread_cond_wait(&settled, &mutex);
    *out = find(key);
  }
  *fill = !*out;
  if (*out)
    (*out)->references++;
  else
    status = make(out, key, bytes);
  unlock();
  return status;
}

void cusp_form_filled(cusp_form *form) {
  lock();
  form->filled = true;
  pthread_cond_broadcast(&settled);
  unlock();
}

void *cusp_form_bytes(const cusp_form *form) { return form->bytes; }

void cusp_form_release(cusp_form *form) {
  if (!form)
    return;
  lock();
  const bool last = --form->references == 0;
  if (last)
    leave(form);
  if (!form->filled)
    pthread_cond_broadcast(&settled);
  unlock();
  if (!last)
    return;
  cusp_free(form->bytes);
  cusp_free(form);
}

void cusp_forms_forget(uint32_t stamp) {
  lock();
  for (cusp_form *form = *bucket(stamp); form; form = form->next)
    if (form->key.stamp == stamp) {
      cusp_free(form->bytes);
      form->bytes = NULL;
    }
  unlock();
}
