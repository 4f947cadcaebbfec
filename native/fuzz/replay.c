// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target over the files of a folder, once each: what was found before stays found, with
// any compiler and under any sanitizer. Usage: TARGET FOLDER

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *folder, const char *name) {
  char path[4096];
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rbe");
  long size = -1;
  if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
    abort();
  uint8_t *data = malloc((size_t)size + 1);
  rewind(file);
  if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size)
    abort();
  (void)fclose(file);
  (void)LLVMFuzzerTestOneInput(data, (size_t)size);
  free(data);
}

int main(int argc, char **argv) {
  DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
  if (folder == NULL)
    abort();
  int n = 0;
  for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
    if (entry->d_name[0] != '.') {
      replay(argv[1], entry->d_name);
      n++;
    }
  (void)closedir(folder);
  (void)printf("%d inputs\n", n);
  return n > 0 ? 0 : 1;
}
