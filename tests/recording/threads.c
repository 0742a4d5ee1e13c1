// Eight threads, each with a call of its own.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <unistd.h>

static void *call(void *which) {
	struct sysinfo info;
	struct tms tms;
	struct utsname name;
	struct rusage usage;
	unsigned cpu;
	gid_t groups[64];
	switch ((long)which) {
	case 0: sysinfo(&info); break;
	case 1: times(&tms); break;
	case 2: uname(&name); break;
	case 3: getrusage(RUSAGE_SELF, &usage); break;
	case 4: getgroups(64, groups); break;
	case 5: syscall(SYS_getcpu, &cpu, 0, 0); break;
	case 6: sync(); break;
	default: getsid(0); break;
	}
	return 0;
}

int main(void) {
	pthread_t threads[8];
	for (long i = 0; i < 8; i++) pthread_create(&threads[i], 0, call, (void *)i);
	for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
	puts("eight threads, eight calls");
	return 0;
}
