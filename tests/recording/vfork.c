/* A child that shares the parent's memory, before and after its exec. */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc > 1) {
		getpriority(PRIO_PROCESS, 0);
		return 0;
	}
	char *args[] = { argv[0], "child", NULL };
	char *env[] = { NULL };
	pid_t child = vfork();
	if (child == 0) {
		execve("/proc/self/exe", args, env);
		_exit(1);
	}
	int status;
	return waitpid(child, &status, 0) == child ? status : 1;
}
