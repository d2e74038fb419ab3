#include "scratch.h"

#include <pthread.h>
#include <stdatomic.h>

#define WORTH_TRIMMING ((size_t)1 << 20) /* bytes: below, the allocator may keep what is freed */

static void *_Atomic waiting; /* the block that nobody has borrowed, or NULL */
static cusp_scratch_user *users;
static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;

static void lock_users(void) { pthread_mutex_lock(&users_lock); }
static void unlock_users(void) { pthread_mutex_unlock(&users_lock); }
__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(lock_users, unlock_users, unlock_users);
}

void cusp_scratch_register(cusp_scratch_user *user, size_t bytes) {
  pthread_mutex_lock(&users_lock);
  *user = (cusp_scratch_user){users, &users, bytes};
  if (users)
    users->link = &user->next;
  users = user;
  pthread_mutex_unlock(&users_lock);
}

/* Takes the user out of the list; returns what the largest of the others needs. */
static size_t unlist(cusp_scratch_user *user) {
  size_t most = 0;
  pthread_mutex_lock(&users_lock);
  *user->link = user->next;
  if (user->next)
    user->next->link = user->link;
  user->link = NULL;
  for (const cusp_scratch_user *other = users; other; other = other->next)
    most = other->bytes > most ? other->bytes : most;
  pthread_mutex_unlock(&users_lock);
  return most;
}

void cusp_scratch_unregister(cusp_scratch_user *user) {
  if (!user->link)
    return;
  size_t most = unlist(user);
  void *block = atomic_exchange(&waiting, NULL);
  if (!block)
    return;
  size_t bytes = cusp_block_size(block);
  if (bytes / 2 < most) {
    cusp_scratch_return(block);
    return;
  }
  cusp_free(block);
  if (bytes >= WORTH_TRIMMING)
    cusp_memory_trim();
}

/* One block waits for all plans, since most programs run one plan at a time. */
cusp_status cusp_scratch_borrow(void **out, const cusp_scratch_user *user) {
  *out = atomic_exchange_explicit(&waiting, NULL, memory_order_acq_rel);
  if (*out && cusp_block_size(*out) >= user->bytes)
    return CUSP_OK;
  cusp_free(*out);
  return cusp_alloc(out, user->bytes);
}

void cusp_scratch_return(void *block) {
  void *other = block ? atomic_exchange_explicit(&waiting, block, memory_order_acq_rel) : NULL;
  if (!other)
    return;
  if (cusp_block_size(other) > cusp_block_size(block)) /* the larger one waits */
    other = atomic_exchange_explicit(&waiting, other, memory_order_acq_rel);
  cusp_free(other);
}
