package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// page is a page to check.
type page struct{ name, address string }

// finding is the result of a check.
type finding struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Up      bool   `json:"up"`
	Status  int    `json:"status,omitempty"`
	Millis  int64  `json:"ms"`
	Error   string `json:"error,omitempty"`
}

// parsePages reads "name=address name=address".
func parsePages(text string) ([]page, error) {
	var pages []page
	for _, word := range strings.Fields(text) {
		name, address, found := strings.Cut(word, "=")
		if !found || name == "" || !strings.HasPrefix(address, "http") {
			return nil, fmt.Errorf("PAGES contains %q; write name=http://address", word)
		}
		pages = append(pages, page{name, address})
	}
	if len(pages) == 0 {
		return nil, fmt.Errorf("PAGES is empty; write name=http://address")
	}
	return pages, nil
}

// check requests a page once. A status below 400 counts as up; redirects are followed.
func check(client *http.Client, one page) finding {
	began := time.Now()
	result := finding{Name: one.name, Address: one.address}
	request, err := http.NewRequest(http.MethodGet, one.address, nil)
	if err == nil {
		request.Header.Set("User-Agent", "link-check")
		var reply *http.Response
		if reply, err = client.Do(request); err == nil {
			reply.Body.Close()
			result.Status = reply.StatusCode
			result.Up = reply.StatusCode < 400
		}
	}
	if err != nil {
		result.Error = err.Error()
	}
	result.Millis = time.Since(began).Milliseconds()
	return result
}

// checkAll checks all pages concurrently and keeps their order.
func checkAll(client *http.Client, pages []page) []finding {
	found := make([]finding, len(pages))
	var all sync.WaitGroup
	for at, one := range pages {
		all.Add(1)
		go func(at int, one page) {
			defer all.Done()
			found[at] = check(client, one)
		}(at, one)
	}
	all.Wait()
	return found
}
