package main

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

// handling is a server that handles the tasks of one queue.
type handling struct {
	server *asynq.Server
	done   chan struct{}

	mutex sync.Mutex
	left  int
	late  []float64 // ms by task; NaN before it is handled
	handled
}

// handled is the result: when the last task came, and how many came again.
type handled struct {
	last     time.Time
	repeated int
	sorted   []float64
}

// serve starts a server for `count` tasks of a queue.
func serve(address, queue string, count int) *handling {
	h := &handling{done: make(chan struct{}), left: count, late: make([]float64, count)}
	for n := range h.late {
		h.late[n] = math.NaN()
	}
	h.server = asynq.NewServer(
		asynq.RedisClientOpt{Addr: address, PoolSize: concurrency + 10},
		asynq.Config{
			Concurrency:              concurrency,
			Queues:                   map[string]int{queue: 1},
			DelayedTaskCheckInterval: forwarding,
			TaskCheckInterval:        polling,
			LogLevel:                 asynq.WarnLevel,
		},
	)
	mux := asynq.NewServeMux()
	mux.HandleFunc("order:close", h.handle)
	if err := h.server.Start(mux); err != nil {
		fail(err)
	}
	return h
}

func (h *handling) handle(_ context.Context, task *asynq.Task) error {
	now := time.Now()
	var body payload
	if err := json.Unmarshal(task.Payload(), &body); err != nil {
		return err
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if !math.IsNaN(h.late[body.N]) {
		h.repeated++
		return nil
	}
	h.late[body.N] = float64(now.Sub(time.UnixMilli(body.Due)).Microseconds()) / 1e3
	h.last = now
	h.left--
	if h.left == 0 {
		close(h.done)
	}
	return nil
}

// finish waits until each task was handled.
func (h *handling) finish() handled {
	select {
	case <-h.done:
	case <-time.After(patience):
		fail("not all tasks were handled")
	}
	h.server.Shutdown() // completes the tasks that it holds
	h.sorted = h.late
	slices.Sort(h.sorted)
	return h.handled
}

func (h handled) quantile(q float64) float64 {
	return h.sorted[min(len(h.sorted)-1, int(float64(len(h.sorted))*q))]
}
