/*
 * Additions to libcyaml's schema macros for the loaders in this folder.
 */
#ifndef SERIN_YAML_FIELDS_H
#define SERIN_YAML_FIELDS_H

#include <cyaml/cyaml.h>

/* libcyaml's own boolean takes any word it does not know for false; this one knows true and false
 * and refuses others. The member is a bool. */
extern const cyaml_strval_t yaml_truth[2];
#define YAML_FIELD_BOOL(key_, flags_, structure_, member_) \
    CYAML_FIELD_ENUM(key_, (flags_) | CYAML_FLAG_STRICT, structure_, member_, yaml_truth, 2)

/* The same behind a pointer, NULL where the key is absent: for a default of true. The member is a
 * bool *. */
#define YAML_FIELD_BOOL_PTR(key_, flags_, structure_, member_)                                \
    CYAML_FIELD_ENUM_PTR(key_, (flags_) | CYAML_FLAG_STRICT | CYAML_FLAG_POINTER, structure_, \
                         member_, yaml_truth, 2)

/* A text of min_ .. max_ characters behind a pointer that is NULL where an optional key is absent.
 */
#define YAML_FIELD_TEXT(key_, flags_, structure_, member_, min_, max_) \
    CYAML_FIELD_STRING_PTR(key_, (flags_) | CYAML_FLAG_POINTER, structure_, member_, min_, max_)

/* A whole number, as the text that serin_yaml_number() reads: libcyaml's own number takes 0x10 for
 * 16, 010 for 8, 1.5 for 1 and -1 for the largest. */
#define YAML_FIELD_NUMBER(key_, flags_, structure_, member_) \
    YAML_FIELD_TEXT(key_, flags_, structure_, member_, 1, 32)

#endif
