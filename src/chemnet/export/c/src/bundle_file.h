/* The weight file: a header, a table of named arrays, and the arrays; checked whole when it is opened. */
#ifndef CHEMNET_BUNDLE_FILE_H
#define CHEMNET_BUNDLE_FILE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const unsigned char *bytes;
    size_t size;
    uint64_t n_arrays;
    void *owned; /* to be freed; NULL where the caller keeps the bytes */
} bundle_file;

typedef struct {
    const void *values;
    size_t count; /* of numbers, or bytes of text */
    uint64_t shape[2];
} bundle_array;

typedef enum { FLOATS = 0, DOUBLES = 1, INTEGERS = 2, TEXT = 3 } array_kind;

int chemnet_bundle_open(const char *path, bundle_file *file);
int chemnet_bundle_open_memory(const void *bytes, size_t size, bundle_file *file);
void chemnet_bundle_close(bundle_file *file);
/* Returns 0 where there is no array of this name and kind; *array is then empty. */
int chemnet_bundle_find(const bundle_file *file, const char *name, array_kind kind, bundle_array *array);

#endif
