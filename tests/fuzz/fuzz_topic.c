/* Topics: what parses formats back to the same text, and lies in Serin's space. */
#include "fuzz.h"

#include <serin/topic.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';

    struct serin_topic topic;
    bool ours = serin_topic_ours(text);
    if (serin_topic_parse(text, &topic) == SERIN_OK) {
        char back[SERIN_TOPIC_MAX];
        serin_topic_format(&topic, back);
        SERIN_ASSERT(ours);
        SERIN_ASSERT(strcmp(back, text) == 0);
    } else {
        SERIN_ASSERT(topic.kind == SERIN_TOPIC_INVALID);
    }
    free(text);
    return 0;
}
