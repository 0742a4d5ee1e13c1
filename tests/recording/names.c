// Threads, and the process itself, call themselves something else before they make their calls.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <unistd.h>

static void *renamed(void *name) {
	struct tms tms;
	prctl(PR_SET_NAME, name);
	times(&tms);
	return 0;
}

int main(void) {
	pthread_t one, two;
	struct sysinfo info;
	pthread_create(&one, 0, renamed, "kworker/0:1");
	pthread_create(&two, 0, renamed, "runc:[2:INIT]");
	pthread_join(one, 0);
	pthread_join(two, 0);
	prctl(PR_SET_NAME, "bash");
	sysinfo(&info);
	puts("three other names");
	return 0;
}
