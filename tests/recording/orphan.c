/* A grandchild that works on after its parent and the first process are gone. The argument is for how many milliseconds. */
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int wait_for = argc > 1 ? atoi(argv[1]) : 200;
	pid_t child = fork();
	if (child < 0)
		return 1;
	if (child > 0) {
		waitpid(child, NULL, 0);
		return 0;
	}
	if (fork() == 0) {
		setsid();
		usleep(wait_for * 1000);
		getpriority(PRIO_PROCESS, 0);
	}
	_exit(0);
}
