package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// page is something to look at.
type page struct{ name, address string }

// finding is what was seen of a page.
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
			return nil, fmt.Errorf("PAGES holds %q; write name=http://address", word)
		}
		pages = append(pages, page{name, address})
	}
	if len(pages) == 0 {
		return nil, fmt.Errorf("PAGES is empty; write name=http://address")
	}
	return pages, nil
}

// look asks for a page once. Any answer below 400 counts as up; redirects are followed.
func look(client *http.Client, one page) finding {
	began := time.Now()
	seen := finding{Name: one.name, Address: one.address}
	request, err := http.NewRequest(http.MethodGet, one.address, nil)
	if err == nil {
		request.Header.Set("User-Agent", "link-check")
		var reply *http.Response
		if reply, err = client.Do(request); err == nil {
			reply.Body.Close()
			seen.Status = reply.StatusCode
			seen.Up = reply.StatusCode < 400
		}
	}
	if err != nil {
		seen.Error = err.Error()
	}
	seen.Millis = time.Since(began).Milliseconds()
	return seen
}

// lookAtAll asks for all pages at once and keeps their order.
func lookAtAll(client *http.Client, pages []page) []finding {
	found := make([]finding, len(pages))
	var all sync.WaitGroup
	for at, one := range pages {
		all.Add(1)
		go func(at int, one page) {
			defer all.Done()
			found[at] = look(client, one)
		}(at, one)
	}
	all.Wait()
	return found
}
