/* A WordNet of a few words. */
#ifndef CLIPCORE_TESTS_WORDNET_H
#define CLIPCORE_TESTS_WORDNET_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *part, *letter, *synsets[5], *exceptions; } words[] = {
    {"noun", "n", {"child kid", "dog hound", "man_of_war Physalia"}, "children child\n"},
    {"verb", "v", {"buy purchase", "consume eat", "run_along sprint", "stop halt"},
     "ate eat\nbought buy\neaten eat\nrunning run\nstopped stop\nstopping stop\n"},
    {"adj", "a", {"big large(p)", "glad happy"}, "bigger big\nhappier happy\ngladder glad\n"},
    {"adv", "r", {"fast quickly"}, ""}};

typedef struct { char word[32]; long offset; } listed;
static int by_word(const void *a, const void *b) { return strcmp(((const listed *)a)->word, ((const listed *)b)->word); }

static FILE *file_of(const char *folder, const char *name) {
  char path[200];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return fopen(path, "w");
}

/* Writes the words above to `folder` in the format of wndb(5WN). */
static void write_dictionary(const char *folder) {
  for (int part = 0; part < 4; part++) {
    char name[32];
    listed list[32];
    int count = 0;
    snprintf(name, sizeof name, "data.%s", words[part].part);
    FILE *data = file_of(folder, name);
    fputs("  1 A licence.  \n", data);
    for (int i = 0; i < 5 && words[part].synsets[i]; i++) {
      char copy[64], *rest = NULL, line[200] = "";
      long offset = ftell(data);
      int size = 0;
      strcpy(copy, words[part].synsets[i]);
      for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        strcat(strcat(line, word), " 0 ");
        snprintf(list[count].word, sizeof list->word, "%s", word);
        for (char *at = list[count].word; *at; at++) *at = *at == '(' ? 0 : *at >= 'A' && *at <= 'Z' ? *at + 32 : *at;
        list[count++].offset = offset, size++;
      }
      fprintf(data, "%08ld 03 %s %02x %s000 | gloss  \n", offset, words[part].letter, size, line);
    }
    fclose(data);
    qsort(list, count, sizeof *list, by_word);
    snprintf(name, sizeof name, "index.%s", words[part].part);
    FILE *index = file_of(folder, name);
    fputs("  1 A licence.  \n", index);
    for (int i = 0; i < count; i++) fprintf(index, "%s %s 1 1 @ 1 1 %08ld  \n", list[i].word, words[part].letter, list[i].offset);
    fclose(index);
    snprintf(name, sizeof name, "%s.exc", words[part].part);
    FILE *exceptions = file_of(folder, name);
    fputs(part == 2 ? "bigger big\ngladder glad\nhappier happy\n" : part == 3 ? "best well\n" : words[part].exceptions, exceptions);
    fclose(exceptions);
  }
}

#endif
