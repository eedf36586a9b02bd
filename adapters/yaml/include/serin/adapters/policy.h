/*
 * The rollout policy's YAML (docs/spec/policy.md), read into plain values and checked as far as the
 * file alone tells. Which releases it means is for the caller to find out: the file names them by
 * id, prefix or version.
 */
#ifndef SERIN_ADAPTERS_POLICY_H
#define SERIN_ADAPTERS_POLICY_H

#include <serin/adapters/yaml.h>
#include <serin/orchestrator/policy.h>

#define SERIN_POLICY_PREFIX_MIN 8u /* digits of a manifest id's prefix */

/* One entry of `releases`: a manifest by id or prefix, or a version. */
struct serin_policy_release {
    char manifest[SERIN_SHA256_HEX_SIZE]; /* lower case; "": the version rules */
    struct serin_version version;
    bool has_hardware; /* else the manifest's own range */
    uint16_t hw_min, hw_max;
};

struct serin_policy_file {
    struct serin_policy policy; /* all but the offers */
    size_t release_count;       /* 1 .. SERIN_DIRECTIVE_OFFERS_MAX */
    struct serin_policy_release releases[SERIN_DIRECTIVE_OFFERS_MAX];
    uint64_t from;               /* a halted rollout whose salt to use; 0: none */
    struct serin_yaml *document; /* for the lines of later complaints: serin_yaml_fail */
};

/* Reads a policy of `size` bytes; `name` stands for the file in errors. On success the caller
 * closes `file`. SERIN_ERR_CONFIG, SERIN_ERR_TOO_LARGE, SERIN_ERR_MEMORY: `error` says what and
 * where; nothing needs to be closed. */
SERIN_MUST_USE enum serin_error serin_policy_file_open(struct serin_policy_file *file,
                                                       const char *name, const void *text,
                                                       size_t size, struct serin_yaml_error *error);
void serin_policy_file_close(struct serin_policy_file *file);

/* Hundredths of a percent as the file says them: "0.01", "12.5", "100". */
#define SERIN_PERCENT_SIZE 12u
void serin_percent_format(uint32_t permyriad, char text[SERIN_PERCENT_SIZE]);

#endif
