/*
 * A driver of libhdf5 that keeps a new file in pages of memory. What libhdf5 writes is small (the
 * numbers of the datasets are put into the file by its caller), and a full disk is then met outside
 * of libhdf5, which does not survive failing writes.
 */
#include "native.h"

#include <stdlib.h>
#include <string.h>

#define PAGE ((size_t)1 << 14)

/** Which bytes were written is kept, since what lies between them is the caller's. */
typedef struct page {
  unsigned char bytes[PAGE], written[PAGE];
} page;

struct cusp_hdf5_pages {
  page **pages; /* NULL where nothing was written */
  size_t count;
  haddr_t end_of_addresses;
  cusp_hdf5_place noted;
  bool noting, failed;
};

typedef struct write_file {
  H5FD_t base; /* first: libhdf5 keeps its fields here */
  cusp_hdf5_pages *pages;
} write_file;

/* ------------------------------------------------------------------ pages */

cusp_hdf5_pages *cusp_hdf5_pages_new(void) { return calloc(1, sizeof(cusp_hdf5_pages)); }

void cusp_hdf5_pages_free(cusp_hdf5_pages *pages) {
  if (!pages)
    return;
  for (size_t i = 0; i < pages->count; i++)
    free(pages->pages[i]);
  free(pages->pages);
  free(pages);
}

bool cusp_hdf5_pages_failed(const cusp_hdf5_pages *pages) { return pages->failed; }
uint64_t cusp_hdf5_pages_end(const cusp_hdf5_pages *pages) { return pages->end_of_addresses; }
cusp_hdf5_place cusp_hdf5_pages_noted_place(const cusp_hdf5_pages *pages) { return pages->noted; }

void cusp_hdf5_pages_note_places(cusp_hdf5_pages *pages, bool on) {
  pages->noting = on;
  pages->noted = (cusp_hdf5_place){0};
}

/* Page `index`, a new one of zeros if needed; NULL without memory. */
static page *page_at(cusp_hdf5_pages *pages, size_t index) {
  if (index >= pages->count) {
    size_t count = index + index / 2 + 64;
    page **grown = realloc(pages->pages, count * sizeof *grown);
    if (!grown)
      return NULL;
    memset(grown + pages->count, 0, (count - pages->count) * sizeof *grown);
    pages->pages = grown;
    pages->count = count;
  }
  if (!pages->pages[index])
    pages->pages[index] = calloc(1, sizeof(page));
  return pages->pages[index];
}

const void *cusp_hdf5_pages_next(const cusp_hdf5_pages *pages, uint64_t *offset, size_t *bytes) {
  size_t within = (size_t)(*offset % PAGE);
  for (size_t index = (size_t)(*offset / PAGE); index < pages->count; index++, within = 0) {
    const page *p = pages->pages[index];
    const unsigned char *start = p ? memchr(p->written + within, 1, PAGE - within) : NULL;
    if (!start)
      continue;
    within = (size_t)(start - p->written);
    const unsigned char *end = memchr(start, 0, PAGE - within);
    *offset = (uint64_t)index * PAGE + within;
    *bytes = end ? (size_t)(end - start) : PAGE - within;
    return p->bytes + within;
  }
  return NULL;
}

/* ------------------------------------------------------------------ the driver */

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t properties, haddr_t largest) {
  cusp_hdf5_pages *const *pages = H5Pget_driver_info(properties);
  write_file *file = pages ? calloc(1, sizeof *file) : NULL;
  (void)name, (void)flags, (void)largest;
  if (!file)
    return NULL;
  file->pages = *pages;
  return &file->base;
}

static herr_t driver_close(H5FD_t *file) {
  free(file);
  return 0;
}

/* Metadata are gathered in blocks, as in files that h5py writes. */
static herr_t driver_query(const H5FD_t *file, unsigned long *flags) {
  (void)file;
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *file, H5FD_mem_t type) {
  (void)type;
  return ((const write_file *)file)->pages->end_of_addresses;
}

static herr_t driver_set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t address) {
  (void)type;
  ((write_file *)file)->pages->end_of_addresses = address;
  return 0;
}

static haddr_t driver_get_eof(const H5FD_t *file, H5FD_mem_t type) {
  return driver_get_eoa(file, type);
}

static herr_t driver_read(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address,
                          size_t bytes, void *to) {
  const cusp_hdf5_pages *pages = ((write_file *)file)->pages;
  unsigned char *next = to;
  (void)type, (void)transfer;
  while (bytes > 0) {
    size_t index = (size_t)(address / PAGE), within = (size_t)(address % PAGE),
           piece = bytes < PAGE - within ? bytes : PAGE - within;
    if (index < pages->count && pages->pages[index])
      memcpy(next, pages->pages[index]->bytes + within, piece);
    else
      memset(next, 0, piece);
    next += piece;
    address += piece;
    bytes -= piece;
  }
  return 0;
}

static herr_t driver_write(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address,
                           size_t bytes, const void *from) {
  cusp_hdf5_pages *pages = ((write_file *)file)->pages;
  const unsigned char *next = from;
  (void)transfer;
  if (type == H5FD_MEM_DRAW && pages->noting) {
    pages->noted = (cusp_hdf5_place){address, bytes, true};
    return 0;
  }
  while (bytes > 0 && !pages->failed) {
    size_t within = (size_t)(address % PAGE), piece = bytes < PAGE - within ? bytes : PAGE - within;
    page *to = page_at(pages, (size_t)(address / PAGE));
    pages->failed = !to;
    if (to) {
      memcpy(to->bytes + within, next, piece);
      memset(to->written + within, 1, piece);
    }
    next += piece;
    address += piece;
    bytes -= piece;
  }
  return 0;
}

static const H5FD_class_t driver = {.name = "cusp_write",
                                    .maxaddr = INT64_MAX,
                                    .fc_degree = H5F_CLOSE_STRONG,
                                    .fapl_size = sizeof(cusp_hdf5_pages *),
                                    .open = driver_open,
                                    .close = driver_close,
                                    .query = driver_query,
                                    .get_eoa = driver_get_eoa,
                                    .set_eoa = driver_set_eoa,
                                    .get_eof = driver_get_eof,
                                    .read = driver_read,
                                    .write = driver_write,
                                    .fl_map = H5FD_FLMAP_DICHOTOMY};

hid_t cusp_hdf5_create_on(cusp_hdf5_pages *pages) {
  static hid_t id = -1;
  if (id < 0)
    id = H5FDregister(&driver);
  hid_t access = H5Pcreate(H5P_FILE_ACCESS), file = -1;
  if (id >= 0 && access >= 0 && H5Pset_driver(access, id, &pages) >= 0)
    file = H5Fcreate("new", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  H5Pclose(access);
  return file;
}
