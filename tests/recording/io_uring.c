/* Work that the kernel does for a program in threads of its own, asked for through a ring. */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	struct io_uring_params params;
	memset(&params, 0, sizeof params);
	int ring = syscall(SYS_io_uring_setup, 4, &params);
	if (ring < 0)
		return 2;
	size_t size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
	char *queue = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	struct io_uring_sqe *entries = mmap(NULL, params.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE,
					    MAP_SHARED, ring, IORING_OFF_SQES);
	if (queue == MAP_FAILED || entries == MAP_FAILED)
		return 1;
	memset(entries, 0, sizeof *entries);
	entries[0].opcode = IORING_OP_FSYNC; /* cannot be done at once: goes to a worker */
	entries[0].flags = IOSQE_ASYNC;
	entries[0].fd = 1;
	((unsigned *)(queue + params.sq_off.array))[0] = 0;
	__atomic_store_n((unsigned *)(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return 1;
	getpriority(PRIO_PROCESS, 0);
	return 0;
}
