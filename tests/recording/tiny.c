/* Three calls, no libc, no loader: over in well under five milliseconds. */
#if defined(__x86_64__)
static long call(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}
enum { NR_WRITE = 1, NR_EXIT = 60, NR_TIMES = 100 };
#elif defined(__aarch64__)
static long call(long number, long a, long b, long c)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
}
enum { NR_WRITE = 64, NR_EXIT = 93, NR_TIMES = 153 };
#endif

void _start(void)
{
	call(NR_WRITE, 1, (long)"tiny\n", 5);
	call(NR_TIMES, 0, 0, 0);
	call(NR_EXIT, 0, 0, 0);
	__builtin_unreachable();
}
