/*
 * A driver of libhdf5 that reads one descriptor. Whatever a file says of other files (external
 * links and data, virtual datasets, family members), this driver opens nothing else.
 */
#include "native.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ONLY_NAME "the file"

typedef struct read_file {
  H5FD_t base; /* first: libhdf5 keeps its fields here */
  haddr_t end_of_addresses, end_of_file;
} read_file;

static int open_descriptor = -1;
static bool noting_places;
static cusp_hdf5_place noted;

void cusp_hdf5_note_places(bool on) {
  noting_places = on;
  noted = (cusp_hdf5_place){0};
}

cusp_hdf5_place cusp_hdf5_noted_place(void) { return noted; }

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t properties, haddr_t largest) {
  static read_file file;
  struct stat info;
  (void)properties, (void)largest;
  if (strcmp(name, ONLY_NAME) != 0 || (flags & H5F_ACC_RDWR) || open_descriptor < 0 ||
      fstat(open_descriptor, &info) != 0)
    return NULL;
  file = (read_file){.end_of_file = (haddr_t)info.st_size};
  return &file.base;
}

static herr_t driver_close(H5FD_t *file) {
  (void)file;
  return 0;
}

static herr_t driver_query(const H5FD_t *file, unsigned long *flags) {
  (void)file;
  *flags = H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE;
  return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *file, H5FD_mem_t type) {
  (void)type;
  return ((const read_file *)file)->end_of_addresses;
}

static herr_t driver_set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t address) {
  (void)type;
  ((read_file *)file)->end_of_addresses = address;
  return 0;
}

static haddr_t driver_get_eof(const H5FD_t *file, H5FD_mem_t type) {
  (void)type;
  return ((const read_file *)file)->end_of_file;
}

/* As libhdf5's own drivers, zeros stand for what lies past the end of the file. */
static herr_t driver_read(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address,
                          size_t bytes, void *to) {
  char *next = to;
  (void)transfer, (void)file;
  if (type == H5FD_MEM_DRAW && noting_places) {
    noted = (cusp_hdf5_place){address, bytes, true};
    return 0;
  }
  if (address > INT64_MAX || bytes > INT64_MAX - address)
    return -1;
  while (bytes > 0) {
    ssize_t got = pread(open_descriptor, next, bytes, (off_t)address);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return -1;
    if (got == 0) {
      memset(next, 0, bytes);
      return 0;
    }
    next += got;
    address += (haddr_t)got;
    bytes -= (size_t)got;
  }
  return 0;
}

/* A driver must have one; files are opened for reading only. */
static herr_t driver_write(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address,
                           size_t bytes, const void *from) {
  (void)file, (void)type, (void)transfer, (void)address, (void)bytes, (void)from;
  return -1;
}

static const H5FD_class_t driver = {.name = "cusp_read",
                                    .maxaddr = INT64_MAX,
                                    .fc_degree = H5F_CLOSE_WEAK,
                                    .open = driver_open,
                                    .close = driver_close,
                                    .query = driver_query,
                                    .get_eoa = driver_get_eoa,
                                    .set_eoa = driver_set_eoa,
                                    .get_eof = driver_get_eof,
                                    .read = driver_read,
                                    .write = driver_write,
                                    .fl_map = H5FD_FLMAP_DICHOTOMY};

hid_t cusp_hdf5_open_descriptor(int descriptor) {
  hid_t id = H5FDregister(&driver), access = H5Pcreate(H5P_FILE_ACCESS);
  open_descriptor = descriptor;
  if (id < 0 || access < 0 || H5Pset_driver(access, id, NULL) < 0)
    return -1;
  return H5Fopen(ONLY_NAME, H5F_ACC_RDONLY, access);
}
