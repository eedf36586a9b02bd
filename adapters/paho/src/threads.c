/*
 * Waits for Paho's threads.
 *
 * Paho 1.3.12 starts two detached threads with its first client and tells them to end with its
 * last. It waits until they say so, but not until they are gone: a process that ends in that moment
 * ends under them, and what they were giving back is reported as lost. They are known by their
 * names.
 */
#include "client.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_STEP_MS 2
#define WAIT_STEPS   500 /* a second; a thread that hangs must not hang its process */

static bool is_pahos(const char *task)
{
    char path[300];
    char name[32] = "";

    (void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool read = fgets(name, sizeof(name), file) != NULL;
    (void)fclose(file);
    return read && strncmp(name, "MQTTAsync_", 10) == 0;
}

static bool any_left(void)
{
    DIR *tasks = opendir("/proc/self/task");
    bool found = false;

    if (tasks == NULL) {
        return false;
    }
    for (struct dirent *entry = readdir(tasks); entry != NULL && !found; entry = readdir(tasks)) {
        found = entry->d_name[0] != '.' && is_pahos(entry->d_name);
    }
    (void)closedir(tasks);
    return found;
}

void threads_await(void)
{
    const struct timespec moment = {.tv_nsec = WAIT_STEP_MS * 1000000L};

    for (int i = 0; i < WAIT_STEPS && any_left(); i++) {
        (void)nanosleep(&moment, NULL);
    }
}
