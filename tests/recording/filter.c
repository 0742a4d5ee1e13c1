/* A seccomp filter before a program: one that refuses getpriority, one that kills for anything, or the first from before an exec. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int install(struct sock_filter *filter, unsigned short length)
{
	struct sock_fprog program = { length, filter };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static struct sock_filter kill_all[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS) };
static struct sock_filter refuse_one[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

int main(int argc, char **argv)
{
	if (argc < 2)
		return 1;
	if (!strcmp(argv[1], "kill")) {
		if (!install(kill_all, 1))
			getpriority(PRIO_PROCESS, 0);
		return 1;
	}
	if (install(refuse_one, 4))
		return 1;
	if (!strcmp(argv[1], "refuse"))
		return getpriority(PRIO_PROCESS, 0) != -1 || errno != EPERM;
	execv(argv[1], argv + 1);
	return 1;
}
