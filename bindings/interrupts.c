/* See interrupts.h. */
#include "interrupts.h"

#include "raise.h"

#include "../core/base/threads.h"

#include <signal.h>
#include <time.h>

#define PATIENCE 0.3 /* seconds: one key press may come as two signals, to the process and to its group */

static lua_State *interrupted_state;
static volatile sig_atomic_t presses; /* since the count began */

static void stop(lua_State *L, lua_Debug *frame) {
  (void)frame;
  if (presses < 2)
    lua_sethook(L, NULL, 0, 0);
  else
    cusp_interrupt();
  cusp_lua_check_interrupt(L);
}

static double seconds_between(const struct timespec *from, const struct timespec *to) {
  return (double)(to->tv_sec - from->tv_sec) + 1e-9 * (double)(to->tv_nsec - from->tv_nsec);
}

static void on_interrupt(int signal_number) {
  static struct timespec last;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (presses > 0 && seconds_between(&last, &now) < PATIENCE)
    return;
  if (presses == 2 || (presses > 0 && cusp_interrupted())) {
    signal(signal_number, SIG_DFL);
    raise(signal_number);
  }
  last = now;
  presses++;
  cusp_interrupt();
  lua_sethook(interrupted_state, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* Without SA_RESTART: reading a line ends, so that the prompt sees it. */
void cusp_catch_interrupts(lua_State *L) {
  interrupted_state = L;
  struct sigaction action = {.sa_handler = on_interrupt};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
}

void cusp_forget_interrupts(lua_State *L) {
  presses = 0;
  cusp_interrupt_take();
  if (lua_gethook(L) == stop)
    lua_sethook(L, NULL, 0, 0);
}
