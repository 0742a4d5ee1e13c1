/* Becomes a shell with a pipeline, a subshell and something in the background. */
#include <unistd.h>

int main(void)
{
	execl("/bin/sh", "sh", "-c", "ls / | wc -l; (sleep 0.05 & wait); id -u >/dev/null; echo done", NULL);
	return 1;
}
