/* Replaces itself five times, by turns through execve and execveat, and calls something else each time. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int step = argc > 1 ? atoi(argv[1]) : 0;
	struct rusage usage;
	struct tms now;
	switch (step) {
	case 0: getsid(0); break;
	case 1: getpriority(PRIO_PROCESS, 0); break;
	case 2: getrusage(RUSAGE_SELF, &usage); break;
	case 3: times(&now); break;
	case 4: getpgid(0); break;
	default: sync(); return 0;
	}
	char next[2] = { '1' + step, 0 };
	char *args[] = { argv[0], next, NULL };
	char *env[] = { NULL };
	if (step % 2) {
		int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		syscall(SYS_execveat, self, "", args, env, AT_EMPTY_PATH);
	} else {
		execve("/proc/self/exe", args, env);
	}
	return 1;
}
