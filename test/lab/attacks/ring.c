// SPDX-License-Identifier: Apache-2.0
/* io_uring by hand: one order, one answer. */
#include "ring.h"

#include "lab.h"

#include <linux/io_uring.h>
#include <sys/mman.h>

/* Where a command of a socket has level, option and the place of its value. */
#define SQE_LEVEL 16
#define SQE_OPTION 20
#define SQE_SIZE 44
#define SQE_VALUE 48

static void put_order(const struct uring_order *order, struct io_uring_sqe *sqe)
{
	char *bytes = (char *)sqe;
	uint64_t value = address(order->data);

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = order->opcode;
	sqe->fd = order->fd;
	if (order->opcode != URING_CMD) {
		sqe->addr = value;
		sqe->len = order->size;
		return;
	}
	memcpy(bytes + 8, &order->command, sizeof(order->command));
	memcpy(bytes + SQE_LEVEL, &order->level, sizeof(order->level));
	memcpy(bytes + SQE_OPTION, &order->option, sizeof(order->option));
	memcpy(bytes + SQE_SIZE, &order->size, sizeof(order->size));
	memcpy(bytes + SQE_VALUE, &value, sizeof(value));
}

static void *map_ring(int ring, size_t size, off_t offset)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, offset);
}

int uring_do(const struct uring_order *order)
{
	struct io_uring_params params = {};
	_cleanup_fd_ int ring = (int)syscall(SYS_io_uring_setup, 2, &params);
	char *queue, *answers;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqe;

	if (ring < 0)
		return -errno;
	queue = map_ring(ring, params.sq_off.array + params.sq_entries * sizeof(uint32_t),
			 IORING_OFF_SQ_RING);
	answers = map_ring(ring, params.cq_off.cqes + params.cq_entries * sizeof(*cqe),
			   IORING_OFF_CQ_RING);
	sqes = map_ring(ring, params.sq_entries * sizeof(*sqes), IORING_OFF_SQES);
	if (queue == MAP_FAILED || answers == MAP_FAILED || sqes == MAP_FAILED)
		return -errno;
	put_order(order, sqes);
	*(uint32_t *)(queue + params.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	cqe = (struct io_uring_cqe *)(answers + params.cq_off.cqes);
	return cqe->res;
}
