// The grandchild goes on 300 ms after its parent and grandparent are gone, and only then makes its call.
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
	pid_t child = fork();
	if (child == 0) {
		if (fork() == 0) {
			struct sysinfo info;
			setsid();
			usleep(300000);
			sysinfo(&info);
			_exit(0);
		}
		_exit(0);
	}
	waitpid(child, 0, 0);
	puts("left an orphan");
	return 0;
}
