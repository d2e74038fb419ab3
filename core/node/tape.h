#ifndef CUSP_NODE_TAPE_H
#define CUSP_NODE_TAPE_H
/* Tapes: what was computed, kept so that gradients can be asked afterwards. */

#include "variable.h"

/**
 * Keeps what is computed from watched nodes while it records, so that gradients can be asked
 * afterwards. What was computed before, while paused, or within another trace is not on it, and
 * gradients do not flow through that.
 */
typedef struct cusp_tape cusp_tape;
/** Starts recording; tapes nest. With `watches_variables`, trainable variables are watched as they
 * are read. */
CUSP_NODISCARD cusp_status cusp_tape_new(cusp_tape **out, bool watches_variables);
/** Marks a node, so that operations on it are recorded. */
CUSP_NODISCARD cusp_status cusp_tape_watch(cusp_tape *tape, cusp_node *node);
/** How many tapes this thread has made. */
int64_t cusp_tape_count(void);
/** Closes the running coroutine's tapes that were made after as many. */
void cusp_tape_close_after(int64_t count);
/** Whether a tape records, paused or not. */
bool cusp_recording(void);
void cusp_tape_pause(cusp_tape *tape, bool paused);
/** As cusp_gradients, along what the tape recorded: NULL for sources that it did not record. */
CUSP_NODISCARD cusp_status cusp_tape_gradients(const cusp_tape *tape, cusp_node **gradients,
                                               int n_targets, cusp_node *const *targets,
                                               cusp_node *const *cotangents, int n_sources,
                                               cusp_node *const *sources);
void cusp_tape_free(cusp_tape *tape); /* closes first; NULL accepted */

/** Records each reading of `variable` from now on, trainable or not. */
CUSP_NODISCARD cusp_status cusp_tape_watch_variable(cusp_tape *tape, cusp_variable *variable);
/** The nodes that `variable` had when read while `tape` recorded, `count` of them; for gradients
 * with respect to variables. Lent. */
int cusp_tape_count_readings(const cusp_tape *tape, const cusp_variable *variable);
void cusp_tape_readings(const cusp_tape *tape, const cusp_variable *variable, int count,
                        cusp_node **nodes);

/* called where nodes are made and variables read: */
/** Records a new node on the tapes that recorded one of its inputs. */
CUSP_NODISCARD cusp_status cusp_tape_record(cusp_node *node);
/** Records on the tapes that watch `variable` that it was read as `node`. */
CUSP_NODISCARD cusp_status cusp_tape_record_reading(cusp_variable *variable, cusp_node *node);

#endif
