// Checks web pages: one or all of them for an HTTP API, all of them when a schedule fires.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// event is a request of the HTTP API or the event of a schedule.
type event struct {
	DetailType     string            `json:"detail-type"`
	PathParameters map[string]string `json:"pathParameters"`
}

// response is a response of the HTTP API.
type response struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
}

func main() {
	pages, err := parsePages(os.Getenv("PAGES"))
	if err != nil {
		fail(err)
	}
	timeoutMs, err := strconv.Atoi(os.Getenv("PATIENCE_MS"))
	if err != nil {
		fail(fmt.Errorf("PATIENCE_MS: %w", err))
	}
	client := &http.Client{Timeout: time.Duration(timeoutMs) * time.Millisecond}
	fail(serve(func(raw []byte) (any, error) { return handle(client, pages, raw) }))
}

func handle(client *http.Client, pages []page, raw []byte) (any, error) {
	var given event
	if err := json.Unmarshal(raw, &given); err != nil {
		return nil, err
	}
	if given.DetailType == "Scheduled Event" {
		return checkAndLog(client, pages)
	}
	name, one := given.PathParameters["name"]
	if !one {
		return reply(http.StatusOK, checkAll(client, pages))
	}
	for _, candidate := range pages {
		if candidate.name == name {
			return reply(http.StatusOK, check(client, candidate))
		}
	}
	return reply(http.StatusNotFound, map[string]string{"message": "no page is called " + name})
}

// checkAndLog prints a line for every page, and fails if one is down.
func checkAndLog(client *http.Client, pages []page) (any, error) {
	var down []string
	for _, result := range checkAll(client, pages) {
		line, err := json.Marshal(result)
		if err != nil {
			return nil, err
		}
		fmt.Println(string(line))
		if !result.Up {
			down = append(down, result.Name)
		}
	}
	if down != nil {
		return nil, fmt.Errorf("down: %s", strings.Join(down, ", "))
	}
	return map[string]int{"up": len(pages)}, nil
}

func reply(status int, value any) (response, error) {
	body, err := json.Marshal(value)
	return response{status, map[string]string{"content-type": "application/json"}, string(body)}, err
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
