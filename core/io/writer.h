#ifndef CUSP_IO_WRITER_H
#define CUSP_IO_WRITER_H
/*
 * Files that appear whole or not at all: written beside their place, synced, renamed. Whatever
 * happens in between, the old file stays as it was; a killed process leaves at most the hidden
 * file, whose name no reader looks for.
 */

#include "../base/status.h"

#include <stdint.h>

typedef struct cusp_writer cusp_writer;

/**
 * Opens a hidden file beside `path`, unique to this process. A symbolic link is followed, an
 * existing file's permissions are kept. CUSP_EIO where the folder is missing or cannot be written,
 * or `path` is a folder or a special file. *out is NULL on failure.
 */
CUSP_NODISCARD cusp_status cusp_writer_new(cusp_writer **out, const char *path);
/** Removes what was not committed. NULL is accepted; does nothing to the files of a forked
 * parent. */
void cusp_writer_free(cusp_writer *writer);

/** Before anything is written: the file will be read under its hidden name and never be committed,
 * so that its bytes need not reach the disk. */
void cusp_writer_lend(cusp_writer *writer);

/** Appends. After a failure the writer accepts nothing more. */
CUSP_NODISCARD cusp_status cusp_writer_write(cusp_writer *writer, const void *data, size_t bytes);
/** Writes at an offset, beyond the end too; what is appended later does not move. */
CUSP_NODISCARD cusp_status cusp_writer_write_at(cusp_writer *writer, uint64_t offset,
                                                const void *data, size_t bytes);
/** Where the next append goes. */
uint64_t cusp_writer_position(const cusp_writer *writer);
/** The hidden file's path, for libraries that write by name; they may replace it. Lent. */
const char *cusp_writer_temporary(const cusp_writer *writer);
const char *cusp_writer_path(const cusp_writer *writer);

/** Writes everything to the disk, under the hidden name still. */
CUSP_NODISCARD cusp_status cusp_writer_sync(cusp_writer *writer);
/** Renames a synced file over its place. The folder is not synced: several files may be placed
 * before it is. The writer is done after it. */
CUSP_NODISCARD cusp_status cusp_writer_place(cusp_writer *writer);
/** Syncs all files, then renames one after another over their places, then syncs the folders. The
 * writers are done after it. */
CUSP_NODISCARD cusp_status cusp_writer_commit(int count, cusp_writer *const *writers);

/**
 * Gives the file `from` the second name `to`, in place of the file that has it. CUSP_EUNSUPPORTED
 * where the file system cannot; nothing has changed then.
 */
CUSP_NODISCARD cusp_status cusp_link_over(const char *from, const char *to);

/** Writers of this process fail as on a full disk after `bytes` more bytes; 0: no more. For
 * tests. */
void cusp_writer_fail_after(uint64_t bytes);

#endif
