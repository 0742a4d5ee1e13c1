/* A process and a thread's worth of sharing, both by clone3. */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 2; i++) {
		struct clone_args how = { .exit_signal = SIGCHLD, .flags = i ? CLONE_FILES | CLONE_FS : 0 };
		long child = syscall(SYS_clone3, &how, sizeof how);
		if (child < 0)
			return 1;
		if (child == 0) {
			if (i)
				getpriority(PRIO_PROCESS, 0);
			else
				getsid(0);
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
	return 0;
}
