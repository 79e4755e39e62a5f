// Looks at web pages: one or all of them for an HTTP API, all of them when a schedule fires.
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

// event holds what tells a request from a schedule, and which page is meant.
type event struct {
	DetailType     string            `json:"detail-type"`
	PathParameters map[string]string `json:"pathParameters"`
}

// response is an answer to an HTTP API.
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
	patience, err := strconv.Atoi(os.Getenv("PATIENCE_MS"))
	if err != nil {
		fail(fmt.Errorf("PATIENCE_MS: %w", err))
	}
	client := &http.Client{Timeout: time.Duration(patience) * time.Millisecond}
	fail(serve(func(raw []byte) (any, error) { return handle(client, pages, raw) }))
}

func handle(client *http.Client, pages []page, raw []byte) (any, error) {
	var given event
	if err := json.Unmarshal(raw, &given); err != nil {
		return nil, err
	}
	if given.DetailType == "Scheduled Event" {
		return round(client, pages)
	}
	name, one := given.PathParameters["name"]
	if !one {
		return reply(http.StatusOK, lookAtAll(client, pages))
	}
	for _, candidate := range pages {
		if candidate.name == name {
			return reply(http.StatusOK, look(client, candidate))
		}
	}
	return reply(http.StatusNotFound, map[string]string{"message": "no page is called " + name})
}

// round prints a line for every page, and fails if one is down.
func round(client *http.Client, pages []page) (any, error) {
	var down []string
	for _, seen := range lookAtAll(client, pages) {
		line, err := json.Marshal(seen)
		if err != nil {
			return nil, err
		}
		fmt.Println(string(line))
		if !seen.Up {
			down = append(down, seen.Name)
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
