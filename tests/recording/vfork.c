// A child by vfork(2), which borrows its parent's memory until it execs.
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
	pid_t child = vfork();
	if (child == 0) {
		execl("/bin/uname", "uname", "-s", (char *)0);
		_exit(127);
	}
	waitpid(child, 0, 0);
	puts("vfork");
	return 0;
}
