/* A 32-bit program, whose numbers mean other calls than those of a 64-bit one. */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	if (fork() == 0) {
		getpriority(PRIO_PROCESS, 0);
		_exit(0);
	}
	wait(NULL);
	getsid(0);
	return 0;
}
