/* Leaves its mount namespace, and has a child in the new one. */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	if (unshare(CLONE_NEWNS))
		return 1;
	getsid(0);
	if (fork() == 0) {
		getpriority(PRIO_PROCESS, 0);
		_exit(0);
	}
	wait(NULL);
	return 0;
}
