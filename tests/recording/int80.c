/* A 64-bit program that makes 32-bit calls among its own: 20 is getpid there, and writev here. */
#include <sys/resource.h>

static long call32(long number)
{
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number) : "r8", "r9", "r10", "r11", "memory");
	return result;
}

int main(void)
{
	if (call32(20) <= 0) /* getpid */
		return 1;
	call32(64);	     /* getppid */
	getpriority(PRIO_PROCESS, 0);
	return 0;
}
