/*
 * Frees wolfCrypt's table of points when its thread ends. A build of wolfCrypt without such tables
 * needs nothing.
 */
#include "point_cache.h"

#include <stddef.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/ecc.h>

#if defined(FP_ECC) && defined(HAVE_THREAD_LS)
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_made;

static void thread_ends(void *mark)
{
    (void)mark;
    wc_ecc_fp_free();
}

static void make_key(void)
{
    key_made = pthread_key_create(&key, thread_ends) == 0;
}

void serin_point_cache_adopt(void)
{
    static const char mark = 0;
    (void)pthread_once(&once, make_key);
    /* Without a key, or without room for the mark, the table is merely not freed. */
    if (key_made && pthread_getspecific(key) == NULL) {
        (void)pthread_setspecific(key, &mark);
    }
}

#else

void serin_point_cache_adopt(void)
{
}

#endif
