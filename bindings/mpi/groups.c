/* Groups of processes: those that hold the parts of one model, or that divide batches. */
#include "native.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_GROUPS = 256 };
static MPI_Comm groups[MOST_GROUPS];
static int count;

typedef struct group_job {
  cusp_mpi_job job;
  void *data; /* to be added up, or the room for all */
  size_t count;
  cusp_transport_type type;
  const void *own;
  size_t each; /* bytes */
  int colour, key;
} group_job;

/* ------------------------------------------------------------------ jobs */

static group_job *new_job(bool (*run)(cusp_mpi_job *job), char *message, size_t bytes) {
  group_job *g = calloc(1, sizeof *g);
  if (!g)
    snprintf(message, bytes, "rank %d: not enough memory", cusp_mpi_state.rank);
  else
    g->job.run = run;
  return g;
}

/* MPI may still know of a job that was given up, so that stays. */
static bool finish(group_job *g, char *message, size_t bytes) {
  cusp_mpi_submit(&g->job);
  bool done = cusp_mpi_wait(&g->job);
  if (!done)
    snprintf(message, bytes, "%s", g->job.message);
  else
    free(g);
  return done;
}

static bool find(int group, MPI_Comm *among, int *size, char *message, size_t bytes) {
  if (group < 0 || group >= count) {
    snprintf(message, bytes, "there is no group %d", group);
    return false;
  }
  *among = groups[group];
  MPI_Comm_size(*among, size);
  return true;
}

/* ------------------------------------------------------------------ sums */

static bool run_sum(cusp_mpi_job *job) {
  group_job *g = (group_job *)job;
  return cusp_mpi_add_up(job, g->data, g->count, g->type);
}

bool cusp_mpi_sum_group(int group, void *data, size_t n, cusp_transport_type type, char *message,
                        size_t bytes) {
  MPI_Comm among;
  int size;
  if (!find(group, &among, &size, message, bytes))
    return false;
  if (size == 1)
    return true;
  group_job *g = new_job(run_sum, message, bytes);
  if (!g)
    return false;
  g->job.among = among;
  g->data = data;
  g->count = n;
  g->type = type;
  snprintf(g->job.what, sizeof g->job.what, "a sum of %zu in group %d", n, group);
  return finish(g, message, bytes);
}

/* ------------------------------------------------------------------ gathering */

/* MPI counts in ints: what is long is counted in larger units. */
static bool run_gather(cusp_mpi_job *job) {
  group_job *g = (group_job *)job;
  int unit = 1;
  MPI_Datatype type;
  while (unit < 1 << 20 && g->each % ((size_t)unit * 2) == 0)
    unit *= 2;
  bool ok = g->each / (size_t)unit <= INT_MAX &&
            MPI_Type_contiguous(unit, MPI_BYTE, &type) == MPI_SUCCESS;
  if (ok) {
    int n = (int)(g->each / (size_t)unit);
    ok = MPI_Type_commit(&type) == MPI_SUCCESS &&
         MPI_Allgather(g->own, n, type, g->data, n, type, cusp_mpi_among(job)) == MPI_SUCCESS;
    MPI_Type_free(&type);
  }
  if (!ok)
    snprintf(job->message, sizeof job->message, "MPI could not gather %zu bytes of each process",
             g->each);
  return ok;
}

bool cusp_mpi_gather_group(int group, int size, const void *own, void *all, size_t each,
                           char *message, size_t bytes) {
  MPI_Comm among;
  int there;
  if (!find(group, &among, &there, message, bytes))
    return false;
  if (there != size) {
    snprintf(message, bytes, "the group %d has %d processes, not %d", group, there, size);
    return false;
  }
  group_job *g = new_job(run_gather, message, bytes);
  if (!g)
    return false;
  g->job.among = among;
  g->own = own;
  g->data = all;
  g->each = each;
  snprintf(g->job.what, sizeof g->job.what, "gathering %zu bytes in group %d", each, group);
  return finish(g, message, bytes);
}

/* ------------------------------------------------------------------ making groups */

static bool run_split(cusp_mpi_job *job) {
  group_job *g = (group_job *)job;
  if (MPI_Comm_split(MPI_COMM_WORLD, g->colour, g->key, &groups[count]) != MPI_SUCCESS) {
    snprintf(job->message, sizeof job->message, "MPI could not make a group of processes");
    return false;
  }
  MPI_Comm_set_errhandler(groups[count], MPI_ERRORS_RETURN);
  return true;
}

int cusp_mpi_split(lua_State *L) {
  char message[400] = "";
  int colour = (int)luaL_checkinteger(L, 1), key = (int)luaL_checkinteger(L, 2);
  if (count == MOST_GROUPS)
    return luaL_error(L, "there are %d groups of processes already", count);
  group_job *g = new_job(run_split, message, sizeof message);
  if (g) {
    g->colour = colour;
    g->key = key;
    snprintf(g->job.what, sizeof g->job.what, "making group %d", count);
  }
  if (!g || !finish(g, message, sizeof message))
    return luaL_error(L, "%s", message);
  lua_pushinteger(L, count++);
  return 1;
}

int cusp_mpi_set_sharers(lua_State *L) {
  int number = (int)luaL_optinteger(L, 1, -1);
  luaL_argcheck(L, number >= -1 && number < count, 1, "there is no such group");
  cusp_mpi_state.sharers = number < 0 ? MPI_COMM_WORLD : groups[number];
  return 0;
}
