/* Calls that are made only on the way out. */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void registered(void) { getpriority(PRIO_PROCESS, 0); }

__attribute__((destructor)) static void destructor(void) { getsid(0); }

int main(void)
{
	atexit(registered);
	return 0;
}
