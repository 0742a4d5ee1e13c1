// A 32-bit program: its calls have the numbers of another table.
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

int main(void) {
	struct sysinfo info;
	struct utsname name;
	sysinfo(&info);
	uname(&name);
	printf("%zu-bit pointers\n", 8 * sizeof(void *));
	return 0;
}
