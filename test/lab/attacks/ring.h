/* SPDX-License-Identifier: Apache-2.0 */
/* io_uring by hand: one order, one answer. */
#ifndef WARDEN_LAB_RING_H
#define WARDEN_LAB_RING_H

#include <stddef.h>
#include <stdint.h>

/* Numbers of the kernel's own header, which is older here than the kernels that run. */
#define URING_WRITE 23
#define URING_CMD 46
#define URING_SETSOCKOPT 3

struct uring_order {
	uint8_t opcode;
	int fd;
	const void *data;
	uint32_t size;
	/* of URING_CMD */
	uint32_t command;
	uint32_t level;
	uint32_t option;
};

/* What the order came to, or a negative errno. */
int uring_do(const struct uring_order *order);

#endif /* WARDEN_LAB_RING_H */
