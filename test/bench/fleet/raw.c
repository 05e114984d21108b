// SPDX-License-Identifier: Apache-2.0
/*
 * What librdkafka alone does: raw BROKER TOPIC PARTITIONS COUNT BYTES sends COUNT messages, all
 * replicas in sync acknowledging each, and prints messages a second from the first to the last
 * acknowledgement.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long acknowledged, failed;

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
	(void)kafka;
	(void)opaque;
	if (message->err)
		failed++;
	else
		acknowledged++;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static rd_kafka_t *producer(const char *broker)
{
	static const char *const settings[][2] = {
		{"acks", "all"},
		{"enable.idempotence", "true"},
		{"linger.ms", "5"},
		{"queue.buffering.max.messages", "200000"},
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char error[256];
	rd_kafka_t *kafka;

	for (size_t n = 0; n < sizeof(settings) / sizeof(settings[0]); n++)
		rd_kafka_conf_set(conf, settings[n][0], settings[n][1], NULL, 0);
	rd_kafka_conf_set(conf, "bootstrap.servers", broker, NULL, 0);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
	if (!kafka) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	return kafka;
}

static void produce(rd_kafka_t *kafka, const char *topic, int partition, const char *value,
		    size_t size)
{
	for (;;) {
		rd_kafka_resp_err_t error = rd_kafka_producev(
			kafka, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_VALUE((void *)value, size), RD_KAFKA_V_END);

		if (!error)
			return;
		if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
			fprintf(stderr, "%s\n", rd_kafka_err2str(error));
			exit(1);
		}
		rd_kafka_poll(kafka, 10);
	}
}

int main(int argc, char **argv)
{
	rd_kafka_t *kafka;
	long count, bytes;
	int partitions;
	double start;
	char *value;

	if (argc != 6) {
		fprintf(stderr, "raw BROKER TOPIC PARTITIONS COUNT BYTES\n");
		return 64;
	}
	partitions = atoi(argv[3]);
	count = atol(argv[4]);
	bytes = atol(argv[5]);
	value = malloc(bytes);
	memset(value, 'x', bytes);
	kafka = producer(argv[1]);
	/* Connected and with the topic's leaders, before the clock starts. */
	produce(kafka, argv[2], 0, value, bytes);
	rd_kafka_flush(kafka, 30000);
	acknowledged = 0;
	start = now();
	for (long n = 0; n < count; n++) {
		produce(kafka, argv[2], n % partitions, value, bytes);
		if (n % 1000 == 0)
			rd_kafka_poll(kafka, 0);
	}
	rd_kafka_flush(kafka, 60000);
	if (failed || acknowledged != count) {
		fprintf(stderr, "%ld of %ld acknowledged\n", acknowledged, count);
		return 1;
	}
	printf("%.0f\n", count / (now() - start));
	free(value);
	rd_kafka_destroy(kafka);
	return 0;
}
