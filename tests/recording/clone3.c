// A child by clone3(2), which the C library does not offer.
#define _GNU_SOURCE
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
	struct clone_args args = {.exit_signal = SIGCHLD};
	struct sysinfo info;
	long child = syscall(SYS_clone3, &args, sizeof args);
	if (child < 0) {
		perror("clone3");
		return 1;
	}
	if (child == 0) {
		sysinfo(&info);
		_exit(0);
	}
	waitpid(child, 0, 0);
	puts("clone3");
	return 0;
}
