/* A thread that is not the first, when told to, starts a child that executes something, and then executes something itself. */
#include <pthread.h>
#include <stdio.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>

static char *self;

static void execute(char *what)
{
	char *const arguments[] = { self, what, NULL };
	execv(self, arguments);
	_exit(1);
}

static void *work(void *nothing)
{
	char go;
	puts("ready");
	fflush(stdout);
	if (read(0, &go, 1) < 0)
		_exit(1);
	if (fork() == 0)
		execute("child");
	wait(NULL);
	execute("thread");
	return nothing;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	struct tms times_now;
	self = argv[0];
	if (argc > 1)
		return argv[1][0] == 'c' ? getsid(0) < 0 : times(&times_now) < 0;
	if (pthread_create(&thread, NULL, work, NULL))
		return 1;
	pthread_join(thread, NULL);
	return 1;
}
