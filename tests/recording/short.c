// No C library, no loader: getpid, sysinfo and exit, and gone.
static long call(long number, long argument) {
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(argument) : "rcx", "r11", "memory");
	return result;
}

void _start(void) {
	char info[256];
	call(39, 0);          // getpid
	call(99, (long)info); // sysinfo
	call(231, 0);         // exit_group
	__builtin_unreachable();
}
