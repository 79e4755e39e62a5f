// asynq as a delay queue: scheduled tasks, handled by a server in the same process.
//
// PORT is that of an empty Redis of the measurement, ENTRIES the number of tasks. PACED tasks are due 500 a second; 0 leaves that
// part out. The last line printed is the report, as JSON. asynq keeps due times in whole seconds, so tasks may come early.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

const (
	producers   = 100
	concurrency = 50
	// How often the server moves due tasks to their queue, and looks for tasks when it found none. The defaults, 5 s and 1 s, are
	// for tasks that may be late.
	forwarding = 200 * time.Millisecond
	polling    = 50 * time.Millisecond
	pace       = 500
	patience   = 4 * time.Minute
)

type payload struct {
	N   int   `json:"n"`
	Due int64 `json:"due"` // ms
}

type report struct {
	Singles  float64   `json:"singles"`
	Bulk     *float64  `json:"bulk"` // asynq has no such call
	Bytes    float64   `json:"bytes"`
	Drain    float64   `json:"drain"`
	BurstMs  float64   `json:"burst_ms"`
	LateMs   []float64 `json:"late_ms"`
	Repeated int       `json:"repeated"`
}

func fail(why any) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}

func number(name string) int {
	value, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		fail(name + " is needed, a number")
	}
	return value
}

// add schedules tasks in a queue, each with a call of its own.
func add(address, queue string, count int, due func(int) int64) {
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: address, PoolSize: producers})
	defer client.Close()
	var next atomic.Int64
	var done sync.WaitGroup
	for range producers {
		done.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= count {
					return
				}
				at := due(n)
				body, err := json.Marshal(payload{n, at})
				if err != nil {
					fail(err)
				}
				task := asynq.NewTask("order:close", body)
				if _, err := client.Enqueue(task, asynq.ProcessAt(time.UnixMilli(at)), asynq.Queue(queue)); err != nil {
					fail(err)
				}
			}
		})
	}
	done.Wait()
}

func inTime(address, queue string, count int, first int64, due func(int) int64) {
	add(address, queue, count, due)
	if time.Now().UnixMilli() > first {
		fail("adding the tasks took longer than planned")
	}
}

func usedMemory(client *redis.Client) float64 {
	info, err := client.Info(context.Background(), "memory").Result()
	if err != nil {
		fail(err)
	}
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(line, "used_memory:"); found {
			bytes, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				fail(err)
			}
			return bytes
		}
	}
	fail("Redis does not say how much memory it uses")
	return 0
}

func main() {
	address := fmt.Sprintf("127.0.0.1:%d", number("PORT"))
	entries, paced := number("ENTRIES"), number("PACED")
	client := redis.NewClient(&redis.Options{Addr: address})
	warmUp(address)
	var result report

	before, began := usedMemory(client), time.Now()
	hour := time.Now().Add(time.Hour).UnixMilli()
	add(address, "singles", entries, func(int) int64 { return hour })
	took := time.Since(began)
	result.Singles = float64(entries) / took.Seconds()
	result.Bytes = (usedMemory(client) - before) / float64(entries)

	lead := 2*took + 2*time.Second
	due := time.Now().Add(lead).UnixMilli()
	inTime(address, "drain", entries, due, func(int) int64 { return due })
	time.Sleep(time.Until(time.UnixMilli(due + 300)))
	began = time.Now()
	drained := serve(address, "drain", entries).finish()
	result.Drain = float64(entries) / drained.last.Sub(began).Seconds()

	server := serve(address, "burst", entries)
	// asynq forwards a task up to a second early, so the time is a whole second.
	due = (time.Now().Add(lead+time.Second).UnixMilli()/1000 + 1) * 1000
	inTime(address, "burst", entries, due, func(int) int64 { return due })
	burst := server.finish()
	result.BurstMs = float64(burst.last.Sub(time.UnixMilli(due)).Microseconds()) / 1e3
	result.Repeated = drained.repeated + burst.repeated

	if paced > 0 {
		server = serve(address, "paced", paced)
		first := time.Now().UnixMilli() + 4000
		inTime(address, "paced", paced, first, func(n int) int64 { return first + int64(n)*1000/pace })
		late := server.finish()
		result.LateMs = []float64{late.quantile(0.5), late.quantile(0.99), late.quantile(0.999)}
		result.Repeated += late.repeated
	}
	line, err := json.Marshal(result)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(line))
}

func warmUp(address string) {
	past := time.Now().Add(-time.Second).UnixMilli()
	add(address, "warm", 5000, func(int) int64 { return past })
	serve(address, "warm", 5000).finish()
}
