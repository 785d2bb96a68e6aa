#include "bundle_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../chemnet_surrogate.h"

#define MAGIC "CHEMNETS"
#define FORMAT 1u
#define BYTE_ORDER_MARK 0x01020304u
#define NAME_LENGTH 48

typedef struct {
    char magic[8];
    uint32_t format, byte_order;
    uint64_t size, n_arrays, checksum; /* of all that follows the header */
} file_header;

typedef struct {
    char name[NAME_LENGTH];
    uint64_t kind, shape[2], offset, n_bytes;
} array_entry;

static const size_t item_size[] = {sizeof(float), sizeof(double), sizeof(int64_t), 1};

/* FNV-1a over 64-bit words, the last one filled up with zeros */
static uint64_t checksum(const unsigned char *bytes, size_t size) {
    uint64_t sum = 0xcbf29ce484222325u;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, size - at < 8 ? size - at : 8);
        sum = (sum ^ word) * 0x100000001b3u;
        sum ^= sum >> 32;
    }
    return sum;
}

static array_entry entry_of(const bundle_file *file, uint64_t number) {
    array_entry entry;
    memcpy(&entry, file->bytes + sizeof(file_header) + number * sizeof entry, sizeof entry);
    return entry;
}

static int is_sound(const bundle_file *file, const array_entry *entry) {
    if (entry->kind > TEXT || entry->offset % 8 || memchr(entry->name, 0, NAME_LENGTH) == NULL) return 0;
    if (entry->offset > file->size || entry->n_bytes > file->size - entry->offset) return 0;
    if (entry->shape[1] && entry->shape[0] > SIZE_MAX / 8 / entry->shape[1]) return 0;
    return entry->n_bytes == entry->shape[0] * entry->shape[1] * item_size[entry->kind];
}

int chemnet_bundle_open_memory(const void *bytes, size_t size, bundle_file *file) {
    file_header header;
    memset(file, 0, sizeof *file);
    if (bytes == NULL) return CHEMNET_BAD_ARGUMENT;
    if (size < sizeof header || memcmp(bytes, MAGIC, 8) != 0) return CHEMNET_NOT_A_BUNDLE;
    memcpy(&header, bytes, sizeof header);
    if (header.byte_order != BYTE_ORDER_MARK || header.format != FORMAT) return CHEMNET_OTHER_FORMAT;
    if (header.size != size || header.n_arrays > (size - sizeof header) / sizeof(array_entry)) return CHEMNET_DAMAGED;
    file->bytes = bytes;
    file->size = size;
    file->n_arrays = header.n_arrays;
    if (checksum(file->bytes + sizeof header, size - sizeof header) != header.checksum) return CHEMNET_DAMAGED;
    for (uint64_t i = 0; i < header.n_arrays; i++) {
        const array_entry entry = entry_of(file, i);
        if (!is_sound(file, &entry)) return CHEMNET_DAMAGED;
    }
    return CHEMNET_OK;
}

int chemnet_bundle_open(const char *path, bundle_file *file) {
    memset(file, 0, sizeof *file);
    if (path == NULL) return CHEMNET_BAD_ARGUMENT;
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) return CHEMNET_NO_FILE;
    long size = -1;
    if (fseek(stream, 0, SEEK_END) == 0) size = ftell(stream);
    if (size < 0 || fseek(stream, 0, SEEK_SET) != 0) {
        fclose(stream);
        return CHEMNET_NO_FILE;
    }
    void *bytes = malloc(size ? (size_t)size : 1);
    const size_t read = bytes ? fread(bytes, 1, (size_t)size, stream) : 0;
    fclose(stream);
    int code = bytes == NULL ? CHEMNET_NO_MEMORY : read != (size_t)size ? CHEMNET_NO_FILE : CHEMNET_OK;
    if (code == CHEMNET_OK) code = chemnet_bundle_open_memory(bytes, (size_t)size, file);
    if (code != CHEMNET_OK) {
        free(bytes);
        memset(file, 0, sizeof *file);
        return code;
    }
    file->owned = bytes;
    return CHEMNET_OK;
}

void chemnet_bundle_close(bundle_file *file) {
    free(file->owned);
    memset(file, 0, sizeof *file);
}

int chemnet_bundle_find(const bundle_file *file, const char *name, array_kind kind, bundle_array *array) {
    memset(array, 0, sizeof *array);
    for (uint64_t i = 0; i < file->n_arrays; i++) {
        const array_entry entry = entry_of(file, i);
        if (strcmp(entry.name, name) != 0 || entry.kind != (uint64_t)kind) continue;
        array->values = file->bytes + entry.offset;
        array->count = (size_t)(entry.shape[0] * entry.shape[1]);
        array->shape[0] = entry.shape[0];
        array->shape[1] = entry.shape[1];
        return 1;
    }
    return 0;
}
