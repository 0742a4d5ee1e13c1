// A 64-bit program that makes one call under the 32-bit ABI: number 20, getpid there, writev here.
#include <stdio.h>

int main(void) {
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
	printf("pid by the other door: %s\n", result > 0 ? "yes" : "no");
	return 0;
}
