#ifndef CUSP_NODE_STATE_H
#define CUSP_NODE_STATE_H
/* What the graph modules of one thread share: the open traces and tapes, what is pending,
 * counters. */

#include "../base/collections.h"
#include "branch.h"
#include "carried.h"
#include "source.h"
#include "stats.h"
#include "tape.h"
#include "trace.h"

typedef struct cusp_profile cusp_profile;

struct cusp_tape {
  cusp_tape *outer;      /* the next recording tape that the running coroutine sees */
  cusp_tape *next_open;  /* the one opened before, whichever coroutine's */
  const void *coroutine; /* that opened it */
  int64_t number;        /* of this thread's tapes */
  /* the trace in which it was opened; nodes of other traces are not its business */
  const cusp_trace *within;
  bool recording, paused, watches_variables;
  cusp_node **nodes; /* recorded: a reference and a keep each */
  int n_nodes, nodes_capacity;
  cusp_map index;     /* of recorded nodes */
  cusp_map variables; /* those watched by hand */
  struct {
    cusp_variable *variable;
    cusp_node *node;
    int previous; /* reading of the same variable, or -1 */
  } * readings;
  int n_readings, readings_capacity;
  cusp_map latest; /* variable → its last reading */
};

/** What a variable is within one trace. */
typedef struct cusp_variable_binding {
  cusp_trace *trace;
  cusp_variable *variable;
  cusp_node *initial;                  /* a placeholder: the value when the plan starts */
  cusp_node *current;                  /* what it has been assigned since, or `initial` */
  struct cusp_variable_binding *outer; /* of the same variable in a trace around this one */
  struct cusp_variable_binding *next;  /* in the trace's list */
} cusp_variable_binding;

struct cusp_trace {
  int32_t references; /* one by the opener, one by each traced node */
  int32_t depth;
  bool open;
  bool suspends;         /* not a trace: within it those around it are not seen */
  bool trial;            /* for the types of what is made alone */
  bool any_size;         /* and sizes stand for unknown ones */
  cusp_trace *outer;     /* the next one that the running coroutine sees */
  cusp_trace *next_open; /* the one opened before, whichever coroutine's */
  const void *coroutine; /* that opened it */
  cusp_node **arguments;
  int n_arguments, arguments_capacity;
  cusp_variable_binding *bindings, **last_binding;
  int n_bindings;
};

struct cusp_graph_state {
  /* innermost open one that the running coroutine sees, NULL: none or suspended */
  cusp_trace *trace;
  cusp_tape *tape;     /* innermost recording one that it sees */
  cusp_branch *branch; /* innermost open one */
  cusp_trace *open_traces;
  cusp_tape *open_tapes;
  int64_t tapes_made;
  const void *coroutine; /* the running one */
  bool (*is_active)(const void *coroutine);
  cusp_node *pending_first, *pending_last;
  uint64_t pending_nodes, pending_bytes;
  uint64_t nodes_limit, bytes_limit; /* past these, what is pending is evaluated */
  bool evaluating;
  void *plans; /* those that the evaluator keeps, and how they are freed */
  void (*free_plans)(void *plans);
  bool plans_keep_memory; /* plans made now run without allocating */
  cusp_origin origin;     /* of the nodes made next */
  const void *placed;     /* the coroutine that is in the origin's place and region */
  int32_t failed_place;   /* of the node whose run has failed last */
  cusp_profile *profile;  /* of the plans that run, NULL: nobody asked for one */
  cusp_graph_stats stats;
};

/** This thread's state; lent. */
cusp_graph_state *cusp_state(void);

#endif
