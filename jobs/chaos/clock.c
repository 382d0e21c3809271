/* Moves the wall clock of the programs it is loaded into by the seconds in the first eight bytes of
 * the file that CHAOS_CLOCK names; other clocks stay as they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset;
static int64_t none;

__attribute__((constructor)) static void start(void) {
    offset = &none;
    char line[8192] = {0};
    int self = open("/proc/self/cmdline", O_RDONLY);
    if (self < 0) return;
    ssize_t length = read(self, line, sizeof line - 1);
    close(self);
    for (ssize_t i = 0; i < length; i++) if (!line[i]) line[i] = ' ';
    if (!strstr(line, "jobs.cli") && !strstr(line, "default_worker.py")) return;
    const char *path = getenv("CHAOS_CLOCK");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) return;
    void *at = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (at != MAP_FAILED) offset = at;
}

static int64_t moved(void) { return offset ? *offset : 0; }

int clock_gettime(clockid_t which, struct timespec *now) {
    int code = syscall(SYS_clock_gettime, which, now);
    if (!code && which == CLOCK_REALTIME) now->tv_sec += moved();
    return code;
}

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec exact;
    int code = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return code;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}

/* A deadline on the wall clock is the kernel's to keep, which does not know of the jump; one on the
 * monotonic clock is small. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                           const struct timespec *until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    struct timespec at = *until;
    if (at.tv_sec > 1000000000) at.tv_sec -= moved();
    return real(cond, mutex, &at);
}
