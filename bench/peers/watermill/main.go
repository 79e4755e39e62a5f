// Watermill: a router whose handler counts bytes and acknowledges each message (at least once). Settings as its documentation
// advises for throughput from Kafka; nothing is published.
//
// BROKERS, TOPIC and EVENTS say what to read; the first quarter is warm-up. The last line printed is the report, as JSON.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
)

const patience = 150 * time.Second

type reading struct {
	at  time.Time
	cpu float64
}

func now() reading {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return reading{time.Now(), seconds(usage.Utime) + seconds(usage.Stime)}
}

func fail(why any) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}

func main() {
	brokers, topic := strings.Split(os.Getenv("BROKERS"), ","), os.Getenv("TOPIC")
	events, err := strconv.ParseInt(os.Getenv("EVENTS"), 10, 64)
	if err != nil || topic == "" {
		fail("BROKERS, TOPIC and EVENTS are needed")
	}
	settings := kafka.DefaultSaramaSubscriberConfig()
	settings.Consumer.Offsets.Initial = sarama.OffsetOldest
	settings.Version = sarama.V3_6_0_0
	log := watermill.NewStdLogger(false, false)
	source, err := kafka.NewSubscriber(kafka.SubscriberConfig{
		Brokers:               brokers,
		Unmarshaler:           kafka.DefaultMarshaler{},
		OverwriteSaramaConfig: settings,
		ConsumerGroup:         fmt.Sprintf("%s-watermill-%d", topic, time.Now().UnixNano()),
	}, log)
	if err != nil {
		fail(err)
	}
	router, err := message.NewRouter(message.RouterConfig{}, log)
	if err != nil {
		fail(err)
	}
	var count, bytes atomic.Int64
	begin, end := make(chan reading, 1), make(chan reading, 1)
	router.AddConsumerHandler("noop", topic, source, func(m *message.Message) error {
		bytes.Add(int64(len(m.Payload)))
		switch count.Add(1) {
		case events / 4:
			begin <- now()
		case events:
			end <- now()
		}
		return nil
	})
	go func() {
		if err := router.Run(context.Background()); err != nil {
			fail(err)
		}
	}()
	select {
	case last := <-end:
		first := <-begin
		fmt.Printf("{\"events\":%d,\"seconds\":%f,\"cpu_seconds\":%f}\n",
			events-events/4, last.at.Sub(first.at).Seconds(), last.cpu-first.cpu)
	case <-time.After(patience):
		fail(fmt.Sprintf("%d of %d events came", count.Load(), events))
	}
}
