/* Numbers that are no calls, and one of the third ABI of a 64-bit x86 kernel. */
#define _GNU_SOURCE
#include <unistd.h>

int main(void)
{
	syscall(600);
	syscall(-1);
	syscall(0x40000000 | 39); /* getpid; refused where the kernel was built without x32 */
	return 0;
}
