/* Threads that give themselves a name of their own, and each call something that no other does. */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <unistd.h>

static void *work(void *number)
{
	struct rusage usage;
	struct tms times_now;
	switch ((intptr_t)number % 4) {
	case 0: prctl(PR_SET_NAME, "somebody-else"); getsid(0); break;
	case 1: prctl(PR_SET_NAME, "kworker/0:0"); getpriority(PRIO_PROCESS, 0); break;
	case 2: getrusage(RUSAGE_SELF, &usage); break;
	case 3: times(&times_now); sched_yield(); break;
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[16];
	for (intptr_t i = 0; i < 16; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i))
			return 1;
	for (int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
