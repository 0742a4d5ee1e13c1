/* Two hundred children that live for a moment; the last of each ten makes a child of its own. */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 200; i++) {
		pid_t child = fork();
		if (child < 0)
			return 1;
		if (child == 0) {
			if (i % 10 == 9 && fork() == 0) {
				getpriority(PRIO_PROCESS, 0);
				_exit(0);
			}
			getsid(0);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
