// sysinfo is called when the program is over: by an exit handler, times by a destructor.
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <sys/times.h>

static void at_exit(void) {
	struct sysinfo info;
	sysinfo(&info);
}

__attribute__((destructor)) static void destructor(void) {
	struct tms tms;
	times(&tms);
}

int main(void) {
	atexit(at_exit);
	puts("nothing so far");
	return 0;
}
